"""The two choices a policy consists of, repeated in every bootstrap replicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.folds import FoldRows
from promo_uplift.metrics.gain import gain_curve, rank_rows


@dataclass(frozen=True, slots=True)
class Choice:
    """Learner and share read off the same folds that they are valued on, per replicate.

    Attributes
    ----------
    learner : int64 (R,)
        Position of the learner that the one-standard-error rule chooses.
    share : float64 (R,)
        Its profit-maximising share.
    profit, cost : float64 (R,)
        Its profit and cost at that share, USD per household.
    optimistic : float64 (R,)
        Highest profit over all learners and shares.
    max_ratio_share, max_ratio : float
        Share above 0 with the highest profit over cost, and that ratio, on the sample.
    """

    learner: IntArray
    share: FloatArray
    profit: FloatArray
    cost: FloatArray
    optimistic: FloatArray
    max_ratio_share: float
    max_ratio: float


def profit_curves(
    *,
    profit: FloatArray,
    ranking: FloatArray,
    folds: Sequence[FoldRows],
    shares: FloatArray,
    replicates: IntArray,
) -> FloatArray:
    r"""Profit :math:`\Pi(q)` of contacting the top :math:`q`, USD per household, ``(S, r)``.

    Ranked within each fold, folds averaged by their weight in each replicate.

    Parameters
    ----------
    profit : float64 (n,)
        Scores in USD per contacted household.
    ranking : float64 (n,)
        Predicted effect or score.
    folds : sequence of FoldRows
        Folds to average over.
    shares : float64 (S,)
        Shares contacted.
    replicates : int64 (r,)
        Replicates to compute.
    """
    curve = np.zeros((len(shares), len(replicates)))
    total = np.zeros(len(replicates))
    for part in folds:
        ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights.only(replicates))
        weight = part.part[replicates]
        curve += weight * gain_curve(ranked=ranked, scores=profit[part.rows], shares=shares)
        total += weight
    return curve / total
