"""What one ranking adds to another in AUUC, paired, on the households that judge both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import QINI_FACTOR, widened
from promo_uplift.metrics.folds import FoldRows, fold_rows, validate_rankings
from promo_uplift.metrics.gain import areas, rank_rows


def auuc_differences(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    pairs: Mapping[str, tuple[str, str]],
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """AUUC of one ranking minus that of another, USD per household, each with its interval.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances, USD per household.
    rankings : mapping of str to float64 (n,)
        Held-out effects, by name.
    pairs : mapping of str to (str, str)
        Name of each difference, and of the two rankings: the first minus the second.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : MetricParameters
        Level and replicates.
    rng : Generator
        Draws the households once, for all rankings.

    Raises
    ------
    MetricError
        If inputs are not finite, of one shape, or folds split a household.

    Notes
    -----
    Intervals take predictions as given and are widened for the dependence between folds, like
    those of :func:`promo_uplift.metrics.ranking.ranking_metrics`; two equal rankings differ by 0
    with the interval (0, 0).
    """
    validate_rankings(scores=scores, rankings=rankings, fold=fold, groups=groups)
    draws = household_draws(groups=groups, replicates=parameters.bootstrap_replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    auucs = {
        name: sum((_area(scores, ranking, part) for part in folds), start=np.zeros(1))
        for name, ranking in rankings.items()
    }
    return {
        name: percentile_interval(
            values=widened(values=auucs[first] - auucs[second], factor=QINI_FACTOR),
            level=parameters.level,
        )
        for name, (first, second) in pairs.items()
    }


def _area(scores: FloatArray, ranking: FloatArray, part: FoldRows) -> FloatArray:
    """Share of one fold in the AUUC, on the sample and on each replicate."""
    gamma = scores[part.rows]
    ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
    auuc, _ = areas(ranked=ranked, scores=gamma)
    return np.asarray(part.part * auuc)
