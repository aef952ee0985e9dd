"""What the same effects would be worth at other money: break-even grid and scenarios.

Profit is linear in money, so the curves of outcome and redemption over the share contacted are
computed once per fold and replicate, and combined for every cell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.money import Money, MoneyDraws
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.contracts.what_if import BASE, WhatIfParameters
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.metrics.folds import fold_rows
from promo_uplift.metrics.gain import gain_curve, rank_rows
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy.book import Replicates, valued, widened_at_expected
from promo_uplift.policy.choice import profit_curves
from promo_uplift.policy.money import PolicyScores

Winner = Literal["target", "all", "none", "nothing proven"]
#: Of the replicates: those of the policy's value, so that the same money has the same interval.
PURPOSE: Final = "policy"


@dataclass(frozen=True, slots=True)
class HonestCurves:
    """Outcome and redemption over the share contacted, per household of a fold's population.

    Attributes
    ----------
    shares : float64 (S,)
        Shares contacted, from 0 to 1.
    part : float64 (K, R)
        Weight of each fold in each replicate; replicate 0 is the sample.
    outside : float64 (K, 2, S)
        Outcome and redemption outside each fold, where the share is chosen.
    inside : float64 (K, 2, S, R)
        The same on the fold, where the choice is valued.
    """

    shares: FloatArray
    part: FloatArray
    outside: FloatArray
    inside: FloatArray

    @property
    def replicates(self) -> int:
        """Replicates beside the sample."""
        return int(self.part.shape[1]) - 1

    @property
    def redemption_rate(self) -> FloatArray:
        """P(redeems) of all households if contacted, ``(R,)``."""
        rate: FloatArray = (self.part * self.inside[:, 1, -1]).sum(axis=0)
        return rate


@dataclass(frozen=True, slots=True)
class HonestValue:
    """The choice of a share at some money, ``(R,)`` each, USD per household of the population.

    Each fold's share was chosen with the noise of the others: replicates of its profit are widened
    as in :func:`promo_uplift.policy.evaluate_policy`, at expected money.
    """

    chosen: Replicates
    everybody: Replicates
    factor: float

    @property
    def share(self) -> FloatArray:
        """Share that is contacted."""
        return self.chosen.share

    @property
    def everyone(self) -> FloatArray:
        """Profit of contacting everybody."""
        return self.everybody.profit

    @property
    def over_none(self) -> FloatArray:
        """Profit over contacting nobody."""
        return widened_at_expected(
            paid=self.chosen.profit, expected=self.chosen.expected_profit, factor=self.factor
        )

    @property
    def over_all(self) -> FloatArray:
        """Profit over contacting everybody."""
        return self._over(self.everybody)

    def over(self, other: HonestValue) -> FloatArray:
        """Profit over that of a choice at other money."""
        return self._over(other.chosen)

    def _over(self, other: Replicates) -> FloatArray:
        return widened_at_expected(
            paid=self.chosen.profit - other.profit,
            expected=self.chosen.expected_profit - other.expected_profit,
            factor=self.factor,
        )


def honest_curves(
    *,
    scores: PolicyScores,
    ranking: FloatArray,
    fold: IntArray,
    groups: IntArray,
    grid_points: int,
    replicates: int,
    seed: int,
) -> HonestCurves:
    """Curves of one cross-fitted ranking outside and inside each fold, by household bootstrap.

    Parameters
    ----------
    scores : PolicyScores
        Outcome and redemption; their money is not used.
    ranking : float64 (n, K)
        Cross-fitted effect of the learner that ranks.
    fold, groups : int64 (n,)
        Fold and household of each row.
    grid_points : int
        Shares.
    replicates : int
        Of the bootstrap.
    seed : int
        Of the run.

    Raises
    ------
    PolicyError
        If ``ranking`` is not of the scores' shape.
    """
    if ranking.shape != scores.outcome.shape:
        raise PolicyError(
            f"`ranking` must be of shape {scores.outcome.shape}, found {ranking.shape}. Give the "
            "cross-fitted effects, one column per held-out fold."
        )
    rng = derived_rng(seed=seed, purpose=PURPOSE)
    folds = fold_rows(
        fold=fold, draws=household_draws(groups=groups, replicates=replicates, rng=rng)
    )
    shares = np.linspace(0.0, 1.0, grid_points)
    outside = np.empty((len(folds), 2, grid_points))
    inside = np.empty((len(folds), 2, grid_points, 1 + replicates))
    for place, part in enumerate(folds):
        column = ranking[:, part.fold]
        others = tuple(other for other in folds if other.fold != part.fold)
        ranked = rank_rows(ranking=column[part.rows], weights=part.weights)
        for which, values in enumerate((scores.outcome, scores.redemption)):
            outside[place, which] = profit_curves(
                profit=values[:, part.fold],
                ranking=column,
                folds=others,
                shares=shares,
                replicates=np.array([0]),
            )[:, 0]
            inside[place, which] = gain_curve(
                ranked=ranked, scores=values[part.rows, part.fold], shares=shares
            )
    return HonestCurves(shares, np.stack([part.part for part in folds]), outside, inside)


def honest_value(*, curves: HonestCurves, decided: Money, paid: MoneyDraws) -> HonestValue:
    """Choose the share outside each fold at ``decided`` money, value it inside at ``paid`` money.

    Replicates value the shares that the sample chose.
    """
    nothing = Replicates(*(np.zeros(1 + curves.replicates) for _ in fields(Replicates)))
    picked, everybody = nothing, nothing
    fixed = decided.contact_cost_usd * curves.shares
    for part, outside, inside in zip(curves.part, curves.outside, curves.inside, strict=True):
        expected = decided.margin_per_unit * outside[0] - fixed
        if decided.redemption_cost_usd:
            expected -= decided.redemption_cost_usd * outside[1]
        top = int(np.argmax(expected))
        chosen = np.full(1 + curves.replicates, curves.shares[top])
        outcome, redemption = inside[:, top]
        own = valued(money=paid, share=chosen, outcome=outcome, redemption=redemption)
        whole = valued(
            money=paid,
            share=np.ones_like(chosen),
            outcome=inside[0, -1],
            redemption=inside[1, -1],
        )
        picked, everybody = picked.plus(own, part), everybody.plus(whole, part)
    return HonestValue(picked, everybody, choice_factor(n_folds=len(curves.part)))


def winner(*, over_none: Interval, over_all: Interval, all_profit: Interval) -> Winner:
    """Return what is proven best, by intervals that exclude 0.

    ``target``: the chosen share earns more than nobody **and** than everybody; else ``all`` or
    ``none``, where everybody's profit excludes 0; else ``nothing proven``.
    """
    if over_none.ci_low > 0.0 and over_all.ci_low > 0.0:
        return "target"
    if all_profit.ci_low > 0.0:
        return "all"
    return "none" if all_profit.ci_high < 0.0 else "nothing proven"


def breakeven_grid(
    *,
    curves: HonestCurves,
    policy: PolicyParameters,
    what_if: WhatIfParameters,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Honest profit of the ROI-optimal share at each contact cost and margin rate.

    Parameters
    ----------
    curves : HonestCurves
        Of the champion.
    policy : PolicyParameters
        Everything but contact cost and margin; their expected values are among the cells. A
        redemption cost that is a distribution is drawn in every cell.
    what_if : WhatIfParameters
        The axes.
    level : float
        Confidence level of each interval alone; a grid holds many.
    seed : int
        Of the run.

    Returns
    -------
    DataFrame
        One row per cell, USD per household: ``contact_cost_usd, margin_rate, redemption_cost_usd,
        is_expected_money``; with ``_ci_low, _ci_high``: ``break_even_cate_usd`` (at mean
        redemption; infinite at margin 0), ``share``, ``profit_usd_per_household``,
        ``all_profit_usd_per_household``, ``gain_over_better_usd`` over ``better`` of ``none`` and
        ``all``; ``wins`` of :func:`winner`; ``values_are_assumptions``.

    Raises
    ------
    PolicyError
        If nobody stated a cost.
    """
    _refuse_unstated(policy)
    known = policy.expected
    rows = []
    for margin in _axis(what_if.margin_rates, known.margin_rate):
        for contact in _axis(what_if.contact_costs_usd, known.contact_cost_usd):
            cell = policy.model_copy(update={"margin_rate": margin, "contact_cost_usd": contact})
            is_expected = (margin, contact) == (known.margin_rate, known.contact_cost_usd)
            found, value = _row(curves, cell, level, seed)
            rows.append(
                {
                    **_money(cell.expected),
                    "is_expected_money": is_expected,
                    **found,
                    "wins": _winner(value, level),
                }
            )
    return pd.DataFrame(rows).assign(values_are_assumptions=policy.values_are_assumptions)


def what_if_table(
    *,
    curves: HonestCurves,
    policy: PolicyParameters,
    what_if: WhatIfParameters,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Decision and profit under each scenario beside the stated money.

    Parameters
    ----------
    curves : HonestCurves
        Of the champion.
    policy : PolicyParameters
        The stated money. What is a distribution stays one, changed as the scenario says, and its
        draws are those of the base: differences are paired.
    what_if : WhatIfParameters
        The scenarios.
    level : float
        Confidence level.
    seed : int
        Of the run.

    Returns
    -------
    DataFrame
        ``base`` first, one row per scenario: ``scenario``, the expected money, the figures of
        :func:`breakeven_grid`, ``decision`` and whether it ``is_other_than_base``,
        ``minus_base_usd`` (profit, paired) and ``share_minus_base``, with intervals; ``reason``
        instead of figures where a scenario leaves the range of an amount, e.g. a margin below 0.

    Raises
    ------
    PolicyError
        If nobody stated a cost.
    """
    _refuse_unstated(policy)
    _, base = _row(curves, policy, level, seed)
    decided = _winner(base, level)
    rows: list[dict[str, object]] = []
    for name in (BASE, *what_if.scenarios):
        try:
            scenario = (
                policy
                if name == BASE
                else what_if.scenarios[name].applied(policy=policy, name=name)
            )
        except PolicyError as error:
            rows.append({"scenario": name, "reason": str(error)})
            continue
        found, value = _row(curves, scenario, level, seed)
        decision = _winner(value, level)
        differences = {
            "minus_base_usd": percentile_interval(values=value.over(base), level=level),
            "share_minus_base": percentile_interval(values=value.share - base.share, level=level),
        }
        rows.append(
            {
                "scenario": name,
                **_money(scenario.expected),
                **found,
                "decision": decision,
                "is_other_than_base": decision != decided,
                **_columns(differences),
                "reason": "",
            }
        )
    return pd.DataFrame(rows).assign(values_are_assumptions=policy.values_are_assumptions)


def _refuse_unstated(policy: PolicyParameters) -> None:
    if not policy.are_stated:
        raise PolicyError(
            "`are_stated` must be true for a profit at other money; found false: nobody stated a "
            "cost. State `contact_cost_usd` and `margin_rate`."
        )


def _axis(values: list[float], own: float) -> list[float]:
    """Return the values with the expected one, in place of any that only rounding sets apart."""
    return sorted([own, *(value for value in values if not np.isclose(value, own))])


def _row(
    curves: HonestCurves, policy: PolicyParameters, level: float, seed: int
) -> tuple[dict[str, float | str], HonestValue]:
    replicates, money = curves.replicates, policy.expected
    draws = policy.draws(replicates=replicates, rng=derived_rng(seed=seed, purpose=PURPOSE))
    paid = draws or MoneyDraws.certain(money=money, replicates=replicates)
    value = honest_value(curves=curves, decided=money, paid=paid)
    better = "all" if value.everyone[0] > 0.0 else "none"
    figures = {
        "break_even_cate_usd": paid.break_even(curves.redemption_rate),
        "share": value.share,
        "profit_usd_per_household": value.over_none,
        "all_profit_usd_per_household": value.everyone,
        "gain_over_better_usd": value.over_all if better == "all" else value.over_none,
    }
    intervals = {
        name: percentile_interval(values=values, level=level) for name, values in figures.items()
    }
    return {**_columns(intervals), "better": better}, value


def _winner(value: HonestValue, level: float) -> Winner:
    return winner(
        over_none=percentile_interval(values=value.over_none, level=level),
        over_all=percentile_interval(values=value.over_all, level=level),
        all_profit=percentile_interval(values=value.everyone, level=level),
    )


def _money(money: Money) -> dict[str, float]:
    return {
        "margin_rate": money.margin_rate,
        "contact_cost_usd": money.contact_cost_usd,
        "redemption_cost_usd": money.redemption_cost_usd,
    }


def _columns(intervals: dict[str, Interval]) -> dict[str, float]:
    columns = {}
    for name, interval in intervals.items():
        columns[name] = interval.estimate
        columns[f"{name}_ci_low"] = interval.ci_low
        columns[f"{name}_ci_high"] = interval.ci_high
    return columns
