"""PU-INTERVAL: every published effect has an error and a finite interval that holds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

#: Columns that are looked at; any other may name the row.
COLUMNS = ("estimate", "se", "ci_low", "ci_high")


@dataclass(frozen=True, slots=True)
class PublishedEffects:
    """Effects as they are published.

    Attributes
    ----------
    table : DataFrame
        ``name, estimate, se, ci_low, ci_high``, one row per published effect.
    n_withheld : int
        Effects that are not published, each with a reason.
    """

    table: pd.DataFrame
    n_withheld: int = 0

    @classmethod
    def of(cls, table: pd.DataFrame) -> PublishedEffects:
        """Take a table of effects, e.g. of ``estimates_table``; a row with a ``reason`` is none.

        Parameters
        ----------
        table : DataFrame
            ``estimate, se, ci_low, ci_high``; ``name``, else the text columns, say of what.

        Raises
        ------
        CheckError
            If a column is missing or the table is empty.
        """
        if (missing := [name for name in COLUMNS if name not in table]) or table.empty:
            raise CheckError(
                f"`table` must have rows and the columns {list(COLUMNS)}; missing {missing}, rows "
                f"{len(table)}."
            )
        withheld = (
            table["reason"].fillna("").ne("")
            if "reason" in table
            else pd.Series(False, index=table.index)
        )
        texts = [
            column
            for column in table.columns
            if column not in (*COLUMNS, "reason") and pd.api.types.is_string_dtype(table[column])
        ]
        names = (
            table["name"].astype(str)
            if "name" in table
            else table[texts].astype(str).agg(" ".join, axis=1)
            if texts
            else table.index.astype(str).to_series(index=table.index)
        )
        numbers = table[list(COLUMNS)].astype(np.float64)
        published = numbers.assign(name=names)[["name", *COLUMNS]][~withheld]
        return cls(published.reset_index(drop=True), int(withheld.sum()))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    fact = evidence.need(PublishedEffects)
    table = fact.table
    finite = np.isfinite(table[list(COLUMNS)].to_numpy(dtype=np.float64)).all(axis=1)
    holds = (table["ci_low"] <= table["estimate"]) & (table["estimate"] <= table["ci_high"])
    broken = ~(finite & holds & (table["se"] > 0.0))
    withheld = f" ({fact.n_withheld:,} are withheld, with a reason)" if fact.n_withheld else ""
    if broken.any():
        row = table[broken].iloc[0]
        sentence = (
            f"{int(broken.sum()):,} of {len(table):,} published effects have no error above 0 or no"
            f" finite interval around them, e.g. {row['name']}: {row['estimate']:g}, error "
            f"{row['se']:g}, {row['ci_low']:g} to {row['ci_high']:g}."
        )
    else:
        sentence = f"All {len(table):,} published effects have an error and an interval{withheld}."
    return Finding(
        rule="every published effect has an error above 0 and a finite interval that holds it",
        value=float(broken.sum()),
        threshold=0.0,
        passed=not broken.any(),
        sentence=sentence,
    )


CHECK = Check(
    code="PU-INTERVAL",
    title="No effect without an interval",
    family="report",
    needs=(PublishedEffects,),
    look=_look,
)
