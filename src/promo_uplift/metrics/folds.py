"""Rankings are compared within a held-out fold only, and folds are then averaged by size.

Different folds have different models. Pooled raw predictions would rank whole folds against each
other: a constant prediction, the mean effect of the other folds, then ranks each fold by how far
its own mean lies below the rest, which is noise turned upside down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import HouseholdDraws
from promo_uplift.metrics.gain import Weights


@dataclass(frozen=True, slots=True)
class FoldRows:
    """One held-out fold: its rows and their weight in every replicate.

    Attributes
    ----------
    fold : int
        Number of the fold.
    rows : int64 (m,)
        Positions of its rows.
    weights : Weights
        Bootstrap weights of the rows; replicate 0 is the sample itself.
    part : float64 (R,)
        The fold's share of all weight: what it counts in an average over folds.
    """

    fold: int
    rows: IntArray
    weights: Weights
    part: FloatArray


def fold_rows(*, fold: IntArray, draws: HouseholdDraws) -> tuple[FoldRows, ...]:
    """Split rows and bootstrap weights by fold; ``part`` sums to 1 over the folds."""
    split = []
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        split.append((int(number), rows, Weights.of(code=draws.code[rows], counts=draws.counts)))
    total = np.sum([weights.total for _, _, weights in split], axis=0)
    return tuple(
        FoldRows(number, rows, weights, weights.total / total) for number, rows, weights in split
    )


def validate_rankings(
    *, scores: FloatArray, rankings: Mapping[str, FloatArray], fold: IntArray, groups: IntArray
) -> None:
    """Refuse inputs on which no ranking metric is defined.

    Raises
    ------
    MetricError
        If shapes differ, a value is not finite, there is no ranking, or a household lies in two
        folds.
    """
    if not rankings:
        raise MetricError("`rankings` must name at least one learner, got none.")
    named = {"scores": scores, **{f"rankings[{name!r}]": r for name, r in rankings.items()}}
    for name, values in named.items():
        if values.shape != fold.shape:
            raise MetricError(
                f"`{name}` must have one value per row, shape {fold.shape}, got {values.shape}."
            )
        broken = ~np.isfinite(values)
        if broken.any():
            raise MetricError(
                f"`{name}` must be finite; {int(broken.sum())} of {len(values)} values are not, "
                f"e.g. row {int(np.flatnonzero(broken)[0])}."
            )
    if groups.shape != fold.shape:
        raise MetricError(f"`groups` must have shape {fold.shape}, got {groups.shape}.")
    code, households = pd.factorize(groups)
    first = np.empty(len(households), dtype=fold.dtype)
    first[code[::-1]] = fold[::-1]
    split = np.unique(code[fold != first[code]])
    if len(split):
        raise MetricError(
            f"`fold` must be constant within a household; {len(split)} households lie "
            f"in several folds, e.g. {np.sort(households[split])[:3].tolist()}."
        )


def with_expected_random(rankings: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the rankings with ``random``, if it is among them, as one tie over all rows.

    Ties count as the mean over their orders, so a tie over all rows is a random order's exact
    expectation. One draw is noise that every paired difference would inherit.
    """
    return {
        name: np.zeros_like(ranking) if name == "random" else ranking
        for name, ranking in rankings.items()
    }
