"""How well each learner ranks households, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.bootstrap import household_codes, household_draws, percentile_interval
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
from promo_uplift.metrics.gain import areas, autoc, gain_curve, rank_rows, share_label
from promo_uplift.metrics.influence import (
    Influence,
    clustered_se,
    ranking_influence,
    slope_influence,
)
from promo_uplift.metrics.simultaneous import (
    critical_value_of_draws,
    max_t_quantile,
)

#: Rankings without a claim on an effect's size: their own calibration slope is undefined.
RANKING_BASELINES = ("random", "response")
#: What every learner's areas are compared with, in pairs. ``constant`` is one effect for all, so
#: that its areas are those of ``random``: what is gained over it is the value of modelling.
COMPARED_WITH = (*RANKING_BASELINES, "constant")
AREAS = ("auuc", "qini")


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Ranking figures of every learner on held-out folds.

    Attributes
    ----------
    figures : dict of dict of Interval
        ``figures[learner][name]``; names are ``auuc``, ``qini``, ``autoc``, ``uplift_at_<percent>``
        (USD per household), ``calibration_slope``, and the paired differences
        ``<auuc or qini>_minus_<random, response or constant>``.
    ate : Interval
        Mean score: effect of mailing everybody, USD per household.
    n_rows, n_households, replicates : int
        Size of the evaluation and of the bootstrap; no replicates where intervals are analytic.
    level : float
        Confidence level of every interval.
    simultaneous : dict of dict of Interval
        ``simultaneous[learner][difference]``: intervals of the paired differences that hold for
        all learners and all that they are compared with at once.
    method : str
        ``bootstrap`` or ``analytic``: where the intervals come from.
    """

    figures: dict[str, dict[str, Interval]]
    ate: Interval
    n_rows: int
    n_households: int
    replicates: int
    level: float
    simultaneous: dict[str, dict[str, Interval]] = field(default_factory=dict)
    method: str = "bootstrap"


def ranking_metrics(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> RankingMetrics:
    r"""Ranking figures of each learner, USD per household, with intervals by household.

    With rows ranked **within** each held-out fold, highest first, :math:`Q(q)` is the mean score
    of the top :math:`q` per household of the whole fold. AUUC :math:`= \int Q`, Qini
    :math:`= \int (Q(q) - q\,Q(1))`, AUTOC :math:`= \int (Q(q)/q - Q(1))`, uplift at k
    :math:`= Q(k)/k`. Folds are averaged by size; ties count as the mean over their orders.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances, USD per household.
    rankings : mapping of str to float64 (n,)
        Held-out predicted effect (or ranking score) of each learner; must hold ``random``,
        ``response`` and ``constant``. ``random`` is judged by its exact expectation over all
        orders (AUUC half of the ATE, Qini 0), not by the one order that it happened to draw.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : MetricParameters
        Shares, level, replicates, and whether intervals come from a household bootstrap or from
        influence functions (:mod:`promo_uplift.metrics.influence`).
    rng : Generator
        Draws the households once, for all learners: differences are paired. Of an analytic
        interval it draws the simultaneous critical value only.

    Raises
    ------
    MetricError
        If a baseline is missing or the inputs are not finite, of one shape, or folds split a
        household.

    Notes
    -----
    Scope: valid for observational data as far as the nuisances are; the interval is conditional on
    nuisances and predictions, which are not fitted again. Folds learn from each other,
    so the intervals of rankings are widened: :mod:`promo_uplift.metrics.fold_dependence`.

    References
    ----------
    Radcliffe (2007), Direct Marketing Analytics Journal 3; Gutierrez & Gerardy (2017), PMLR 67;
    Yadlowsky et al. (2025), JASA 120(549), arXiv:2111.07966.
    """
    validate_rankings(scores=scores, rankings=rankings, fold=fold, groups=groups)
    missing = [name for name in COMPARED_WITH if name not in rankings]
    if missing:
        raise MetricError(
            f"`rankings` must hold the baselines {list(COMPARED_WITH)}; missing: {missing}. "
            f"Found {sorted(rankings)}. Add them to the learners."
        )
    _, n_households = household_codes(groups)
    is_analytic = parameters.is_analytic(n_rows=len(scores), n_households=n_households)
    judge = _by_influence if is_analytic else _by_bootstrap
    return judge(
        scores=scores,
        rankings=with_expected_random(rankings),
        fold=fold,
        groups=groups,
        parameters=parameters,
        rng=rng,
    )


def _by_bootstrap(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> RankingMetrics:
    draws = household_draws(groups=groups, replicates=parameters.bootstrap_replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    level = parameters.level
    factors = dependence_factors(uplift_shares=parameters.uplift_shares)
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
    figures = {
        name: {
            figure: percentile_interval(
                values=widened(values=replicates, factor=factors[figure])
                if learned_something(ranking=ranking, fold=fold)
                else replicates,
                level=level,
            )
            for figure, replicates in values[name].items()
        }
        for name, ranking in rankings.items()
    }
    differences = {
        (name, f"{area}_minus_{baseline}"): values[name][area] - values[baseline][area]
        for name in rankings
        for area in AREAS
        for baseline in COMPARED_WITH
    }
    simultaneous: dict[str, dict[str, Interval]] = {name: {} for name in rankings}
    critical = critical_value_of_draws(replicates=np.stack(list(differences.values())), level=level)
    for (name, figure), replicates in differences.items():
        moved = widened(values=replicates, factor=QINI_FACTOR)
        figures[name][figure] = percentile_interval(values=moved, level=level)
        half = critical * float(moved[1:].std(ddof=1))
        simultaneous[name][figure] = _around(float(replicates[0]), half)
    mean = np.asarray(sum(_part_mean(scores, part) for part in folds))
    return RankingMetrics(
        figures=figures,
        ate=percentile_interval(values=mean, level=level),
        n_rows=len(scores),
        n_households=draws.n_households,
        replicates=parameters.bootstrap_replicates,
        level=level,
        simultaneous=simultaneous,
        method="bootstrap",
    )


def _by_influence(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> RankingMetrics:
    code, n_households = household_codes(groups)
    level, n = parameters.level, len(scores)
    multiple = float(norm.ppf(0.5 + level / 2.0))
    factors = dependence_factors(uplift_shares=parameters.uplift_shares)

    def sums(influence: Influence) -> FloatArray:
        return influence.by_household(code=code, n_households=n_households)

    figures: dict[str, dict[str, Interval]] = {}
    area_sums: dict[str, FloatArray] = {}
    for name, ranking in rankings.items():
        found = ranking_influence(
            scores=scores, ranking=ranking, fold=fold, uplift_shares=parameters.uplift_shares
        )
        area_sums[name] = sums(found["qini"])
        if name not in RANKING_BASELINES:
            found["calibration_slope"] = slope_influence(scores=scores, cate=ranking, fold=fold)
        learned = learned_something(ranking=ranking, fold=fold)
        figures[name] = {
            figure: _around(
                influence.estimate,
                multiple
                * (factors[figure] if learned else 1.0)
                * clustered_se(sums=sums(influence), n_rows=n),
            )
            for figure, influence in found.items()
        }
        if name in RANKING_BASELINES:
            figures[name]["calibration_slope"] = Interval(*[float("nan")] * 3)
    # Q(1) of the same scores cancels, so a difference of AUUC is a difference of Qini
    differences = {
        (name, baseline): area_sums[name] - area_sums[baseline]
        for name in rankings
        for baseline in COMPARED_WITH
    }
    stacked = np.stack(list(differences.values()))
    critical = max_t_quantile(
        covariance=stacked @ stacked.T,
        level=level,
        draws=parameters.simultaneous_draws,
        rng=rng,
    )
    simultaneous: dict[str, dict[str, Interval]] = {name: {} for name in rankings}
    errors = {
        pair: QINI_FACTOR * clustered_se(sums=difference, n_rows=n)
        for pair, difference in differences.items()
    }
    for area in AREAS:
        for (name, baseline), se in errors.items():
            gained = figures[name][area].estimate - figures[baseline][area].estimate
            figures[name][f"{area}_minus_{baseline}"] = _around(gained, multiple * se)
            simultaneous[name][f"{area}_minus_{baseline}"] = _around(gained, critical * se)
    ate = float(scores.mean())
    return RankingMetrics(
        figures=figures,
        ate=_around(
            ate, multiple * clustered_se(sums=sums(Influence(ate, scores - ate)), n_rows=n)
        ),
        n_rows=n,
        n_households=n_households,
        replicates=0,
        level=level,
        simultaneous=simultaneous,
        method="analytic",
    )


def _around(estimate: float, half: float) -> Interval:
    return Interval(estimate, estimate - half, estimate + half)


def learned_something(*, ranking: FloatArray, fold: IntArray) -> bool:
    """Whether a ranking tells any two rows of a fold apart; one that does not learned nothing."""
    return any(np.ptp(ranking[fold == number]) > 0.0 for number in np.unique(fold))


def dependence_factors(*, uplift_shares: Sequence[float]) -> dict[str, float]:
    """Widening of each figure's standard error; of a ranking that learned something."""
    factors = {
        "auuc": AUUC_FACTOR,
        "qini": QINI_FACTOR,
        "autoc": autoc_factor(),
        "calibration_slope": SLOPE_FACTOR,
    }
    return factors | {
        share_label(share): group_factor(low=1.0 - share, high=1.0) for share in uplift_shares
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
