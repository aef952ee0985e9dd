"""What a raw table must look like to be read at all: columns by name, types, days and dates."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.tables import FIRST_DATE, FIRST_DAY, LAST_DATE, LAST_DAY

RawTables = Mapping[str, ir.Table | None]

#: Raw tables by the names that both forms share. Only ``promotions`` may be None.
RAW_TABLES: Final = (
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_targets",
    "coupons",
    "redemptions",
    "promotions",
)

Kind = Literal["integer", "usd", "label", "day", "date", "timestamp"]

_EXPECTED: Final[dict[Kind, str]] = {
    "integer": "whole numbers",
    "usd": "numbers",
    "label": "text",
    "day": "whole numbers",
    "date": "dates",
    "timestamp": "timestamps",
}
_MAX_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class RawColumn:
    """One column that a raw table must have.

    Attributes
    ----------
    name : str
        Its name in the file (matched exactly; the order of columns is irrelevant).
    canonical : str
        Its name from here on.
    kind : str
        What it holds, which decides the types that are accepted.
    """

    name: str
    canonical: str
    kind: Kind


def raw_columns(*columns: tuple[str, str, Kind]) -> tuple[RawColumn, ...]:
    """Declare columns as ``(name in the file, canonical name, kind)``."""
    return tuple(RawColumn(*column) for column in columns)


def require_columns(table: ir.Table, required: Iterable[str], *, name: str) -> tuple[str, ...]:
    """Check that a table has the named columns, and return the other ones.

    Parameters
    ----------
    table : Table
        Any Ibis table.
    required : iterable of str
        Column names, in any order.
    name : str
        The table's name, for the message.

    Returns
    -------
    tuple of str
        Columns that are not required: they are ignored, and counted in the cleaning report.

    Raises
    ------
    SourceError
        If a column is missing; names the near matches among the columns found.
    """
    required = tuple(required)
    found = tuple(table.columns)
    missing = [column for column in required if column not in found]
    if missing:
        raise SourceError(
            f"`{name}` must have the columns {_names(required)}; missing: {_names(missing)}. "
            f"Found: {_names(found)}.{_did_you_mean(missing, found, required)}"
        )
    return tuple(column for column in found if column not in required)


def check_raw_table(table: ir.Table, columns: tuple[RawColumn, ...], *, name: str) -> int:
    """Check columns, types, days and dates of a raw table, and return its number of rows.

    Raises
    ------
    SourceError
        If a column is missing or of a wrong type, if the table is empty, or if a day or date is
        missing or outside the two years that the publisher covers.
    """
    require_columns(table, [column.name for column in columns], name=name)
    for column in columns:
        _check_type(table, column, name=name)
    calendar = [column for column in columns if column.kind in {"day", "date", "timestamp"}]
    outside = {column.name: _outside(table, column) for column in calendar}
    counts = (
        table.aggregate(
            rows=table.count(),
            **{f"n{i}": test.sum() for i, test in enumerate(outside.values())},
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    rows = int(counts["rows"])
    if rows == 0:
        raise _empty(name)
    for i, (column_name, test) in enumerate(outside.items()):
        if counts[f"n{i}"]:
            raise SourceError(_outside_message(table, column_name, test, rows, name=name))
    return rows


def _empty(name: str) -> SourceError:
    return SourceError(f"`{name}` must have at least one row; it is empty. Check the file.")


def _check_type(table: ir.Table, column: RawColumn, *, name: str) -> None:
    dtype = table[column.name].type()
    accepted = {
        "integer": dtype.is_integer(),
        "day": dtype.is_integer(),
        "usd": dtype.is_numeric(),
        "label": True,
        "date": dtype.is_date() or dtype.is_timestamp(),
        "timestamp": dtype.is_timestamp(),
    }[column.kind]
    if accepted:
        return
    if table.count().to_pyarrow().as_py() == 0:  # a CSV without rows holds text everywhere
        raise _empty(name)
    examples = ""
    if dtype.is_string():
        values = table[column.name]
        target = {"integer": "int64", "day": "int64", "usd": "float64"}.get(
            column.kind, "timestamp"
        )
        bad = table.filter(values.notnull() & values.try_cast(target).isnull())
        shown = bad.select(column.name).distinct().limit(_MAX_EXAMPLES).to_pyarrow()
        if shown.num_rows:
            examples = f", e.g. {shown.column(0).to_pylist()}"
    raise SourceError(
        f"`{name}.{column.name}` must hold {_EXPECTED[column.kind]}; found type {dtype}{examples}. "
        "Check that the columns carry the right headers and that no text got into the file."
    )


def _bounds(column: RawColumn) -> tuple[int, int] | tuple[dt.datetime, dt.datetime]:
    if column.kind == "day":
        return FIRST_DAY, LAST_DAY
    return (
        dt.datetime.combine(FIRST_DATE, dt.time()),
        dt.datetime.combine(LAST_DATE + dt.timedelta(days=1), dt.time()),
    )


def _outside(table: ir.Table, column: RawColumn) -> ir.BooleanColumn:
    value = table[column.name]
    if column.kind == "day":
        inside = value.between(FIRST_DAY, LAST_DAY)
    else:
        low, high = _bounds(column)
        inside = (value.cast("timestamp") >= ibis.literal(low)) & (
            value.cast("timestamp") < ibis.literal(high)
        )
    return ~inside.fill_null(False)


def _outside_message(
    table: ir.Table, column: str, test: ir.BooleanColumn, rows: int, *, name: str
) -> str:
    bad = table.filter(test)
    values = bad.select(column).distinct().order_by(column).limit(_MAX_EXAMPLES)
    examples = [str(value) for value in values.to_pyarrow().column(0).to_pylist()]
    count = int(bad.count().to_pyarrow().as_py())
    return (
        f"`{name}.{column}` must lie within days {FIRST_DAY} to {LAST_DAY} of the publisher's "
        f"calendar ({FIRST_DATE} to {LAST_DATE}); {count} of {rows} rows do not, e.g. {examples}. "
        "Check the column's content and the format of its dates."
    )


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _did_you_mean(missing: list[str], found: tuple[str, ...], required: tuple[str, ...]) -> str:
    spare = {column.lower(): column for column in found if column not in required}
    pairs = []
    for column in missing:
        near = difflib.get_close_matches(column.lower(), list(spare), n=1)
        if near:
            pairs.append(f"`{spare[near[0]]}` for `{column}`")
    return f" Did you mean {', '.join(pairs)}? Rename it in the file." if pairs else ""
