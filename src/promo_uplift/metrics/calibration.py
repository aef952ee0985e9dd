"""Is a predicted dollar of effect a dollar? The calibration slope and effects by quintile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.metrics.fold_dependence import group_factor
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


def group_effects(
    *,
    scores: FloatArray,
    cate: FloatArray,
    fold: IntArray,
    groups: IntArray,
    n_groups: int,
    level: float,
) -> pd.DataFrame:
    """Mean effect, USD per household, in groups of predicted effect (GATES).

    Groups are cut within each held-out fold by rank of the predicted effect (group ``n_groups``
    is predicted to respond most). Rows with the same prediction are spread over neighbouring
    groups by their position, so a constant prediction gives groups that mean nothing. Standard
    errors hold that folds learn from each other (:func:`promo_uplift.metrics.fold_dependence.
    group_factor`).

    Parameters
    ----------
    scores, cate : float64 (n,)
        Doubly robust scores and held-out predicted effect, USD per household.
    fold, groups : int64 (n,)
        Fold and household of each row.
    n_groups : int
        Number of groups, 5 for quintiles.
    level : float
        Confidence level. ``ci_*`` is pointwise, ``band_*`` holds for all groups at once
        (Bonferroni).

    Returns
    -------
    DataFrame
        ``group, predicted_usd, effect_usd, se, ci_low, ci_high, band_low, band_high, n``.

    Raises
    ------
    MetricError
        If a fold has fewer rows than groups.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), arXiv:1712.04802.
    """
    member = np.zeros(len(cate), dtype=np.int64)
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        if len(rows) < n_groups:
            raise MetricError(
                f"`n_groups` must not exceed the rows of a fold: fold {number} has {len(rows)} "
                f"rows for {n_groups} groups."
            )
        position = np.empty(len(rows), dtype=np.int64)
        position[np.argsort(cate[rows], kind="stable")] = np.arange(len(rows))
        member[rows] = position * n_groups // len(rows)
    simultaneous = float(norm.ppf(1.0 - (1.0 - level) / (2.0 * n_groups)))
    table = []
    for group in range(n_groups):
        rows = np.flatnonzero(member == group)
        mean = clustered_mean(values=scores[rows], groups=groups[rows])
        factor = group_factor(low=group / n_groups, high=(group + 1) / n_groups)
        mean = replace(mean, se=factor * mean.se)
        interval = mean.interval(level=level)
        table.append(
            {
                "group": group + 1,
                "predicted_usd": float(cate[rows].mean()),
                "effect_usd": mean.estimate,
                "se": mean.se,
                "ci_low": interval.ci_low,
                "ci_high": interval.ci_high,
                "band_low": mean.estimate - simultaneous * mean.se,
                "band_high": mean.estimate + simultaneous * mean.se,
                "n": mean.n,
            }
        )
    return pd.DataFrame(table)
