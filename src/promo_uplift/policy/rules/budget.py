"""A fixed budget, spent where a USD earns most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import Parameters, PolicyParameters, Usd
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.money import expected_profit
from promo_uplift.policy.rules.base import FittedPolicy, Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.frozen import lowest_certain
from promo_uplift.policy.rules.ranking import fill_best_first


class BudgetSettings(Parameters):
    """``budget_usd`` for contacts and expected redemptions of all lists together.

    None: what ``policy.budget_usd`` states.
    """

    budget_usd: Usd | None = None

    def amount(self, money: PolicyParameters) -> float | None:
        """Return the budget, USD; None where nobody stated one."""
        return self.budget_usd if self.budget_usd is not None else money.expected.budget_usd


class Budget(Policy):
    """Contact by predicted profit per USD of expected cost, until the budget is spent."""

    Settings: ClassVar = BudgetSettings
    settings: BudgetSettings
    summary: ClassVar = "Most predicted profit per USD first, until a fixed budget is spent."

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say that nobody stated a budget."""
        if self.settings.amount(money) is not None:
            return None
        return "It needs a budget, and none is stated: `policy.budget_usd`."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedBudget:
        """Nothing is learned.

        Raises
        ------
        PolicyError
            If nobody stated a budget.
        """
        amount = self.settings.amount(training.money)
        if amount is None:
            raise PolicyError("`policy.budget_usd` must be stated to spend a budget; it is null.")
        return FittedBudget(money=training.money, budget_usd=amount)


@dataclass(frozen=True, slots=True)
class FittedBudget:
    """The rule.

    Attributes
    ----------
    money : PolicyParameters
        Margin and costs.
    budget_usd : float
        Of the whole population; a list of ``m`` rows gets its part of it.
    """

    money: PolicyParameters
    budget_usd: float

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact best first; the row that the budget ends in is contacted by lot."""
        return fill_best_first(
            ranking=profit_per_usd(view=view, money=self.money),
            amount=expected_cost(view=view, money=self.money),
            capacity=self.budget_usd * len(view) / view.population,
            eligible=predicted_profit(view=view, money=self.money) > 0.0,
        )

    def frozen(self, *, view: PolicyView) -> FittedPolicy:
        """Fix the profit per USD at which the budget ends on a list."""
        return FrozenBudget(
            money=self.money,
            threshold=lowest_certain(
                ranking=profit_per_usd(view=view, money=self.money),
                contacts=self.contact(view=view),
                eligible=predicted_profit(view=view, money=self.money) > 0.0,
            ),
            words=self.describe(),
        )

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"Contact by predicted profit per USD of expected cost until {self.budget_usd:,.0f} "
            "USD are spent, and nobody whose predicted profit is not above 0."
        )


@dataclass(frozen=True, slots=True)
class FrozenBudget:
    """Contact from a profit per USD on, where the budget ended on the training rows.

    Attributes
    ----------
    money : PolicyParameters
        Margin and costs.
    threshold : float
        Predicted profit per USD of expected cost.
    words : str
        The rule that it was made of.
    """

    money: PolicyParameters
    threshold: float
    words: str

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact or not."""
        enough = profit_per_usd(view=view, money=self.money) >= self.threshold
        pays = predicted_profit(view=view, money=self.money) > 0.0
        return np.asarray(enough & pays, dtype=np.float64)

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"{self.words} On the training rows the budget ends at {self.threshold:.3g} USD of "
            "profit per USD."
        )


def profit_per_usd(*, view: PolicyView, money: PolicyParameters) -> FloatArray:
    """Predicted profit per USD of expected cost, ``(m,)``; infinite where nothing is spent."""
    profit = predicted_profit(view=view, money=money)
    cost = expected_cost(view=view, money=money)
    ratio: FloatArray = np.divide(profit, cost, out=np.full(len(cost), np.inf), where=cost > 0.0)
    return ratio


def expected_cost(*, view: PolicyView, money: PolicyParameters) -> FloatArray:
    """Return the expected cost of contacting each row, USD, ``(m,)``: the loss at effect 0."""
    return -expected_profit(
        cate_usd=np.zeros(len(view)), redemption=view.redemption, parameters=money
    )


def predicted_profit(*, view: PolicyView, money: PolicyParameters) -> FloatArray:
    """Predicted profit of contacting each row, USD, ``(m,)``."""
    return expected_profit(cate_usd=view.cate, redemption=view.redemption, parameters=money)
