"""How well each learner ranks households, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.calibration import calibration_slope
from promo_uplift.metrics.folds import (
    FoldRows,
    fold_rows,
    validate_rankings,
    with_expected_random,
)
from promo_uplift.metrics.gain import (
    REPLICATES_AT_ONCE,
    autoc,
    auuc,
    block_gains,
    gain_at,
    rank_rows,
)

#: Rankings without a claim on an effect's size: every learner is compared with both, and their
#: own calibration slope is undefined.
RANKING_BASELINES = ("random", "response")


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Ranking figures of every learner on held-out folds.

    Attributes
    ----------
    figures : dict of dict of Interval
        ``figures[learner][name]``; names are ``auuc``, ``qini``, ``autoc``, ``uplift_at_<percent>``
        (USD per household), ``calibration_slope``, and ``auuc_minus_random``,
        ``auuc_minus_response``, ``qini_minus_random``, ``qini_minus_response`` (paired).
    ate : Interval
        Mean score: effect of mailing everybody, USD per household.
    n_rows, n_households, replicates : int
        Size of the evaluation and of the bootstrap.
    level : float
        Confidence level of every interval.
    """

    figures: dict[str, dict[str, Interval]]
    ate: Interval
    n_rows: int
    n_households: int
    replicates: int
    level: float


def share_label(share: float) -> str:
    """Return the name of uplift at a share: ``uplift_at_10``, ``uplift_at_2_5``.

    Examples
    --------
    >>> share_label(0.025)
    'uplift_at_2_5'
    """
    return "uplift_at_" + f"{100.0 * share:.6g}".replace(".", "_")


def ranking_metrics(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> RankingMetrics:
    r"""Ranking figures of each learner, USD per household, with household-bootstrap intervals.

    With rows ranked **within** each held-out fold, highest first, :math:`Q(q)` is the mean score
    of the top :math:`q` per household of the whole fold. AUUC :math:`= \int Q`, Qini
    :math:`= \int (Q(q) - q\,Q(1))`, AUTOC :math:`= \int (Q(q)/q - Q(1))`, uplift at k
    :math:`= Q(k)/k`. Folds are averaged by size; ties count as the mean over their orders.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances, USD per household.
    rankings : mapping of str to float64 (n,)
        Held-out predicted effect (or ranking score) of each learner; must hold ``random`` and
        ``response``. ``random`` is judged by its exact expectation over all orders (AUUC half of
        the ATE, Qini 0), not by the one order that it happened to draw.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : MetricParameters
        Shares, level, replicates.
    rng : Generator
        Draws the households once, for all learners: differences are paired.

    Raises
    ------
    MetricError
        If a baseline is missing or the inputs are not finite, of one shape, or folds split a
        household.

    Notes
    -----
    Scope: valid for observational data as far as the nuisances are; the interval is conditional on
    nuisances and predictions, which the bootstrap does not fit again.

    References
    ----------
    Radcliffe (2007), Direct Marketing Analytics Journal 3; Gutierrez & Gerardy (2017), PMLR 67;
    Yadlowsky et al. (2025), JASA 120(549), arXiv:2111.07966.
    """
    validate_rankings(scores=scores, rankings=rankings, fold=fold, groups=groups)
    missing = [name for name in RANKING_BASELINES if name not in rankings]
    if missing:
        raise MetricError(
            f"`rankings` must hold the baselines {list(RANKING_BASELINES)}; missing: {missing}. "
            f"Found {sorted(rankings)}. Add them to the learners."
        )
    rankings = with_expected_random(rankings)
    draws = household_draws(groups=groups, replicates=parameters.bootstrap_replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    values = {
        name: ranking_replicates(
            scores=scores, ranking=ranking, folds=folds, uplift_shares=parameters.uplift_shares
        )
        for name, ranking in rankings.items()
    }
    for name, ranking in rankings.items():
        values[name]["calibration_slope"] = (
            np.full(1 + parameters.bootstrap_replicates, np.nan)
            if name in RANKING_BASELINES
            else calibration_slope(scores=scores, cate=ranking, folds=folds)
        )
    for name in rankings:
        for figure in ("auuc", "qini"):
            for baseline in RANKING_BASELINES:
                values[name][f"{figure}_minus_{baseline}"] = (
                    values[name][figure] - values[baseline][figure]
                )
    mean = sum(_part_mean(scores, part) for part in folds)
    level = parameters.level
    return RankingMetrics(
        figures={
            name: {
                figure: percentile_interval(values=replicates, level=level)
                for figure, replicates in by_figure.items()
            }
            for name, by_figure in values.items()
        },
        ate=percentile_interval(values=np.asarray(mean), level=level),
        n_rows=len(scores),
        n_households=draws.n_households,
        replicates=parameters.bootstrap_replicates,
        level=level,
    )


def _part_mean(scores: FloatArray, part: FoldRows) -> FloatArray:
    total = part.weights.sum(axis=0)
    mean: FloatArray = part.part * (scores[part.rows] @ part.weights)
    return mean / np.where(total > 0.0, total, 1.0)


def ranking_replicates(
    *,
    scores: FloatArray,
    ranking: FloatArray,
    folds: Sequence[FoldRows],
    uplift_shares: Sequence[float],
) -> dict[str, FloatArray]:
    """Ranking figures of one learner on the sample and on each replicate, each ``(R,)``.

    USD per household; see :func:`ranking_metrics` for the definitions.
    """
    replicates = folds[0].weights.shape[1]
    names = ["auuc", "qini", "autoc", *(share_label(share) for share in uplift_shares)]
    sums = {name: np.zeros(replicates) for name in names}
    for part in folds:
        gamma, rows_ranking = scores[part.rows], ranking[part.rows]
        for first in range(0, replicates, REPLICATES_AT_ONCE):
            some = slice(first, first + REPLICATES_AT_ONCE)
            fold_part = part.part[some]
            ranked = rank_rows(ranking=rows_ranking, weights=part.weights[:, some])
            gains = block_gains(ranked=ranked, scores=gamma)
            area = auuc(ranked=ranked, gains=gains)
            sums["auuc"][some] += fold_part * area
            sums["qini"][some] += fold_part * (area - 0.5 * gains.sum(axis=0))
            sums["autoc"][some] += fold_part * autoc(ranked=ranked, gains=gains)
            for share in uplift_shares:
                top = gain_at(ranked=ranked, gains=gains, share=share) / share
                sums[share_label(share)][some] += fold_part * top
    return sums
