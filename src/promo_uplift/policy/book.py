"""Values what is decided: at expected money where all is known, else under each replicate's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from promo_uplift.contracts.money import Money, MoneyDraws
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.fold_dependence import widened
from promo_uplift.metrics.folds import FoldRows
from promo_uplift.policy.choice import profit_curves
from promo_uplift.policy.money import PolicyScores


@dataclass(frozen=True, slots=True)
class Replicates:
    """A policy's value in each replicate, ``(R,)`` each, per household of the population.

    Attributes
    ----------
    share, outcome : float64 (R,)
    profit, cost : float64 (R,)
        Under the replicate's money.
    expected_profit, expected_cost : float64 (R,)
        At expected money; the same where all is known.
    """

    share: FloatArray
    profit: FloatArray
    outcome: FloatArray
    cost: FloatArray
    expected_profit: FloatArray
    expected_cost: FloatArray

    @classmethod
    def certain(
        cls, *, share: FloatArray, profit: FloatArray, outcome: FloatArray, cost: FloatArray
    ) -> Replicates:
        """Value where all money is known."""
        return cls(share, profit, outcome, cost, profit, cost)

    def plus(self, other: Replicates, part: FloatArray) -> Replicates:
        """Add another policy, or fold, that counts ``part`` in each replicate."""
        return Replicates(
            *(
                getattr(self, one.name) + part * getattr(other, one.name)
                for one in fields(Replicates)
            )
        )


@dataclass(frozen=True, slots=True)
class Curves:
    """Profit over the share contacted, USD per household, ``(S, R)`` each.

    Attributes
    ----------
    expected, paid : float64 (S, R)
        At expected money, which decides, and under the replicate's; the same where all is known.
    cost : callable
        Cost ``(S, r)`` in some replicates ``(r,)``.
    """

    expected: FloatArray
    paid: FloatArray
    cost: Callable[[IntArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Book:
    """Scores, and the money that turns them into profit.

    Attributes
    ----------
    scores : PolicyScores
        At expected money.
    expected : Money
        What a decision is taken at.
    draws : MoneyDraws or None
        What it is valued under; None where all money is known.
    """

    scores: PolicyScores
    expected: Money
    draws: MoneyDraws | None

    def everyone(self, part: FoldRows) -> Replicates:
        """Value of contacting everybody of the fold."""
        return self.held_out(part, gain=part.weights.means, share=np.ones(len(part.part)))

    def current(self, part: FoldRows) -> Replicates:
        """Value of mailing the fold as it was."""
        scores, mean, rows = self.scores, part.weights.means, part.rows
        share, outcome = mean(scores.current_share[rows]), mean(scores.current_outcome[rows])
        if self.draws is None:
            profit, cost = mean(scores.current_profit[rows]), mean(scores.current_cost[rows])
            return Replicates.certain(share=share, profit=profit, outcome=outcome, cost=cost)
        return valued(
            money=self.draws,
            share=share,
            outcome=outcome,
            redemption=mean(scores.current_redemption[rows]),
        )

    def held_out(
        self,
        part: FoldRows,
        *,
        gain: Callable[[FloatArray], FloatArray],
        share: FloatArray,
    ) -> Replicates:
        """Value of contacting ``share`` of the fold; ``gain`` sums scores over whom that is."""
        scores, rows, fold = self.scores, part.rows, part.fold
        outcome = gain(scores.outcome[rows, fold])
        if self.draws is None:
            profit, cost = gain(scores.profit[rows, fold]), gain(scores.cost[rows, fold])
            return Replicates.certain(share=share, profit=profit, outcome=outcome, cost=cost)
        return valued(
            money=self.draws,
            share=share,
            outcome=outcome,
            redemption=gain(scores.redemption[rows, fold]),
        )

    def curves(
        self,
        *,
        ranking: FloatArray,
        fold: IntArray,
        folds: tuple[FoldRows, ...],
        shares: FloatArray,
    ) -> Curves:
        """Profit over the share for a held-out ranking ``(n,)``, folds averaged."""
        rows, scores = np.arange(len(fold)), self.scores
        everyone = np.arange(len(folds[0].part))

        def curve(values: FloatArray, replicates: IntArray) -> FloatArray:
            return profit_curves(
                profit=values[rows, fold],
                ranking=ranking,
                folds=folds,
                shares=shares,
                replicates=replicates,
            )

        if self.draws is None:
            known = curve(scores.profit, everyone)
            return Curves(known, known, partial(curve, scores.cost))
        money, contacted = self.draws, shares[:, np.newaxis]
        outcome, redemption = curve(scores.outcome, everyone), curve(scores.redemption, everyone)
        certain = MoneyDraws.certain(money=self.expected, replicates=len(everyone) - 1)
        return Curves(
            certain.profit(outcome=outcome, share=contacted, redemption=redemption),
            money.profit(outcome=outcome, share=contacted, redemption=redemption),
            lambda some: money.only(some).cost(share=contacted, redemption=redemption[:, some]),
        )

    def break_even(self, folds: Sequence[FoldRows]) -> FloatArray:
        """Break-even effect at the mean redemption of all households, USD, ``(R,)``."""
        rate = np.zeros(len(folds[0].part))
        for part in folds:
            redeemed = self.scores.redemption[part.rows, part.fold]
            rate = rate + part.part * part.weights.means(redeemed)
        money = self.draws or MoneyDraws.certain(money=self.expected, replicates=len(rate) - 1)
        return money.break_even(rate)


def valued(
    *, money: MoneyDraws, share: FloatArray, outcome: FloatArray, redemption: FloatArray
) -> Replicates:
    """Put money on what a policy gains and spends, per household of the population, ``(R,)``."""
    known = money.expected
    return Replicates(
        share,
        money.profit(outcome=outcome, share=share, redemption=redemption),
        outcome,
        money.cost(share=share, redemption=redemption),
        known.profit(outcome=outcome, share=share, redemption=redemption),
        known.cost(share=share, redemption=redemption),
    )


def widened_at_expected(*, paid: FloatArray, expected: FloatArray, factor: float) -> FloatArray:
    """Replicates at expected money moved away from the sample, then what their money adds.

    ``factor`` is for folds that depend on each other; what is not known of money does not.

    Parameters
    ----------
    paid, expected : float64 (R,)
        A figure under each replicate's money and at expected money; the same where all is known.
    factor : float
        As in :func:`promo_uplift.metrics.fold_dependence.widened`.
    """
    return widened(values=expected, factor=factor) + (paid - expected)
