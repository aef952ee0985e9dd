"""PU-BOUNDS: bounds hold the estimate they bound, come from its model, and bound something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray

#: Fewer rows cannot show that a width is a constant multiple.
MIN_ROWS = 3


@dataclass(frozen=True, slots=True)
class EffectBounds:
    """Estimates and what is said to bound them, in one unit.

    Attributes
    ----------
    estimate, low, high : float64 (n,)
        Estimates, of rows or averages, and their bounds.
    estimated_by, bounded_by : str
        Models behind the estimates and behind the bounds; empty where not said.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    estimated_by: str = ""
    bounded_by: str = ""

    @classmethod
    def of(
        cls,
        estimate: float,
        low: float,
        high: float,
        *,
        estimated_by: str = "",
        bounded_by: str = "",
    ) -> EffectBounds:
        """Bounds of one estimate."""
        return cls(
            np.array([float(estimate)]),
            np.array([float(low)]),
            np.array([float(high)]),
            estimated_by,
            bounded_by,
        )


def _width_variation(bounds: EffectBounds) -> float:
    """Coefficient of variation of the width over the middle; infinite where none can be told."""
    middle = (bounds.low + bounds.high) / 2.0
    width = np.abs(bounds.high - bounds.low)
    known = np.isfinite(middle) & np.isfinite(width) & (middle != 0.0)
    if known.sum() < MIN_ROWS or np.ptp(np.abs(middle[known])) == 0.0:
        return float("inf")
    relative = width[known] / np.abs(middle[known])
    return float(relative.std() / relative.mean()) if relative.mean() > 0.0 else 0.0


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    least = parameters.min_bound_width_variation
    words, bounds = evidence.wording, evidence.need(EffectBounds)
    inside = (bounds.low <= bounds.estimate) & (bounds.estimate <= bounds.high)
    outside, n = int((~inside).sum()), len(inside)
    variation = _width_variation(bounds)
    found = []
    if outside:
        row = int(np.flatnonzero(~inside)[0])
        found.append(
            f"{outside:,} of {n:,} estimates lie outside their bounds, e.g. "
            f"{words.amount(float(bounds.estimate[row]))} outside "
            f"{words.number(float(bounds.low[row]))} to {words.number(float(bounds.high[row]))}"
        )
    if bounds.estimated_by != bounds.bounded_by:
        found.append(
            f"{bounds.bounded_by or 'nobody says which model'} bounds what "
            f"{bounds.estimated_by or 'nobody says which model'} estimates"
        )
    if variation < least:
        found.append("each bound is the same percentage around a point, whatever the data say")
    return Finding(
        rule=(
            "bounds hold their estimates, come from the same model, and are no fixed percentage of "
            f"them (relative width varies by >= {least:g})"
        ),
        value=outside / n,
        threshold=0.0,
        passed=not found,
        sentence=(
            "; ".join(found) + "."
            if found
            else f"All {n:,} estimates lie inside bounds of their own model."
        ),
    )


CHECK = Check(
    code="PU-BOUNDS",
    title="Bounds bound their estimate",
    family="report",
    needs=(EffectBounds,),
    look=_look,
)
