"""A fixed budget, spent where a USD earns most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from promo_uplift.contracts.parameters import Parameters, PolicyParameters, Usd
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.money import expected_profit
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.ranking import fill_best_first


class BudgetSettings(Parameters):
    """``budget_usd`` for contacts and expected redemptions of the whole population."""

    budget_usd: Usd


class Budget(Policy):
    """Contact by predicted profit per USD of expected cost, until the budget is spent."""

    Settings: ClassVar = BudgetSettings
    settings: BudgetSettings
    summary: ClassVar = "Most predicted profit per USD first, until a fixed budget is spent."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedBudget:
        """Nothing is learned."""
        return FittedBudget(money=training.money, budget_usd=self.settings.budget_usd)


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
        profit = predicted_profit(view=view, money=self.money)
        cost = expected_cost(view=view, money=self.money)
        per_usd = np.divide(profit, cost, out=np.full(len(cost), np.inf), where=cost > 0.0)
        return fill_best_first(
            ranking=per_usd,
            amount=cost,
            capacity=self.budget_usd * len(view) / view.population,
            eligible=profit > 0.0,
        )

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"Contact by predicted profit per USD of expected cost until {self.budget_usd:,.0f} "
            "USD are spent, and nobody whose predicted profit is not above 0."
        )


def expected_cost(*, view: PolicyView, money: PolicyParameters) -> FloatArray:
    """Return the expected cost of contacting each row, USD, ``(m,)``: the loss at effect 0."""
    return -expected_profit(
        cate_usd=np.zeros(len(view)), redemption=view.redemption, parameters=money
    )


def predicted_profit(*, view: PolicyView, money: PolicyParameters) -> FloatArray:
    """Predicted profit of contacting each row, USD, ``(m,)``."""
    return expected_profit(cate_usd=view.cate, redemption=view.redemption, parameters=money)
