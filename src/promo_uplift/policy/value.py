"""What a policy is worth on households that neither trained nor chose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.metrics.folds import FoldRows, fold_rows
from promo_uplift.metrics.gain import gain_at_own, rank_rows
from promo_uplift.metrics.selection import SelectionRule, one_standard_error_choice
from promo_uplift.policy.book import Book, Replicates, widened_at_expected
from promo_uplift.policy.choice import Choice, profit_curves
from promo_uplift.policy.money import PolicyScores

BASELINES = ("none", "all", "current", "random", "response")
#: What is chosen for each fold on the others.
CHOSEN_BY_FOLD = ("chosen", "random", "response")


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

    Where money is a distribution, each replicate draws it anew: what is decided is decided at
    expected money, which is all that the decider knows, and valued under the replicate's money.

    Attributes
    ----------
    champion : str
        Simplest learner whose held-out selection loss is within reach of the lowest.
    roi_optimal_share : Interval
        Share that maximises the champion's held-out profit; 0 = contact nobody. The interval
        repeats learner choice, ranking and share choice in each replicate, the share under the
        replicate's money, on which the optimum depends.
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
    break_even_usd : Interval
        Effect on the outcome at which a contact pays for itself, at the households' mean
        redemption; infinite without bounds where the margin may be 0.
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
    break_even_usd: Interval
    learner_by_fold: tuple[str, ...]
    share_by_fold: tuple[float, ...]
    baselines: dict[str, PolicyValue]
    level: float
    replicates: int


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
    Households are drawn with replacement, and with them money that is a distribution. Each
    replicate values the rules that were chosen: the interval is of their profit. For the share that
    is best overall, and for the profit that is read off the data that chose it, each replicate
    chooses again.

    Parameters
    ----------
    scores : PolicyScores
        Scores in USD.
    candidates : PolicyCandidates
        Learners that compete, their losses, and the ``response`` baseline.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : PolicyParameters
        Number of grid points of the share, and the money.
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
    predictions, which the bootstrap does not fit again.

    Each fold's rule was chosen with the noise of the others, so the folds are not independent:
    figures of a chosen policy, and its differences, are wider by
    :func:`promo_uplift.metrics.fold_dependence.choice_factor`; at expected money, for what is not
    known of money is the same for all folds and is added as it is.

    References
    ----------
    Dudik, Erhan, Langford & Li (2014), Statistical Science 29(4); Andrews, Kitagawa & McCloskey
    (2024), QJE 139(1) on the winner's curse.
    """
    _validate(scores, candidates, fold)
    level, replicates = intervals.level, intervals.bootstrap_replicates
    money = parameters.draws(replicates=replicates, rng=rng)
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    book = Book(scores, parameters.expected, money)
    shares = np.linspace(0.0, 1.0, parameters.grid_points)
    names = tuple(candidates.losses)
    empty = Replicates(*(np.zeros(1 + replicates) for _ in fields(Replicates)))
    totals = dict.fromkeys(("chosen", *BASELINES), empty)
    learners, chosen_shares = [], []
    for part in folds:
        outside = tuple(other for other in folds if other.fold != part.fold)
        choice = one_standard_error_choice(
            losses={name: terms[:, part.fold] for name, terms in candidates.losses.items()},
            folds=outside,
            rule=candidates.rule,
        )
        learner = names[int(choice[0])]
        picked = _pick(book, candidates.cate[learner], part, outside, shares)
        everyone = book.everyone(part)
        response = _pick(book, candidates.response, part, outside, shares)
        values = {
            "chosen": picked,
            "none": empty,
            "all": everyone,
            "current": book.current(part),
            "random": empty.plus(everyone, picked.share),
            "response": response,
        }
        totals = {name: totals[name].plus(values[name], part.part) for name in totals}
        learners.append(learner)
        chosen_shares.append(float(picked.share[0]))
    summary = _summaries(totals, len(folds), level)
    best = _in_sample(book, candidates, fold, folds, shares)
    return PolicyEvaluation(
        champion=names[int(best.learner[0])],
        roi_optimal_share=percentile_interval(values=best.share, level=level),
        roi_at_share=percentile_interval(values=_ratio(best.profit, best.cost), level=level),
        max_ratio_share=best.max_ratio_share,
        max_ratio=best.max_ratio,
        chosen=summary.pop("chosen"),
        optimistic_profit_usd=percentile_interval(values=best.optimistic, level=level),
        winners_curse_usd=percentile_interval(
            values=best.optimistic - totals["chosen"].profit, level=level
        ),
        break_even_usd=percentile_interval(values=book.break_even(folds), level=level),
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


def _pick(
    book: Book,
    cate: FloatArray,
    part: FoldRows,
    outside: tuple[FoldRows, ...],
    shares: FloatArray,
) -> Replicates:
    """Choose the share outside the fold by this ranking; value it inside, in each replicate.

    The choice is that of the sample: a replicate that chose again would choose with more noise than
    the rules that are valued, and the interval be of other rules.
    """
    ranking = cate[:, part.fold]
    curve = profit_curves(
        profit=book.scores.profit[:, part.fold],
        ranking=ranking,
        folds=outside,
        shares=shares,
        replicates=np.array([0]),
    )
    share = np.full(len(part.part), shares[int(np.argmax(curve[:, 0]))])
    ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
    return book.held_out(
        part,
        gain=lambda scores: gain_at_own(ranked=ranked, scores=scores, share=share),
        share=share,
    )


def _ratio(profit: FloatArray, cost: FloatArray) -> FloatArray:
    spent = cost > 0.0
    ratio: FloatArray = np.where(spent, profit / np.where(spent, cost, 1.0), np.nan)
    return ratio


def _summaries(totals: dict[str, Replicates], n_folds: int, level: float) -> dict[str, PolicyValue]:
    chosen, factor = totals["chosen"], choice_factor(n_folds=n_folds)

    def interval(paid: FloatArray, expected: FloatArray, by: float) -> Interval:
        moved = widened_at_expected(paid=paid, expected=expected, factor=by)
        return percentile_interval(values=moved, level=level)

    summaries = {}
    for name, value in totals.items():
        own = factor if name in CHOSEN_BY_FOLD else 1.0
        summaries[name] = PolicyValue(
            share=interval(value.share, value.share, 1.0),
            profit_usd=interval(value.profit, value.expected_profit, own),
            outcome_usd=interval(value.outcome, value.outcome, own),
            cost_usd=interval(value.cost, value.expected_cost, own),
            roi=interval(
                _ratio(value.profit, value.cost),
                _ratio(value.expected_profit, value.expected_cost),
                own,
            ),
            chosen_minus_this_usd=interval(
                chosen.profit - value.profit,
                chosen.expected_profit - value.expected_profit,
                factor,
            ),
        )
    return summaries


def _in_sample(
    book: Book,
    candidates: PolicyCandidates,
    fold: IntArray,
    folds: tuple[FoldRows, ...],
    shares: FloatArray,
) -> Choice:
    """Read learner and share off the held-out folds themselves."""
    rows = np.arange(len(fold))
    learner = one_standard_error_choice(
        losses={name: values[rows, fold] for name, values in candidates.losses.items()},
        folds=folds,
        rule=candidates.rule,
    )
    replicates = np.arange(len(learner))
    promised = np.full(len(learner), -np.inf)
    optimistic = promised.copy()
    best = np.zeros((len(shares), len(learner)))
    spent = np.zeros_like(best)
    for number, name in enumerate(candidates.losses):
        ranking = candidates.cate[name][rows, fold]
        curves = book.curves(ranking=ranking, fold=fold, folds=folds, shares=shares)
        at = np.argmax(curves.expected, axis=0)
        is_better = curves.expected[at, replicates] > promised
        promised = np.where(is_better, curves.expected[at, replicates], promised)
        optimistic = np.where(is_better, curves.paid[at, replicates], optimistic)
        where = np.flatnonzero(learner == number)
        if len(where):
            best[:, where] = curves.paid[:, where]
            spent[:, where] = curves.cost(where)
    top = np.argmax(best, axis=0)
    ratio = _ratio(best[1:, 0], spent[1:, 0])
    highest = int(np.nanargmax(ratio)) if np.isfinite(ratio).any() else None
    return Choice(
        learner=learner,
        share=shares[top],
        profit=best[top, replicates],
        cost=spent[top, replicates],
        optimistic=optimistic,
        max_ratio_share=float("nan") if highest is None else float(shares[1 + highest]),
        max_ratio=float("nan") if highest is None else float(ratio[highest]),
    )
