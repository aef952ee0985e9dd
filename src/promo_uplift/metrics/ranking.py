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
from promo_uplift.metrics.fold_dependence import (
    AUUC_FACTOR,
    QINI_FACTOR,
    SLOPE_FACTOR,
    autoc_factor,
    group_factor,
    widened,
)
from promo_uplift.metrics.folds import (
    FoldRows,
    fold_rows,
    validate_rankings,
    with_expected_random,
)
from promo_uplift.metrics.gain import areas, autoc, gain_curve, rank_rows

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
    nuisances and predictions, which the bootstrap does not fit again. Folds learn from each other,
    so the intervals of rankings are widened: :mod:`promo_uplift.metrics.fold_dependence`.

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
    factors = _fold_dependence(uplift_shares=parameters.uplift_shares)
    ranks = {
        name: any(np.ptp(ranking[part.rows]) > 0.0 for part in folds)
        for name, ranking in rankings.items()
    }
    return RankingMetrics(
        figures={
            name: {
                figure: percentile_interval(
                    values=widened(values=replicates, factor=factors[figure])
                    if ranks[name] or "_minus_" in figure
                    else replicates,
                    level=level,
                )
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


def _fold_dependence(*, uplift_shares: Sequence[float]) -> dict[str, float]:
    """Widening of each figure's interval; a ranking that ties everybody learned nothing."""
    factors = {
        "auuc": AUUC_FACTOR,
        "qini": QINI_FACTOR,
        "autoc": autoc_factor(),
        "calibration_slope": SLOPE_FACTOR,
    }
    factors |= {
        share_label(share): group_factor(low=1.0 - share, high=1.0) for share in uplift_shares
    }
    return factors | {
        f"{figure}_minus_{baseline}": QINI_FACTOR
        for figure in ("auuc", "qini")
        for baseline in RANKING_BASELINES
    }


def _part_mean(scores: FloatArray, part: FoldRows) -> FloatArray:
    return part.part * part.weights.means(scores[part.rows])


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
    names = ["auuc", "qini", "autoc", *(share_label(share) for share in uplift_shares)]
    sums = {name: np.zeros(len(folds[0].part)) for name in names}
    order = np.argsort(uplift_shares)
    shares = np.asarray(uplift_shares)[order]
    for part in folds:
        gamma = scores[part.rows]
        ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
        auuc, qini = areas(ranked=ranked, scores=gamma)
        sums["auuc"] += part.part * auuc
        sums["qini"] += part.part * qini
        sums["autoc"] += part.part * autoc(ranked=ranked, scores=gamma)
        curve = gain_curve(ranked=ranked, scores=gamma, shares=shares)
        for share, gain in zip(shares, curve, strict=True):
            sums[share_label(float(share))] += part.part * gain / share
    return sums
