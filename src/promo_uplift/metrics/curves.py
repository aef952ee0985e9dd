"""Gain curves with pointwise bands, as a table for figures and reports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import household_draws
from promo_uplift.metrics.folds import fold_rows, validate_rankings, with_expected_random
from promo_uplift.metrics.gain import gain_curve, rank_rows


def uplift_curves(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    shares: FloatArray,
    level: float,
    replicates: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Gain ``Q(q)``, USD per household of the population, of each ranking, with pointwise bands.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores, USD per household.
    rankings : mapping of str to float64 (n,)
        Held-out rankings; ranked within each fold. ``random`` is drawn as its expectation.
    fold, groups : int64 (n,)
        Fold and household of each row.
    shares : float64 (s,)
        Shares targeted, in [0, 1].
    level : float
        Confidence level of the bands.
    replicates : int
        Household-bootstrap replicates, the same draws for every ranking.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        ``learner, share, gain_usd, ci_low, ci_high``.

    Raises
    ------
    MetricError
        As :func:`promo_uplift.metrics.ranking_metrics`.
    """
    validate_rankings(scores=scores, rankings=rankings, fold=fold, groups=groups)
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    tables = []
    for name, ranking in with_expected_random(rankings).items():
        curve = np.zeros((len(shares), 1 + replicates))
        for part in folds:
            ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
            curve += part.part * gain_curve(ranked=ranked, scores=scores[part.rows], shares=shares)
        low, high = np.quantile(curve[:, 1:], tails, axis=1, method="weibull")
        tables.append(
            pd.DataFrame(
                {
                    "learner": name,
                    "share": shares,
                    "gain_usd": curve[:, 0],
                    "ci_low": low,
                    "ci_high": high,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
