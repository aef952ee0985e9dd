"""What a checked rule leaves: how many rows it saw, how many broke it, and examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import ibis.expr.types as ir

MAX_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule of one table, counted.

    Attributes
    ----------
    table, column, rule : str
        Where the rule holds (``*`` for the whole table) and what it says.
    rows_checked, rows_failed : int
        Rows that the rule looked at, and rows that broke it.
    examples : tuple of str
        Up to five broken values, distinct.
    tolerated_share : float
        Share of rows that may break the rule.
    hint : str
        What may have happened, and what to do.
    """

    table: str
    column: str
    rule: str
    rows_checked: int
    rows_failed: int
    examples: tuple[str, ...] = ()
    tolerated_share: float = 0.0
    hint: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether more rows break the rule than it tolerates."""
        return self.rows_failed > self.tolerated_share * self.rows_checked

    def message(self) -> str:
        """Return the refusal: table, column, rule, count, examples and hint."""
        examples = f", e.g. {'; '.join(self.examples)}" if self.examples else ""
        hint = f" {self.hint}" if self.hint else ""
        return (
            f"`{self.table}.{self.column}` breaks the rule '{self.rule}': "
            f"{self.rows_failed} of {self.rows_checked} rows{examples}.{hint}"
        )


def examples_of(broken: ir.Table, columns: list[str]) -> tuple[str, ...]:
    """Return up to five distinct broken values, in order, as text."""
    shown = broken.select(columns).distinct().order_by(columns).limit(MAX_EXAMPLES)
    return tuple(
        ", ".join(f"{column}={value}" for column, value in row.items())
        for row in shown.to_pyarrow().to_pylist()
    )


def looks_swapped(
    *, table: ir.Table, column: str, other: str, parent: ir.Table, parent_column: str, failed: int
) -> str:
    """Return a hint where ``other`` fits the parent's ids better than ``column`` does."""
    ids = parent.select(parent_column).distinct()
    swapped = table.anti_join(ids, table[other] == ids[parent_column])
    if int(swapped.count().to_pyarrow().as_py()) >= failed:
        return ""
    return f"`{column}` and `{other}` look swapped: exchange the two columns in the file."
