"""What policies over several arms are worth under a budget, by held-out scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.analysis.arms import NO_COVARIATES
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects import minimum_detectable_effect
from promo_uplift.metrics import (
    HouseholdDraws,
    average_arms,
    cost_curve,
    percentile_interval,
)
from promo_uplift.metrics.cost_curve import NO_ARM
from promo_uplift.metrics.gain import Weights
from promo_uplift.policy import best_free_arm

#: The policy that is valued, and the one that does nothing.
ALLOCATION = "allocation"
NOBODY = "none"
#: Share of a budget by which sums of costs may miss it in floating point.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ArmOffer:
    """What every arm promises, brings and costs in every row.

    Attributes
    ----------
    rewards, scores : float64 (n, A)
        Predicted reward against no arm, and its doubly robust score, from models that never saw
        the row's fold; one unit.
    effects : float64 (n, A)
        Doubly robust score of the outcome, of which the margin is paid.
    costs : float64 (n, A)
        0 or more; infinite where the arm is not on offer.
    """

    rewards: FloatArray
    scores: FloatArray
    effects: FloatArray
    costs: FloatArray

    def only(self, arm: int) -> ArmOffer:
        """Return the offer of one arm."""
        return ArmOffer(
            *(part[:, [arm]] for part in (self.rewards, self.scores, self.effects, self.costs))
        )

    def blind(self, fold: IntArray) -> ArmOffer:
        """Return means over each fold: what a draw without covariates offers to its rows."""
        offered = np.isfinite(self.costs)
        rewards, scores, effects, costs = (
            np.where(offered, part, 0.0)
            for part in (self.rewards, self.scores, self.effects, self.costs)
        )
        costs = average_arms(costs, fold=fold)
        costs[:, ~offered.any(axis=0)] = np.inf
        return ArmOffer(average_arms(rewards, fold=fold), scores, effects, costs)


@dataclass(frozen=True, slots=True)
class _Valued:
    """Gain per row on the sample and on each replicate, and spend per row."""

    gain: FloatArray
    spend: float


def value_under_budget(
    *,
    offer: ArmOffer,
    names: tuple[str, ...],
    fold: IntArray,
    budget: float,
    draws: HouseholdDraws,
    margin: FloatArray | None,
    level: float,
    power: float,
) -> pd.DataFrame:
    """Value the allocation beside nobody, each arm alone, and all arms at random.

    Parameters
    ----------
    offer : ArmOffer
    names : tuple of str
        Of the arms.
    fold : int64 (n,)
        Each spends its share of the budget on its own rows.
    budget : float
        Over all rows.
    draws : HouseholdDraws
        The same for every policy.
    margin : float64 (1 + B,) or None
        Of each replicate less the expected one, which ``offer`` is at; None where it is known.
    level, power : float
        Of the intervals, and of the minimum detectable difference.

    Returns
    -------
    DataFrame
        As :attr:`promo_uplift.analysis.ArmAllocation.value`.
    """
    n_rows = len(fold)
    each = budget / n_rows
    market = _Market(fold, each, draws, margin)
    valued = {ALLOCATION: market.bought(offer)}
    valued[NOBODY] = _Valued(np.zeros(draws.counts.shape[1]), 0.0)
    for place, name in enumerate(names):
        alone = offer.only(place)
        valued[f"{name}, same budget"] = market.bought(alone)
        valued[f"{name}, for all"] = market.everybody(alone)
    valued[NO_COVARIATES] = market.bought(offer.blind(fold))
    rows = []
    for name, one in valued.items():
        gain = percentile_interval(values=one.gain, level=level)
        less = valued[ALLOCATION].gain - one.gain
        paired = percentile_interval(values=less, level=level)
        rows.append(
            {
                "policy": name,
                "spend": one.spend * n_rows,
                "spend_per_row": one.spend,
                "within_budget": bool(one.spend <= each * (1.0 + ROUNDING)),
                "gain": gain.estimate,
                "gain_ci_low": gain.ci_low,
                "gain_ci_high": gain.ci_high,
                "allocation_minus_this": paired.estimate,
                "allocation_minus_this_ci_low": paired.ci_low,
                "allocation_minus_this_ci_high": paired.ci_high,
                "mde": minimum_detectable_effect(
                    se=float(less[1:].std(ddof=1)), level=level, power=power
                ),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True)
class _Market:
    """What an offer is worth to a budget per row, on the same replicates."""

    fold: IntArray
    budget: float
    draws: HouseholdDraws
    margin: FloatArray | None

    def bought(self, offer: ArmOffer) -> _Valued:
        """Value what the budget buys in each fold, above what is free."""
        start, saved = best_free_arm(rewards=offer.rewards, costs=offer.costs)
        rows, place = np.arange(len(start)), np.maximum(start, 0)
        paid = np.where(offer.costs == 0.0, np.inf, offer.costs)
        is_paid = np.isfinite(paid)
        everything = float(np.where(is_paid, paid, 0.0).sum())

        def bought(scores: FloatArray, drawn: HouseholdDraws) -> FloatArray:
            curve = cost_curve(
                rewards=offer.rewards - saved[:, np.newaxis],
                costs=paid,
                scores=scores,
                budgets=[min(self.budget, everything)],
                groups=drawn.code,
                fold=self.fold,
                draws=drawn,
            )
            return np.asarray(curve.gain[0])

        def gain(scores: FloatArray) -> FloatArray:
            own = np.where(start == NO_ARM, 0.0, scores[rows, place])
            return bought(scores - own[:, np.newaxis], self.draws) + self._means(own)

        sample = HouseholdDraws(self.draws.code, np.ascontiguousarray(self.draws.counts[:, :1]))
        return _Valued(
            gain=self._paid(offer, gain),
            # what is "gained" of the costs is what is spent, fold by fold
            spend=float(bought(np.where(is_paid, paid, 0.0), sample)[0]),
        )

    def everybody(self, offer: ArmOffer) -> _Valued:
        """Value the one arm for everybody to whom it is on offer."""
        is_offered = np.isfinite(offer.costs[:, 0])
        return _Valued(
            gain=self._paid(
                offer, lambda scores: self._means(np.where(is_offered, scores[:, 0], 0.0))
            ),
            spend=float(np.where(is_offered, offer.costs[:, 0], 0.0).mean()),
        )

    def _paid(self, offer: ArmOffer, gain: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Gain at the expected margin, and what each replicate's margin adds."""
        known = gain(offer.scores)
        return known if self.margin is None else known + self.margin * gain(offer.effects)

    def _means(self, values: FloatArray) -> FloatArray:
        return Weights.of(code=self.draws.code, counts=self.draws.counts).means(values)
