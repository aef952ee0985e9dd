"""What arms promise, bring and cost row by row, and what a growing budget buys of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from promo_uplift.analysis.arms import ArmEffects
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics import CostCurve, HouseholdDraws, average_arms, cost_curve
from promo_uplift.metrics.cost_curve import NO_ARM
from promo_uplift.metrics.gain import Weights
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import best_free_arm

#: Name of the policy that spends on all arms, and of the one that knows no covariates.
ALL_ARMS = "all arms"
NO_COVARIATES = "all arms, at random"
Costs = Mapping[str, float | Sequence[float] | FloatArray]


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
    margin : float64 (1 + B,) or None
        Of each replicate less the expected one, which rewards and scores are at; None where it is
        known.
    """

    rewards: FloatArray
    scores: FloatArray
    effects: FloatArray
    costs: FloatArray
    margin: FloatArray | None = None

    @classmethod
    def of(
        cls,
        *,
        effects: ArmEffects,
        costs: Costs,
        policy: PolicyParameters | None,
        replicates: int,
        seed: int,
    ) -> ArmOffer:
        r"""Offer arms for their profit, or without a stated margin for the outcome itself.

        With a margin :math:`m` the reward of an arm is :math:`m\,\hat\tau_a(x) - c_a`, else
        :math:`\hat\tau_a(x)`. A margin that is a distribution is drawn once for each of the
        ``replicates``.

        Raises
        ------
        PolicyError
            If an arm has no cost, a cost is negative or NaN, or costs have another length than the
            table.
        """
        price = _prices(costs=costs, effects=effects)
        if policy is None or not policy.are_stated:
            return cls(effects.cate, effects.scores, effects.scores, price)
        money = policy.draws(
            replicates=replicates, rng=derived_rng(seed=seed, purpose="arm_allocation/money")
        )
        margin = policy.expected.margin_per_unit
        spent = np.where(np.isfinite(price), price, 0.0)
        return cls(
            rewards=margin * effects.cate - spent,
            scores=margin * effects.scores - spent,
            effects=effects.scores,
            costs=price,
            margin=None if money is None else money.margin_per_unit - money.margin_per_unit[0],
        )

    def only(self, arm: int) -> ArmOffer:
        """Return the offer of one arm."""
        rewards, scores, effects, costs = (
            part[:, [arm]] for part in (self.rewards, self.scores, self.effects, self.costs)
        )
        return ArmOffer(rewards, scores, effects, costs, self.margin)

    def blind(self, fold: IntArray) -> ArmOffer:
        """Return means over each fold: what a draw without covariates offers to its rows."""
        offered = np.isfinite(self.costs)
        rewards, scores, effects, costs = (
            np.where(offered, part, 0.0)
            for part in (self.rewards, self.scores, self.effects, self.costs)
        )
        costs = average_arms(costs, fold=fold)
        costs[:, ~offered.any(axis=0)] = np.inf
        return ArmOffer(average_arms(rewards, fold=fold), scores, effects, costs, self.margin)

    def for_everybody(self, draws: HouseholdDraws) -> FloatArray:
        """Gain per row of the one arm for everybody to whom it is on offer, ``(1 + B,)``."""
        is_offered = np.isfinite(self.costs[:, 0])
        known, paid = (
            means(np.where(is_offered, part[:, 0], 0.0), draws)
            for part in (self.scores, self.effects)
        )
        return known if self.margin is None else known + self.margin * paid

    @property
    def for_all(self) -> FloatArray:
        """Cost per row of each arm for everybody to whom it is on offer, ``(A,)``."""
        return np.asarray(np.where(np.isfinite(self.costs), self.costs, 0.0).mean(axis=0))

    def curve(
        self,
        *,
        budgets: Sequence[float] | FloatArray,
        fold: IntArray,
        draws: HouseholdDraws,
        level: float,
    ) -> CostCurve:
        """Gain of the best use of each budget per row, what is free included.

        Parameters
        ----------
        budgets : (S,)
            Per row, ascending.
        fold : int64 (n,)
            Each spends the budget on its own rows.
        draws : HouseholdDraws
        level : float
        """

        def curve(scores: FloatArray) -> CostCurve:
            return self.curve_of(
                scores=scores, budgets=budgets, fold=fold, draws=draws, level=level
            )

        known = curve(self.scores)
        if self.margin is None:
            return known
        paid = curve(self.effects)
        return replace(
            known,
            gain=known.gain + self.margin * paid.gain,
            area=known.area + self.margin * paid.area,
        )

    def curve_of(
        self,
        *,
        scores: FloatArray,
        budgets: Sequence[float] | FloatArray,
        fold: IntArray,
        draws: HouseholdDraws,
        level: float,
    ) -> CostCurve:
        """Sum scores ``(n, A)`` over what each budget buys; the same spending as :meth:`curve`."""
        start, saved = best_free_arm(rewards=self.rewards, costs=self.costs)
        own = np.where(start == NO_ARM, 0.0, scores[np.arange(len(start)), np.maximum(start, 0)])
        bought = cost_curve(
            rewards=self.rewards - saved[:, np.newaxis],
            costs=np.where(self.costs == 0.0, np.inf, self.costs),
            scores=scores - own[:, np.newaxis],
            budgets=budgets,
            groups=draws.code,
            fold=fold,
            draws=draws,
            level=level,
        )
        free = means(own, draws)
        return replace(
            bought,
            gain=bought.gain + free,
            area=bought.area + bought.budgets[:, np.newaxis] * free,
        )


def means(values: FloatArray, draws: HouseholdDraws) -> FloatArray:
    """Mean over the rows, on the sample and on each replicate, ``(1 + B,)``."""
    return Weights.of(code=draws.code, counts=draws.counts).means(values)


def _prices(*, costs: Costs, effects: ArmEffects) -> FloatArray:
    if set(costs) != set(effects.names):
        raise PolicyError(
            f"`costs` must give the cost of every arm, {list(effects.names)}; got {sorted(costs)}."
        )
    n_rows = len(effects.fold)
    columns = []
    for name in effects.names:
        given = np.asarray(costs[name], dtype=np.float64)
        if given.shape not in ((), (n_rows,)):
            raise PolicyError(
                f"`costs[{name!r}]` must be a number, or one for each of the {n_rows} rows of the "
                f"table; got shape {given.shape}."
            )
        if n_odd := int((~(given >= 0.0)).sum()):
            raise PolicyError(
                f"`costs` must be 0 or more (infinite where an arm is not on offer); {n_odd} of "
                f"{name!r} are not."
            )
        columns.append(np.broadcast_to(given, n_rows))
    return np.column_stack(columns)
