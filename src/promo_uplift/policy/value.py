"""What a policy is worth on households that neither trained nor chose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import group_factor
from promo_uplift.metrics.folds import FoldRows, fold_rows
from promo_uplift.metrics.selection import SelectionRule, one_standard_error_choice
from promo_uplift.policy.choice import Choice, profit_curves
from promo_uplift.policy.contacts import contact_weights
from promo_uplift.policy.money import PolicyScores

BASELINES = ("none", "all", "current", "random", "response")
#: What is chosen for each fold on the others.
CHOSEN_BY_FOLD = ("chosen", "random", "response")
NOTHING_SPENT = Interval(float("nan"), float("nan"), float("nan"))


#: The learner with the lowest loss.
LOWEST_LOSS = SelectionRule(reach=0.0, clearance=0.0)


@dataclass(frozen=True, slots=True)
class PolicyCandidates:
    """What a policy may be made of.

    Attributes
    ----------
    cate : mapping of str to float64 (n, K)
        Cross-fitted effect of each learner that may rank households.
    losses : mapping of str to float64 (n, K)
        Selection loss of each row and held-out fold, for the same learners, simplest first;
        lower is better.
    response : float64 (n, K)
        Cross-fitted score of the baseline that ranks by predicted spend.
    rule : SelectionRule
        Of :func:`promo_uplift.metrics.one_standard_error_choice`, towards the simpler.
    """

    cate: Mapping[str, FloatArray]
    losses: Mapping[str, FloatArray]
    response: FloatArray
    rule: SelectionRule = LOWEST_LOSS


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """One policy's value, per household (and campaign) of the population.

    Attributes
    ----------
    share : Interval
        Share of households contacted.
    profit_usd : Interval
        Expected profit.
    outcome_usd : Interval
        Incremental outcome before costs.
    cost_usd : Interval
        Cost of contacts and redemptions.
    roi : Interval
        Profit over cost; NaN where nothing is spent.
    chosen_minus_this_usd : Interval
        Paired difference of profit, chosen policy minus this one.
    """

    share: Interval
    profit_usd: Interval
    outcome_usd: Interval
    cost_usd: Interval
    roi: Interval
    chosen_minus_this_usd: Interval


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """Value of the targeting policy beside its baselines.

    Attributes
    ----------
    champion : str
        Simplest learner whose held-out selection loss is within reach of the lowest.
    roi_optimal_share : Interval
        Share that maximises the champion's held-out profit; 0 = contact nobody. The interval
        repeats learner choice, ranking and share choice in each replicate.
    roi_at_share : Interval
        Profit over cost at that share; NaN at share 0.
    max_ratio_share : float
        Share above 0 that maximises profit over cost itself. Reported apart: it tends to the
        smallest share offered and is not a policy.
    max_ratio : float
        Profit over cost at that share.
    chosen : PolicyValue
        Honest value: learner and share are chosen without the fold on which they are valued.
    optimistic_profit_usd : Interval
        Best profit over all learners and shares, read off the folds that chose it.
    winners_curse_usd : Interval
        Optimistic minus honest profit (paired): what reading off the maximum would promise.
    learner_by_fold : tuple of str
        Learner chosen for each held-out fold.
    share_by_fold : tuple of float
        Share chosen for each held-out fold.
    baselines : dict of PolicyValue
        ``none, all, current, random, response``.
    level : float
        Confidence level.
    replicates : int
        Household-bootstrap replicates.
    """

    champion: str
    roi_optimal_share: Interval
    roi_at_share: Interval
    max_ratio_share: float
    max_ratio: float
    chosen: PolicyValue
    optimistic_profit_usd: Interval
    winners_curse_usd: Interval
    learner_by_fold: tuple[str, ...]
    share_by_fold: tuple[float, ...]
    baselines: dict[str, PolicyValue]
    level: float
    replicates: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a policy adds on each row, ``(n,)`` each: chance of a contact, USD."""

    contacted: FloatArray
    profit: FloatArray
    outcome: FloatArray
    cost: FloatArray


def evaluate_policy(
    *,
    scores: PolicyScores,
    candidates: PolicyCandidates,
    fold: IntArray,
    groups: IntArray,
    parameters: PolicyParameters,
    intervals: MetricParameters,
    rng: np.random.Generator,
) -> PolicyEvaluation:
    """Choose learner and share, and value the choice where it was not made; USD per household.

    For each held-out fold ``k`` the simplest learner within reach of the lowest selection loss
    and the share with the highest profit are chosen on the rows outside ``k``, with column ``k``
    of every cross-fitted quantity, and valued on the rows of ``k``. A share means the top of each
    fold's own ranking.
    Intervals are of the rules that were chosen, from household sums. For the share that is best
    overall, and for the profit that is read off the data that chose it, households are drawn with
    replacement and each replicate chooses again.

    Parameters
    ----------
    scores : PolicyScores
        Scores in USD.
    candidates : PolicyCandidates
        Learners that compete, their losses, and the ``response`` baseline.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : PolicyParameters
        Number of grid points of the share.
    intervals : MetricParameters
        Confidence level and household-bootstrap replicates.
    rng : Generator
        Source of randomness.

    Raises
    ------
    PolicyError
        If there is no candidate, candidates and losses name different learners, or a matrix is
        not of shape ``(n, K)``.

    Notes
    -----
    Baselines: ``none``; ``all``; ``current`` (the mailing as it was); ``random`` (the chosen
    share, drawn blindly: its expectation, without a draw); ``response`` (ranked by predicted
    spend, its own share chosen in the same honest way). Intervals are conditional on nuisances and
    predictions.

    Each fold's rule was chosen with the noise of the others, so the folds are not independent
    (:mod:`promo_uplift.metrics.fold_dependence`): figures of a chosen policy are widened by the
    factor of a mean over the top of a ranking, of those contacted, and for its difference to a
    policy that contacts anybody of those left out.

    References
    ----------
    Dudik, Erhan, Langford & Li (2014), Statistical Science 29(4); Andrews, Kitagawa & McCloskey
    (2024), QJE 139(1) on the winner's curse.
    """
    _validate(scores, candidates, fold)
    level, replicates = intervals.level, intervals.bootstrap_replicates
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    shares = np.linspace(0.0, 1.0, parameters.grid_points)
    learners, chosen_shares, response_shares = [], [], []
    for part in folds:
        outside = tuple(other for other in folds if other.fold != part.fold)
        choice = one_standard_error_choice(
            losses={name: terms[:, part.fold] for name, terms in candidates.losses.items()},
            folds=outside,
            rule=candidates.rule,
        )
        learners.append(tuple(candidates.losses)[int(choice[0])])
        chosen_shares.append(
            _best_share(scores, candidates.cate[learners[-1]], part, outside, shares)
        )
        response_shares.append(_best_share(scores, candidates.response, part, outside, shares))
    chosen = contact_weights(
        cate=candidates.cate, learner_by_fold=learners, share_by_fold=chosen_shares, fold=fold
    )
    response = contact_weights(
        cate={"response": candidates.response},
        learner_by_fold=["response"] * len(folds),
        share_by_fold=response_shares,
        fold=fold,
    )
    policies = {
        "chosen": _contacting(chosen, scores, fold),
        "none": _contacting(np.zeros(len(fold)), scores, fold),
        "all": _contacting(np.ones(len(fold)), scores, fold),
        "current": _Rows(
            scores.current_share,
            scores.current_profit,
            scores.current_outcome,
            scores.current_cost,
        ),
        "random": _contacting(np.asarray(chosen_shares)[fold], scores, fold),
        "response": _contacting(response, scores, fold),
    }
    summary = _summaries(policies, groups, level)
    best = _in_sample(scores, candidates, fold, folds, shares)
    honest = np.sum(
        [part.part * part.weights.means(policies["chosen"].profit[part.rows]) for part in folds],
        axis=0,
    )
    return PolicyEvaluation(
        champion=tuple(candidates.losses)[int(best.learner[0])],
        roi_optimal_share=percentile_interval(values=best.share, level=level),
        roi_at_share=percentile_interval(values=_ratio(best.profit, best.cost), level=level),
        max_ratio_share=best.max_ratio_share,
        max_ratio=best.max_ratio,
        chosen=summary.pop("chosen"),
        optimistic_profit_usd=percentile_interval(values=best.optimistic, level=level),
        winners_curse_usd=percentile_interval(values=best.optimistic - honest, level=level),
        learner_by_fold=tuple(learners),
        share_by_fold=tuple(chosen_shares),
        baselines=summary,
        level=level,
        replicates=replicates,
    )


def _validate(scores: PolicyScores, candidates: PolicyCandidates, fold: IntArray) -> None:
    if not candidates.cate:
        raise PolicyError("`candidates` must hold at least one learner, got none.")
    if set(candidates.cate) != set(candidates.losses):
        raise PolicyError(
            "`candidates` must have a CATE and a loss for the same learners: found CATE of "
            f"{sorted(candidates.cate)} and losses of {sorted(candidates.losses)}."
        )
    shape = scores.profit.shape
    matrices = {
        "response": candidates.response,
        **{f"cate[{name!r}]": values for name, values in candidates.cate.items()},
        **{f"losses[{name!r}]": values for name, values in candidates.losses.items()},
    }
    for name, values in matrices.items():
        if values.shape != shape:
            raise PolicyError(f"`{name}` must be of shape {shape}, got {values.shape}.")
    if fold.shape != shape[:1] or fold.min() < 0 or fold.max() >= shape[1]:
        raise PolicyError(
            f"`fold` must hold one number in [0, {shape[1]}) per row of {shape[0]}, got "
            f"{fold.shape[0]} rows from {fold.min()} to {fold.max()}."
        )


def _best_share(
    scores: PolicyScores,
    cate: FloatArray,
    part: FoldRows,
    outside: tuple[FoldRows, ...],
    shares: FloatArray,
) -> float:
    """Share with the highest profit outside the fold, by this ranking."""
    curve = profit_curves(
        profit=scores.profit[:, part.fold],
        ranking=cate[:, part.fold],
        folds=outside,
        shares=shares,
        replicates=np.array([0]),
    )
    return float(shares[int(np.argmax(curve[:, 0]))])


def _contacting(chance: FloatArray, scores: PolicyScores, fold: IntArray) -> _Rows:
    """Return what contacting each row with this chance adds."""
    rows = np.arange(len(fold))
    return _Rows(
        chance,
        chance * scores.profit[rows, fold],
        chance * scores.outcome[rows, fold],
        chance * scores.cost[rows, fold],
    )


def _ratio(profit: FloatArray, cost: FloatArray) -> FloatArray:
    spent = cost > 0.0
    ratio: FloatArray = np.where(spent, profit / np.where(spent, cost, 1.0), np.nan)
    return ratio


def _summaries(
    policies: dict[str, _Rows], groups: IntArray, level: float
) -> dict[str, PolicyValue]:
    chosen = policies["chosen"]
    share = float(chosen.contacted.mean())
    contacted, left_out = _top_factor(share), _top_factor(1.0 - share)

    def interval(values: FloatArray, factor: float, per: FloatArray | None = None) -> Interval:
        if per is not None and per.sum() <= 0.0:
            return NOTHING_SPENT
        mean = clustered_mean(values=values, groups=groups, weights=per)
        return replace(mean, se=factor * mean.se).interval(level=level)

    summaries = {}
    for name, rows in policies.items():
        own_share = float(rows.contacted.mean())
        own = _top_factor(own_share) if name in CHOSEN_BY_FOLD else 1.0
        summaries[name] = PolicyValue(
            share=interval(rows.contacted, 1.0)
            if name == "current"
            else Interval(own_share, own_share, own_share),
            profit_usd=interval(rows.profit, own),
            outcome_usd=interval(rows.outcome, own),
            cost_usd=interval(rows.cost, own),
            roi=interval(rows.profit, own, per=rows.cost),
            chosen_minus_this_usd=interval(
                chosen.profit - rows.profit, contacted if name == "none" else left_out
            ),
        )
    return summaries


def _top_factor(share: float) -> float:
    """By how much a fold's rule, chosen with the others' noise, widens the value of its share."""
    return group_factor(low=max(1.0 - share, 0.0), high=1.0) if share > 0.0 else 1.0


def _in_sample(
    scores: PolicyScores,
    candidates: PolicyCandidates,
    fold: IntArray,
    folds: tuple[FoldRows, ...],
    shares: FloatArray,
) -> Choice:
    """Read learner and share off the held-out folds themselves."""
    rows = np.arange(len(fold))
    profit, cost = scores.profit[rows, fold], scores.cost[rows, fold]
    learner = one_standard_error_choice(
        losses={name: values[rows, fold] for name, values in candidates.losses.items()},
        folds=folds,
        rule=candidates.rule,
    )
    replicates = np.arange(len(learner))
    optimistic = np.full(len(learner), -np.inf)
    best = np.zeros((len(shares), len(learner)))
    spent = np.zeros_like(best)
    for number, name in enumerate(candidates.losses):
        ranking = candidates.cate[name][rows, fold]
        curve = profit_curves(
            profit=profit, ranking=ranking, folds=folds, shares=shares, replicates=replicates
        )
        optimistic = np.maximum(optimistic, curve.max(axis=0))
        where = np.flatnonzero(learner == number)
        if len(where):
            best[:, where] = curve[:, where]
            spent[:, where] = profit_curves(
                profit=cost, ranking=ranking, folds=folds, shares=shares, replicates=where
            )
    top = np.argmax(best, axis=0)
    ratio = _ratio(best[1:, 0], spent[1:, 0])
    at = int(np.nanargmax(ratio)) if np.isfinite(ratio).any() else None
    return Choice(
        learner=learner,
        share=shares[top],
        profit=best[top, replicates],
        cost=spent[top, replicates],
        optimistic=optimistic,
        max_ratio_share=float("nan") if at is None else float(shares[1 + at]),
        max_ratio=float("nan") if at is None else float(ratio[at]),
    )
