"""PU-SEGMENTS: segments can be told apart, cover everybody, and no loss is kept going."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

#: Names that a finding spells out.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class SegmentActions:
    """Segments and what is to be done with each.

    Attributes
    ----------
    table : DataFrame
        ``name, share, action, profit, profit_ci_low, profit_ci_high``, one row per segment; profit
        of contacting one member, USD.
    """

    table: pd.DataFrame

    @classmethod
    def of(cls, table: pd.DataFrame) -> SegmentActions:
        """Take a table of segments.

        Parameters
        ----------
        table : DataFrame
            ``name, share, action, profit``, and ``profit_ci_low, profit_ci_high``; without an
            interval the profit is taken at its word.

        Raises
        ------
        CheckError
            If a column or a value is missing.
        """
        columns = ["name", "share", "action", "profit"]
        if missing := [column for column in columns if column not in table]:
            raise CheckError(f"`table` must have the columns {columns}; missing {missing}.")
        bounds = {
            column: table[column] if column in table else table["profit"]
            for column in ("profit_ci_low", "profit_ci_high")
        }
        whole = table[columns].assign(**bounds).reset_index(drop=True)
        if whole.isna().any(axis=None):
            raise CheckError(
                "`table` must have no missing value; found some in "
                f"{whole.columns[whole.isna().any()].tolist()}."
            )
        return cls(whole)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    table = evidence.need(SegmentActions).table
    twice = sorted({str(name) for name in table["name"][table["name"].duplicated()]})
    total = float(table["share"].sum())
    idle = {action.casefold() for action in parameters.idle_actions}
    spends = ~table["action"].astype(str).str.strip().str.casefold().isin(idle)
    losing = table[spends & (table["profit_ci_high"] < 0.0)]
    found = []
    if twice:
        found.append(f"several segments are called {', '.join(twice[:SHOWN])}")
    if not np.isclose(total, 1.0, rtol=0.0, atol=parameters.share_rounding):
        found.append(f"their shares add up to {total:.3f}")
    if len(losing):
        row = losing.iloc[0]
        found.append(
            f"{len(losing)} lose money and are contacted, e.g. {row['name']}: {row['action']} at "
            f"{row['profit']:+.2f} USD ({row['profit_ci_low']:+.2f} to "
            f"{row['profit_ci_high']:+.2f}) each"
        )
    return Finding(
        rule="segments have names of their own, shares that add to 1, and none is kept at a loss",
        value=float(len(twice) + len(losing)) if twice or len(losing) else abs(total - 1.0),
        threshold=0.0 if twice or len(losing) else parameters.share_rounding,
        passed=not found,
        sentence=f"Of {len(table)} segments, {'; '.join(found)}."
        if found
        else f"{len(table)} segments, each with a name of its own; none is contacted at a loss.",
    )


CHECK = Check(
    code="PU-SEGMENTS",
    title="Segments and their actions agree",
    family="report",
    needs=(SegmentActions,),
    look=_look,
)
