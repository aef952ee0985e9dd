"""Is a predicted dollar of effect a dollar? The calibration slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.metrics.folds import FoldRows


def calibration_slope(
    *, scores: FloatArray, cate: FloatArray, folds: Sequence[FoldRows]
) -> FloatArray:
    r"""Slope of the scores on the predicted effect, USD per USD, ``(R,)``; 1 is perfect.

    Best linear predictor: least squares of the doubly robust scores on the CATE centred **within
    its fold**, one slope for all folds. Undefined (NaN) for a CATE that is constant in each fold.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores, USD per household.
    cate : float64 (n,)
        Held-out predicted effect, USD per household.
    folds : sequence of FoldRows
        Rows and replicate weights of each fold.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), arXiv:1712.04802.
    """
    replicates = len(folds[0].part)
    if all(np.ptp(cate[part.rows]) == 0.0 for part in folds):
        return np.full(replicates, np.nan)
    covariance = np.zeros(replicates)
    variance = np.zeros(replicates)
    for part in folds:
        # shifting by the unweighted fold mean keeps the sums below from cancelling
        shifted = cate[part.rows] - cate[part.rows].mean()
        gamma = scores[part.rows]
        first, second, product, square = part.weights.sums(
            np.stack([shifted, gamma, shifted * gamma, shifted**2])
        )
        covariance += product - first * second / part.weights.divisor
        variance += square - first**2 / part.weights.divisor
    defined = variance > 0.0
    slope: FloatArray = np.where(defined, covariance / np.where(defined, variance, 1.0), np.nan)
    return slope
