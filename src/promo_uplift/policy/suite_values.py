"""Policies whose contacts are known, valued with intervals: doubly robust and by weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.money import MoneyDraws
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.metrics.gain import Weights
from promo_uplift.metrics.simultaneous import critical_value_of_draws
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy.book import Replicates, valued, widened_at_expected
from promo_uplift.policy.rules.registry import BASELINES
from promo_uplift.policy.suite_contacts import FitSource

#: Nothing is learned for these: their terms of two folds share nothing.
FIXED = ("none", "all", "current")


@dataclass(frozen=True, slots=True)
class ObservedRows:
    """What happened, for values by weighting, each ``(n,)``.

    Attributes
    ----------
    treatment : int64
    outcome : float64
    redeemed : float64
    propensity : float64
        P(mailed) from models that saw the other folds only, or the experiment's own.
    """

    treatment: IntArray
    outcome: FloatArray
    redeemed: FloatArray
    propensity: FloatArray


@dataclass(frozen=True, slots=True)
class Difference:
    """A policy's profit minus a baseline's, USD per household, on the same households.

    Attributes
    ----------
    pointwise : Interval
    simultaneous : Interval
        Holds for all policies against this baseline at once (max-t over the replicates).
    """

    pointwise: Interval
    simultaneous: Interval


@dataclass(frozen=True, slots=True)
class SuiteValue:
    """One policy's value per household (and campaign) of the population.

    Attributes
    ----------
    share : Interval
        Share contacted; a lottery counts with its probability.
    profit_usd, outcome_usd, cost_usd : Interval
        Doubly robust, against contacting nobody.
    roi : Interval
        Profit over cost; NaN where nothing is spent.
    ipw_profit_usd : Interval
        Profit against contacting nobody by inverse propensity weights, normalised (Hajek).
    minus : dict of Difference
        By baseline.
    how : str
        ``honest`` (fitted or chosen where it is not valued), ``fixed`` (nothing is fitted) or
        ``optimistic`` (read off the values that it is compared with).
    """

    share: Interval
    profit_usd: Interval
    outcome_usd: Interval
    cost_usd: Interval
    roi: Interval
    ipw_profit_usd: Interval
    minus: dict[str, Difference]
    how: str


@dataclass(frozen=True, slots=True)
class ValuedPolicies:
    """Every policy on the sample and in each replicate."""

    replicates: dict[str, Replicates]
    by_weights: dict[str, Replicates]
    factor: float

    @classmethod
    def of(
        cls,
        *,
        contacts: dict[str, FloatArray],
        source: FitSource,
        observed: ObservedRows,
        intervals: MetricParameters,
    ) -> ValuedPolicies:
        """Value contacts ``(n,)`` by name, all on the same draws of households."""
        draws = household_draws(
            groups=source.inputs.groups,
            replicates=intervals.bootstrap_replicates,
            rng=derived_rng(seed=source.seed, purpose="policy_suite"),
        )
        weights = Weights.of(code=draws.code, counts=draws.counts)
        money = source.money.draws(
            replicates=intervals.bootstrap_replicates,
            rng=derived_rng(seed=source.seed, purpose="policy_suite/money"),
        ) or MoneyDraws.certain(
            money=source.money.expected, replicates=intervals.bootstrap_replicates
        )
        replicates = {
            name: _doubly_robust(name, contact, source, weights, money)
            for name, contact in contacts.items()
        }
        return cls(
            replicates=replicates,
            by_weights={
                name: weighted_replicates(
                    # mailed with the chance that they had: the effect on the mailed
                    contacts=observed.propensity if name == "current" else contact,
                    share=replicates[name].share,
                    observed=observed,
                    weights=weights,
                    money=money,
                )
                for name, contact in contacts.items()
            },
            factor=choice_factor(n_folds=source.inputs.n_folds),
        )

    def summaries(self, level: float) -> dict[str, SuiteValue]:
        """Intervals of each policy, and of its difference to each baseline."""
        differences = {name: self._differences(name, level) for name in BASELINES}
        return {
            name: self._summary(name, level, {base: of[name] for base, of in differences.items()})
            for name in self.replicates
        }

    @property
    def profit(self) -> dict[str, FloatArray]:
        """Doubly robust profit of each policy, USD per household, ``(1 + B,)``."""
        return {name: one.profit for name, one in self.replicates.items()}

    def _summary(self, name: str, level: float, minus: dict[str, Difference]) -> SuiteValue:
        one = self.replicates[name]

        def interval(paid: FloatArray, expected: FloatArray) -> Interval:
            return percentile_interval(values=self.wider(paid, expected, name), level=level)

        weighted = self.by_weights[name]
        return SuiteValue(
            share=percentile_interval(values=one.share, level=level),
            profit_usd=interval(one.profit, one.expected_profit),
            outcome_usd=interval(one.outcome, one.outcome),
            cost_usd=interval(one.cost, one.expected_cost),
            roi=interval(
                _ratio(one.profit, one.cost), _ratio(one.expected_profit, one.expected_cost)
            ),
            ipw_profit_usd=interval(weighted.profit, weighted.expected_profit),
            minus=minus,
            how="fixed" if name in FIXED else "honest",
        )

    def wider(self, paid: FloatArray, expected: FloatArray, *names: str) -> FloatArray:
        """Widen for the dependence between folds, where one of the policies is learned."""
        is_learned = any(name not in FIXED for name in names)
        return widened_at_expected(
            paid=paid, expected=expected, factor=self.factor if is_learned else 1.0
        )

    def _differences(self, baseline: str, level: float) -> dict[str, Difference]:
        """Every policy against one baseline, with bands over the policies."""
        base = self.replicates[baseline]
        paired = {
            name: self.wider(
                one.profit - base.profit,
                one.expected_profit - base.expected_profit,
                name,
                baseline,
            )
            for name, one in self.replicates.items()
        }
        factor = critical_value_of_draws(replicates=np.stack(list(paired.values())), level=level)
        return {
            name: Difference(
                pointwise=percentile_interval(values=values, level=level),
                simultaneous=Interval(
                    float(values[0]),
                    float(values[0] - factor * values[1:].std(ddof=1)),
                    float(values[0] + factor * values[1:].std(ddof=1)),
                ),
            )
            for name, values in paired.items()
        }


def _doubly_robust(
    name: str, contact: FloatArray, source: FitSource, weights: Weights, money: MoneyDraws
) -> Replicates:
    scores, fold = source.scores, source.inputs.fold
    if name == "current":
        values = np.stack([scores.current_share, scores.current_outcome, scores.current_redemption])
    else:
        rows = np.arange(len(contact))
        held_out = [scores.outcome[rows, fold], scores.redemption[rows, fold]]
        values = np.stack([contact, *(contact * one for one in held_out)])
    share, outcome, redemption = weights.sums(values) / weights.divisor
    return valued(money=money, share=share, outcome=outcome, redemption=redemption)


def weighted_replicates(
    *,
    contacts: FloatArray,
    share: FloatArray,
    observed: ObservedRows,
    weights: Weights,
    money: MoneyDraws,
) -> Replicates:
    r"""Value by normalised inverse propensity weights (Hajek), against contacting nobody.

    Parameters
    ----------
    contacts : float64 (n,)
        Probability of contact of each row.
    share : float64 (1 + B,)
        Share contacted on the sample and in each replicate.
    observed : ObservedRows
        Treatment, outcome, redemptions, propensity.
    weights : Weights
        Of the rows in each replicate.
    money : MoneyDraws
        Margin and costs in each replicate.

    Returns
    -------
    Replicates
        0 where nobody is contacted; NaN where, in a replicate, one arm of the contacted is empty.
    """
    treated = contacts * observed.treatment / observed.propensity
    control = contacts * (1.0 - observed.treatment) / (1.0 - observed.propensity)
    size_1, outcome_1, redeemed_1, size_0, outcome_0 = weights.sums(
        np.stack(
            [
                treated,
                treated * observed.outcome,
                treated * observed.redeemed,
                control,
                control * observed.outcome,
            ]
        )
    )
    nobody = share == 0.0
    outcome = share * (_ratio(outcome_1, size_1) - _ratio(outcome_0, size_0))
    redemption = share * _ratio(redeemed_1, size_1)
    return valued(
        money=money,
        share=share,
        outcome=np.where(nobody, 0.0, outcome),
        redemption=np.where(nobody, 0.0, redemption),
    )


def _ratio(number: FloatArray, size: FloatArray) -> FloatArray:
    is_some = size > 0.0
    ratio: FloatArray = np.where(is_some, number / np.where(is_some, size, 1.0), np.nan)
    return ratio
