"""PU-HONEST: the effect survives trends as uneven as those before it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import require
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class HonestBreakdown:
    """How uneven trends may become before the effect's interval holds 0.

    Attributes
    ----------
    value : float
        Largest violation after the start, as a multiple of the largest one before it, at which
        the interval still excludes 0; NaN where it holds 0 even without any.
    largest_tried : float
        Largest multiple tried; ``value`` may exceed it.
    """

    value: float
    largest_tried: float

    @classmethod
    def of(cls, table: pd.DataFrame) -> HonestBreakdown:
        """Read the breakdown off robust intervals.

        Parameters
        ----------
        table : DataFrame
            ``m`` (multiple, 0 included), ``ci_low``, ``ci_high``: one row per multiple.

        Raises
        ------
        CheckError
            If it has no rows or lacks a column.

        References
        ----------
        Rambachan & Roth (2023), Review of Economic Studies 90(5) (relative magnitudes).
        """
        rows = require(table, ["m", "ci_low", "ci_high"], name="table").sort_values("m")
        holds_zero = ((rows["ci_low"] <= 0.0) & (rows["ci_high"] >= 0.0)).to_numpy()
        multiples = rows["m"].to_numpy(dtype=float)
        first = int(holds_zero.argmax()) if holds_zero.any() else len(rows)
        return cls(
            value=float(multiples[first - 1]) if first else float("nan"),
            largest_tried=float(multiples[-1]),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the breakdown value against the least that is required."""
    found, least = evidence.need(HonestBreakdown), parameters.min_honest_breakdown
    rule = f"the interval excludes 0 with violations up to {least:g} x the largest before the start"
    if found.value != found.value:
        return Finding.nothing(
            rule=rule,
            sentence="Even with exactly parallel trends the interval holds 0: no effect to break.",
        )
    return Finding(
        rule=rule,
        value=found.value,
        threshold=least,
        passed=found.value >= least,
        sentence=(
            f"The effect stays apart from 0 as long as trends after the start differ by at most "
            f"{found.value:g} x the largest difference seen before it; {least:g} x is required."
        ),
    )


CHECK = Check(
    code="PU-HONEST",
    title="The effect survives uneven trends",
    family="estimate",
    needs=(HonestBreakdown,),
    look=_look,
)
