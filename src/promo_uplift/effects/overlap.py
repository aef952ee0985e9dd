"""Can the two arms be compared at all: how well covariates tell the mailed from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class OverlapSummary:
    """How far the arms share the same households.

    Attributes
    ----------
    propensity_auc : float
        Area under the ROC curve of held-out propensities, within folds; .5 = a coin.
    overlap_share : float
        Share of rows with an unclipped propensity in ``[low, high]``.
    clipped_share : float
        Share of rows whose propensity was moved by clipping.
    low, high : float
        Bounds of the overlap.
    n_rows : int
        Rows.
    """

    propensity_auc: float
    overlap_share: float
    clipped_share: float
    low: float
    high: float
    n_rows: int


def overlap_summary(
    *,
    treatment: IntArray,
    raw_propensity: FloatArray,
    n_clipped: int,
    fold: IntArray,
    low: float,
    high: float,
) -> OverlapSummary:
    """Summarise the overlap of the arms (AUC and shares, without unit).

    Parameters
    ----------
    treatment : int64 (n,)
        1 = mailed.
    raw_propensity : float64 (n,)
        Held-out propensity before clipping.
    n_clipped : int
        Rows that clipping moved.
    fold : int64 (n,)
        Fold of each row: one fold's propensities come from one model, so the AUC is taken within
        folds and averaged by size.
    low, high : float
        Bounds of the overlap.

    Raises
    ------
    MetricError
        If a fold holds one arm only.
    """
    area = 0.0
    for number in np.unique(fold):
        rows = fold == number
        area += rows.mean() * _auc(treatment[rows], raw_propensity[rows], int(number))
    inside = (raw_propensity >= low) & (raw_propensity <= high)
    return OverlapSummary(
        propensity_auc=float(area),
        overlap_share=float(inside.mean()),
        clipped_share=n_clipped / len(treatment),
        low=low,
        high=high,
        n_rows=len(treatment),
    )


def _auc(treatment: IntArray, propensity: FloatArray, fold: int) -> float:
    treated = treatment == 1
    n_treated, n_control = int(treated.sum()), int((~treated).sum())
    if not n_treated or not n_control:
        raise MetricError(
            f"`treatment` must hold both arms in each fold; fold {fold} has {n_treated} mailed and "
            f"{n_control} other rows. Use fewer folds."
        )
    ranks = float(rankdata(propensity)[treated].sum())
    return (ranks - n_treated * (n_treated + 1) / 2.0) / (n_treated * n_control)
