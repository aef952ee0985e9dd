"""PU-CALIBRATION: predicted effects are effects: the slope on them holds 1, or excludes 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics import (
    HeterogeneityTest,
    calibration_slope,
    fold_rows,
    household_draws,
    percentile_interval,
)
from promo_uplift.metrics.fold_dependence import SLOPE_FACTOR, widened
from promo_uplift.metrics.heterogeneity import DOUBLY_ROBUST


@dataclass(frozen=True, slots=True)
class PredictedEffectSlope:
    """Slope of the doubly robust score on the held-out predicted effect, with its interval.

    Attributes
    ----------
    slope : Interval
        1 for a calibrated prediction, 0 for noise; NaN for one effect for all.
    """

    slope: Interval

    @classmethod
    def of(
        cls,
        *,
        scores: FloatArray,
        cate: FloatArray,
        fold: IntArray,
        groups: IntArray,
        level: float,
        replicates: int,
        seed: int,
    ) -> PredictedEffectSlope:
        """Slope with a household-bootstrap interval.

        Parameters
        ----------
        scores, cate : float64 (n,)
            Doubly robust scores and predicted effects, both of models that did not see the row.
        fold, groups : int64 (n,)
            Fold and household of each row.
        level : float
        replicates, seed : int
            Of the bootstrap; the interval is widened since folds learn from each other.
        """
        rng = np.random.default_rng(seed)
        folds = fold_rows(
            fold=fold, draws=household_draws(groups=groups, replicates=replicates, rng=rng)
        )
        slopes = calibration_slope(scores=scores, cate=cate, folds=folds)
        return cls(
            percentile_interval(values=widened(values=slopes, factor=SLOPE_FACTOR), level=level)
        )

    @classmethod
    def of_test(cls, *, test: HeterogeneityTest, learner: str) -> PredictedEffectSlope:
        """Return the slope that the test of heterogeneity found for one learner.

        Raises
        ------
        CheckError
            If the learner was not tested.
        """
        table = test.table
        rows = table[(table["learner"] == learner) & (table["regression"] == DOUBLY_ROBUST)]
        if rows.empty:
            raise CheckError(f"`learner` must be tested, found {sorted(set(table['learner']))}.")
        slope, low, high = rows[["slope", "slope_ci_low", "slope_ci_high"]].iloc[0]
        return cls(Interval(float(slope), float(low), float(high)))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Fail a slope whose interval misses 1 and does not lie above 0."""
    rule = "interval of the slope on predicted effects holds 1, or lies above 0"
    slope = evidence.need(PredictedEffectSlope).slope
    if not np.isfinite(slope.estimate):
        return Finding.nothing(rule=rule, sentence="One effect is predicted for all: no slope.")
    holds = slope.ci_low <= 1.0 <= slope.ci_high
    means = (
        "a predicted effect may be taken as it is"
        if holds and slope.ci_low > 0.0
        else "that they hold is not excluded, nor that the differences are not there"
        if holds
        else "predicted effects differ in the right direction, but not by as much as they say"
        if slope.ci_low > 0.0
        else "the predicted differences are not there"
    )
    return Finding(
        rule=rule,
        value=slope.estimate,
        threshold=1.0,
        passed=bool(holds or slope.ci_low > 0.0),
        sentence=(
            f"Where one more is predicted, {slope.estimate:.2f} more is found "
            f"({slope.ci_low:.2f} to {slope.ci_high:.2f}): {means}."
        ),
    )


CHECK = Check(
    code="PU-CALIBRATION",
    title="A predicted dollar is a dollar",
    family="ranking",
    needs=(PredictedEffectSlope,),
    look=_look,
)
