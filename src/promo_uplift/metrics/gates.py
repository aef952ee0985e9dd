"""The effect in groups of predicted effect, all groups at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.fold_dependence import contrast_factor, group_factor
from promo_uplift.metrics.simultaneous import clustered_covariance, max_t_quantile

#: How the found effects go with the predicted ones from group to group.
Reading = Literal["rises", "not contradicted", "contradicted"]


@dataclass(frozen=True, slots=True)
class GroupEffects:
    """Effects found in groups of predicted effect.

    Attributes
    ----------
    table : DataFrame
        ``group, predicted_usd, effect_usd, se, ci_low, ci_high, band_low, band_high, n``; the last
        group is predicted to respond most. ``ci_*`` is pointwise, ``band_*`` holds all groups.
    difference : Interval
        Effect in the last group minus the first, pointwise.
    difference_se : float
        Its standard error.
    predicted_difference : float
        The same of the predictions.
    reading : str
        ``rises``: each group's effect is at least that of the group below it; ``contradicted``:
        somewhere it falls by more than all such differences at once allow for; ``not
        contradicted``: it falls somewhere, by no more than chance allows.
    """

    table: pd.DataFrame
    difference: Interval
    difference_se: float
    predicted_difference: float
    reading: Reading


def group_members(*, cate: FloatArray, fold: IntArray, n_groups: int) -> IntArray:
    """Group of each row by rank of its prediction **within its fold**, 0 is least, ``(n,)``.

    Rows with the same prediction are spread over neighbouring groups by their position, so a
    constant prediction gives groups that mean nothing.

    Raises
    ------
    MetricError
        If a fold has fewer rows than groups.
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
    return member


def group_effects(
    *,
    scores: FloatArray,
    cate: FloatArray,
    fold: IntArray,
    groups: IntArray,
    n_groups: int,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> GroupEffects:
    r"""Mean effect, USD per household, in groups of predicted effect (GATES).

    Groups are those of :func:`group_members`. Errors are by household sums, and hold that folds
    learn from each other (:func:`promo_uplift.metrics.fold_dependence.group_factor`). The bands
    are :math:`\hat\gamma_g \pm c\,\widehat{se}_g`, with :math:`c` the quantile of the largest
    :math:`|t|` of all groups under their joint normal distribution.

    Parameters
    ----------
    scores, cate : float64 (n,)
        Doubly robust scores and held-out predicted effect, USD per household.
    fold, groups : int64 (n,)
        Fold and household of each row.
    n_groups : int
        Number of groups, at least 2; 5 for quintiles.
    level : float
        Confidence level.
    draws : int
        Gaussian draws behind the bands.
    rng : Generator
        Their source.

    Raises
    ------
    MetricError
        If a fold has fewer rows than groups, or there are fewer than two households.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), arXiv:1712.04802.
    """
    member = group_members(cate=cate, fold=fold, n_groups=n_groups)
    inside = member[:, None] == np.arange(n_groups)
    size = inside.sum(axis=0)
    effect = scores @ inside / size
    predicted = cate @ inside / size
    influence = inside * (scores[:, None] - effect) / size
    covariance = clustered_covariance(influence=influence, groups=groups)
    factor = np.array(
        [group_factor(low=g / n_groups, high=(g + 1) / n_groups) for g in range(n_groups)]
    )
    se = factor * np.sqrt(np.diag(covariance))
    half = float(norm.ppf(0.5 + level / 2.0))
    band = max_t_quantile(covariance=covariance, level=level, draws=draws, rng=rng)
    table = pd.DataFrame(
        {
            "group": np.arange(1, n_groups + 1),
            "predicted_usd": predicted,
            "effect_usd": effect,
            "se": se,
            "ci_low": effect - half * se,
            "ci_high": effect + half * se,
            "band_low": effect - band * se,
            "band_high": effect + band * se,
            "n": size,
        }
    )
    difference = float(effect[-1] - effect[0])
    outer = np.zeros(n_groups)
    outer[0], outer[-1] = -1.0, 1.0
    difference_se = contrast_factor(share=1.0 / n_groups) * float(
        np.sqrt(outer @ covariance @ outer)
    )
    return GroupEffects(
        table=table,
        difference=Interval(
            difference, difference - half * difference_se, difference + half * difference_se
        ),
        difference_se=difference_se,
        predicted_difference=float(predicted[-1] - predicted[0]),
        reading=_reading(effect, covariance, factor, level, draws, rng),
    )


def _reading(
    effect: FloatArray,
    covariance: FloatArray,
    factor: FloatArray,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Reading:
    """Judge the steps from group to group, each against its error; all of them at once."""
    steps = np.diff(effect)
    if (steps >= 0.0).all():
        return "rises"
    step = np.diff(np.eye(len(effect)), axis=0)
    spread = step @ (covariance * np.outer(factor, factor)) @ step.T
    # one-sided at 1 - level is two-sided at twice that
    reach = max_t_quantile(covariance=spread, level=2.0 * level - 1.0, draws=draws, rng=rng)
    falls = steps + reach * np.sqrt(np.diag(spread)) < 0.0
    return "contradicted" if falls.any() else "not contradicted"
