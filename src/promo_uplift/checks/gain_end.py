"""PU-GAIN: a gain curve contrasts with the controls, so that it ends at the adjusted effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects import clustered_mean


@dataclass(frozen=True, slots=True)
class GainCurveEnd:
    """Where a gain curve ends, and the effect at which it must, per row of the population.

    Attributes
    ----------
    end : float
        Gain of treating everybody, as the curve has it.
    effect, se : float
        Average effect adjusted for who was treated, and its standard error.
    """

    end: float
    effect: float
    se: float

    @classmethod
    def of(
        cls, *, share: FloatArray, gain: FloatArray, scores: FloatArray, groups: IntArray
    ) -> GainCurveEnd:
        """Compare a curve with the mean of doubly robust scores of the same rows.

        Parameters
        ----------
        share, gain : float64 (s,)
            Share treated, up to 1, and gain per row of the population there. A curve of sums is
            divided by the number of rows first.
        scores : float64 (n,)
            Doubly robust scores in the same unit.
        groups : int64 (n,)
            Household of each row.

        Raises
        ------
        CheckError
            If the curve does not reach share 1.
        """
        last = int(np.argmax(share))
        if not np.isclose(share[last], 1.0):
            raise CheckError(
                f"`share` must reach 1, where everybody is treated; found {share[last]:g} at most."
            )
        mean = clustered_mean(values=scores, groups=groups)
        return cls(float(gain[last]), mean.estimate, mean.se)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Distance of the curve's end from the adjusted effect, in errors of the latter."""
    limit = parameters.max_gain_end_errors
    words, curve = evidence.wording, evidence.need(GainCurveEnd)
    distance = abs(curve.end - curve.effect) / curve.se if curve.se > 0.0 else float("inf")
    passed = distance <= limit
    cause = (
        ""
        if passed
        else " A curve of raw outcomes or raw differences of arms ranks by who spends, not by who "
        "responds."
    )
    return Finding(
        rule=f"a gain curve ends at the adjusted average effect, within {limit:g} of its errors",
        value=distance,
        threshold=limit,
        passed=passed,
        sentence=(
            f"The gain curve ends at {words.amount(curve.end)}, the adjusted average effect is "
            f"{words.amount(curve.effect)} (error {words.size(curve.se)}): {distance:.1f} errors "
            f"apart, {limit:g} are allowed.{cause}"
        ),
    )


CHECK = Check(
    code="PU-GAIN",
    title="Gains contrast with controls",
    family="ranking",
    needs=(GainCurveEnd,),
    look=_look,
)
