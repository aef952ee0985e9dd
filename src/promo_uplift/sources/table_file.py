"""A user's own table from a CSV or Parquet file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from promo_uplift.contracts.errors import SourceError


def read_table_file(*, path: Path | None) -> pd.DataFrame:
    """Read a table, its columns as the file has them.

    Parameters
    ----------
    path : Path or None
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file.

    Raises
    ------
    SourceError
        If no path is given, there is no such file, or it is neither CSV nor Parquet.
    """
    if path is None:
        raise SourceError(
            "`table.path` must name a CSV or Parquet file; it is not set. Give it with "
            "--params table.path=<file>, or in conf/table/parameters/table.yml."
        )
    if not path.is_file():
        raise SourceError(f"`table.path` must be a file; there is none at `{path}`.")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise SourceError(
            f"`table.path` must be a readable table; `{path.name}` is not: {error}."
        ) from error
    raise SourceError(
        f"`table.path` must end in .csv, .csv.gz or .parquet; got `{path.name}`. Convert it."
    )


def table_version(frame: pd.DataFrame) -> str:
    """Version of a table: ``table-`` and 12 hexadecimal characters of its columns and values."""
    digest = hashlib.sha256("|".join(map(str, frame.columns)).encode())
    try:
        values = pd.util.hash_pandas_object(frame, index=False)
    except TypeError:  # lists and the like have no hash, but a text
        values = pd.util.hash_pandas_object(frame.astype(str), index=False)
    digest.update(values.to_numpy().tobytes())
    return f"table-{digest.hexdigest()[:12]}"
