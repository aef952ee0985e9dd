"""A table of households in CSV or Parquet files, read chunk by chunk and never as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from promo_uplift.contracts.errors import SourceError

PARQUET: Final = (".parquet",)
CSV: Final = (".csv", ".csv.gz")
#: How a message calls what a column was read as.
KINDS: Final = {
    "double": "numbers",
    "int64": "whole numbers, as its first rows do",
    "bool": "true or false, as its first rows do",
}
#: Texts that mean a missing value in a CSV file, as pandas has them.
MISSING_TEXTS: Final = [*pc.ConvertOptions().null_values, "None", "<NA>"]


@dataclass(frozen=True, slots=True)
class HouseholdFile:
    """A file, or a folder of files of one kind, that together are one table.

    Attributes
    ----------
    path : Path
        What was asked for.
    files : tuple of Path
        In the order in which they are read.
    schema : pyarrow.Schema
        Columns and types of the first one; of a CSV file as its first block has them.
    """

    path: Path
    files: tuple[Path, ...]
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """What is read of a file; each column must be in it.

    Attributes
    ----------
    numbers : tuple of str
        Become float64 where the file holds numbers, decimals or booleans, else stay as they are.
    categories : tuple of str
        Stay as they are; texts in a CSV file.
    identifier : str or None
        Keeps the type that the file, or its first block, has.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...] = ()
    identifier: str | None = None

    @property
    def names(self) -> list[str]:
        """All of them, the identifier first, each once."""
        first = () if self.identifier is None else (self.identifier,)
        return list(dict.fromkeys((*first, *self.numbers, *self.categories)))


def open_household_file(*, path: Path) -> HouseholdFile:
    """Look at a file, or at the Parquet or CSV files of a folder, without reading them.

    Parameters
    ----------
    path : Path
        A ``.parquet``, ``.csv`` or ``.csv.gz`` file, or a folder that holds files of one kind.

    Raises
    ------
    SourceError
        If there is none, it is of another kind or unreadable, or files of a folder differ in
        columns or types.
    """
    files = tuple(sorted(path.iterdir())) if path.is_dir() else (path,)
    files = tuple(file for file in files if not file.name.startswith((".", "_")))
    if not files or not all(file.is_file() for file in files):
        raise SourceError(
            f"`scoring.table` must be a file, or a folder of files; `{path}` is none. Give its "
            "path from the project's folder, or in full."
        )
    kinds = {kind for file in files for kind in (_kind(file),)}
    if len(kinds) > 1:
        raise SourceError(f"`scoring.table` must hold files of one kind; `{path}` holds both.")
    first, *others = ((file, _schema(file)) for file in files)
    for file, schema in others:
        _refuse_other_columns(first=first, file=file, schema=schema)
    return HouseholdFile(path=path, files=files, schema=first[1])


def read_chunks(*, source: HouseholdFile, wanted: WantedColumns, rows: int) -> Iterator[pa.Table]:
    """Read chosen columns, ``rows`` rows at a time, the last chunk what is left.

    Raises
    ------
    SourceError
        Naming file and column, if a value further down is not what the column holds.
    """
    parts = (
        pa.Table.from_batches([batch]).select(wanted.names)
        for file in source.files
        for batch in _batches(file, source.schema, wanted, rows)
    )
    return _of_size(parts, rows)


def empty_chunk(*, source: HouseholdFile, wanted: WantedColumns) -> pa.Table:
    """Return a chunk without rows, with the types of those to come as the schema tells them."""
    schema = pa.schema([source.schema.field(name) for name in wanted.names])
    if _kind(source.files[0]) == "csv":
        types = _types_in_csv(source.schema, wanted)
        schema = pa.schema([(name, types[name]) for name in wanted.names])
    batch = pa.RecordBatch.from_pylist([], schema=schema)
    return pa.Table.from_batches([_typed(batch, source.schema, wanted)])


def _kind(file: Path) -> str:
    name = file.name.lower()
    if name.endswith(PARQUET):
        return "parquet"
    if name.endswith(CSV):
        return "csv"
    raise SourceError(
        f"`scoring.table` must end in .parquet, .csv or .csv.gz; got `{file.name}`. Convert it."
    )


def _schema(file: Path) -> pa.Schema:
    try:
        if _kind(file) == "parquet":
            return pq.read_schema(file)
        return pc.open_csv(file, convert_options=_convert_options()).schema
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"`scoring.table` must be a readable table; `{file.name}` is not: {error}."
        ) from error


def _refuse_other_columns(*, first: tuple[Path, pa.Schema], file: Path, schema: pa.Schema) -> None:
    name, expected = first
    kinds = {one.name: _sort_of(one.type) for one in expected}
    found = {one.name: _sort_of(one.type) for one in schema}
    wrong = [
        f"`{column}` is {found.get(column, 'absent')} (was {kind})"
        for column, kind in kinds.items()
        if found.get(column) not in (kind, "empty") and kind != "empty"
    ]
    if wrong:
        raise SourceError(
            f"Every file of `scoring.table` must have the columns of `{name.name}`; in "
            f"`{file.name}` {', '.join(wrong)}."
        )


def _sort_of(kind: pa.DataType) -> str:
    if _is_number(kind):
        return "a number"
    return "empty" if pa.types.is_null(kind) else str(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    )


def _convert_options(**given: Any) -> pc.ConvertOptions:
    return pc.ConvertOptions(strings_can_be_null=True, null_values=MISSING_TEXTS, **given)


def _batches(
    file: Path, schema: pa.Schema, wanted: WantedColumns, rows: int
) -> Iterator[pa.RecordBatch]:
    try:
        if _kind(file) == "parquet":
            with pq.ParquetFile(file, pre_buffer=False) as opened:
                for batch in opened.iter_batches(batch_size=rows, columns=wanted.names):
                    yield _typed(batch, schema, wanted)
            return
        options = _convert_options(
            include_columns=wanted.names, column_types=_types_in_csv(schema, wanted)
        )
        with pc.open_csv(file, convert_options=options) as reader:
            for batch in reader:
                yield _typed(batch, schema, wanted)
    except pa.ArrowException as error:
        raise SourceError(_unreadable(file, schema, error)) from error


def _types_in_csv(schema: pa.Schema, wanted: WantedColumns) -> dict[str, pa.DataType]:
    """Types of all columns, so that none is guessed from the first block alone."""
    types = {
        name: pa.bool_() if pa.types.is_boolean(schema.field(name).type) else pa.float64()
        for name in wanted.numbers
    }
    types |= dict.fromkeys(wanted.categories, pa.string())
    if wanted.identifier is not None:
        kind = schema.field(wanted.identifier).type
        types[wanted.identifier] = kind if pa.types.is_integer(kind) else pa.string()
    return types


def _identifier_type(schema: pa.Schema, name: str) -> pa.DataType:
    """As the file has it; of one that is empty as far as it was looked at, text."""
    kind = schema.field(name).type
    return pa.string() if pa.types.is_null(kind) else kind


def _typed(batch: pa.RecordBatch, schema: pa.Schema, wanted: WantedColumns) -> pa.RecordBatch:
    arrays = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = field.type
        if field.name == wanted.identifier:
            kind = _identifier_type(schema, field.name)
        elif field.name in wanted.numbers and (_is_number(kind) or pa.types.is_null(kind)):
            kind = pa.float64()
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        arrays.append(column.cast(kind, safe=False) if kind != column.type else column)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _unreadable(file: Path, schema: pa.Schema, error: pa.ArrowException) -> str:
    bad = re.search(
        r"column #(\d+):(?: Row #(\d+):)? CSV conversion error to (\w+): invalid value '(.*)'",
        str(error),
        re.S,
    )
    if bad is None:
        return f"`scoring.table` must be a readable table; `{file.name}` is not: {error}."
    column, kind = schema.names[int(bad[1])], KINDS.get(bad[3], bad[3])
    # Arrow counts the rows only where it parses block after block
    where = f"row {bad[2]} of the file holds" if bad[2] else "found"
    return (
        f"`{column}` of `{file.name}` must hold {kind}; {where} '{bad[4]}'. Correct such values, "
        "or leave them empty."
    )


def _of_size(parts: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Cut and join consecutive parts into tables of ``rows`` rows."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for part in parts:
        waiting.append(part)
        n_waiting += part.num_rows
        if n_waiting < rows:
            continue
        joined = pa.concat_tables(waiting)
        full = n_waiting - n_waiting % rows
        for start in range(0, full, rows):
            yield joined.slice(start, rows)
        waiting, n_waiting = [joined.slice(full)], n_waiting - full
    if n_waiting:
        yield pa.concat_tables(waiting)
