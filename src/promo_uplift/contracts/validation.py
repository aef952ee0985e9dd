"""Checks canonical tables against their contracts inside the engine, and names what breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis.expr.types as ir
import pandas as pd
import pandera.ibis as pa
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrors

from promo_uplift.contracts.cross_rules import CROSS_RULES
from promo_uplift.contracts.errors import ContractError
from promo_uplift.contracts.rules import RuleCount, examples_of
from promo_uplift.contracts.tables import ROW_RULES, SCHEMAS, CanonicalTables

REPORT_COLUMNS: Final = ("table", "column", "rule", "rows_checked", "rows_failed")


@dataclass(frozen=True, slots=True)
class _Broken:
    """A rule of one row as the expression that is true where it is broken."""

    column: str
    text: str
    shown: tuple[str, ...]
    is_broken: ir.BooleanValue


def validate_tables(tables: CanonicalTables) -> pd.DataFrame:
    """Check every rule of the contracts, and return how many rows each looked at and refused.

    Parameters
    ----------
    tables : CanonicalTables
        The canonical tables of either form.

    Returns
    -------
    DataFrame
        One row per rule: ``table``, ``column``, ``rule``, ``rows_checked``, ``rows_failed``.
        ``rows_failed`` above 0 means that the rule tolerates a share, which its text states.

    Raises
    ------
    ContractError
        If a rule is broken. One line per broken rule: table, column, rule, count, examples, and
        a hint where two columns look swapped. Rules across tables are checked only once every
        table is right by itself.
    """
    for name, table in tables.items():
        _refuse_wrong_structure(name, table)
    counts = [count for name, table in tables.items() for count in table_rule_counts(name, table)]
    _refuse_broken(counts)
    across = [rule(tables) for rule in CROSS_RULES]
    _refuse_broken(across)
    return pd.DataFrame(
        [
            (count.table, count.column, count.rule, count.rows_checked, count.rows_failed)
            for count in [*counts, *across]
        ],
        columns=list(REPORT_COLUMNS),
    )


def table_rule_counts(name: str, table: ir.Table) -> list[RuleCount]:
    """Count the rows that break each value rule and the key of one table.

    All value rules go into one aggregate; only a broken rule costs a second query, for examples.
    """
    schema = SCHEMAS[name]
    rules = [*_column_rules(schema, table), *_row_rules(name, table)]
    aggregates = {f"rule_{i}": rule.is_broken.sum() for i, rule in enumerate(rules)}
    found = table.aggregate(rows=table.count(), **aggregates).to_pyarrow().to_pylist()[0]
    rows = int(found["rows"])
    counts = [RuleCount(name, "*", "has rows", rows, int(rows == 0))]
    for i, rule in enumerate(rules):
        failed = int(found[f"rule_{i}"] or 0)
        examples = examples_of(table.filter(rule.is_broken), list(rule.shown)) if failed else ()
        counts.append(RuleCount(name, rule.column, rule.text, rows, failed, examples))
    if schema.unique:
        counts.append(_key_count(name, table, list(schema.unique), rows))
    return counts


def _refuse_wrong_structure(name: str, table: ir.Table) -> None:
    """Let Pandera's Ibis backend check columns and types; it reads no rows for that."""
    with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
        try:
            SCHEMAS[name].validate(table, lazy=True)
        except SchemaErrors as errors:
            found = ", ".join(f"`{column}` {dtype}" for column, dtype in table.schema().items())
            broken = "; ".join(str(error) for error in errors.schema_errors)
            raise ContractError(
                f"`{name}` must have the columns and types of its contract: {broken}. "
                f"Found: {found}."
            ) from errors


def _column_rules(schema: pa.DataFrameSchema, table: ir.Table) -> Iterator[_Broken]:
    for name, column in schema.columns.items():
        value = table[name]
        if not column.nullable and value.type().is_floating():
            broken = value.isnull() | value.isnan() | value.isinf()  # noqa: PD003 - Ibis
            yield _Broken(name, "is finite and not missing", (name,), broken)
        elif not column.nullable:
            yield _Broken(name, "is not missing", (name,), value.isnull())  # noqa: PD003 - Ibis
        for check in column.checks:
            text, holds = _CHECKS[check.name](value, check.statistics)
            yield _Broken(name, text, (name,), ~holds.fill_null(True))


def _row_rules(name: str, table: ir.Table) -> Iterator[_Broken]:
    for rule in ROW_RULES.get(name, ()):
        broken = ~rule.holds(table).fill_null(True)
        yield _Broken(rule.column, rule.text, rule.shown, broken)


def _at_least(value: Any, bounds: dict[str, Any]) -> tuple[str, ir.BooleanValue]:
    return f"is at least {bounds['min_value']}", value >= bounds["min_value"]


def _between(value: Any, bounds: dict[str, Any]) -> tuple[str, ir.BooleanValue]:
    low, high = bounds["min_value"], bounds["max_value"]
    return f"is within {low} to {high}", value.between(low, high)


def _one_of(value: Any, allowed: dict[str, Any]) -> tuple[str, ir.BooleanValue]:
    values = list(allowed["allowed_values"])
    return f"is one of {values}", value.isin(values)


#: Pandera's check -> the rule's text and its expression: the checks that the schemas use.
_CHECKS: Final[dict[str, Callable[[Any, dict[str, Any]], tuple[str, ir.BooleanValue]]]] = {
    "greater_than_or_equal_to": _at_least,
    "in_range": _between,
    "isin": _one_of,
}


def _key_count(name: str, table: ir.Table, key: list[str], rows: int) -> RuleCount:
    groups = table.group_by(key).aggregate(rows_of_key=table.count())
    repeated = groups.filter(groups.rows_of_key > 1)
    surplus = repeated.aggregate(n=(repeated.rows_of_key - 1).sum()).to_pyarrow()
    failed = int(surplus.column("n")[0].as_py() or 0)
    return RuleCount(
        name,
        ", ".join(key),
        "occurs once (unique key)",
        rows,
        failed,
        examples_of(repeated, key) if failed else (),
    )


def _refuse_broken(counts: Sequence[RuleCount]) -> None:
    broken = [count for count in counts if count.is_broken]
    if broken:
        raise ContractError("\n".join(count.message() for count in broken))
