r"""What a policy earns row by row, and an error of its mean that holds what is not known of money.

Profit is linear in money, :math:`P = m\,O - c\,S - r\,R` with outcome, share contacted and
redemptions of the policy. Money is independent of the effects, so that

.. math::

    \operatorname{Var}(\hat P) = \operatorname{Var}(\hat P \mid \bar m, \bar c, \bar r)
        + \sigma_m^2\, E\hat O^2 + \sigma_c^2\, E\hat S^2 + \sigma_r^2\, E\hat R^2,

and the squares of what was found estimate the last three without bias. What is the same under two
policies cancels in their difference, money too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from promo_uplift.contracts.money import Money
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.clustered import ClusteredMean, clustered_mean
from promo_uplift.policy.money import PolicyScores, money_sds, profit_usd


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """What one policy is worth on each row, each ``(n,)``, per household of the population.

    Attributes
    ----------
    contact : float64 (n,)
        P(contacted).
    outcome, redemption : float64 (n,)
        Scores of the outcome and of redeeming, times the contact.
    cost, profit : float64 (n,)
        Of these at expected money, USD.
    """

    contact: FloatArray
    outcome: FloatArray
    redemption: FloatArray
    cost: FloatArray
    profit: FloatArray

    @classmethod
    def everyone(
        cls, *, outcome: FloatArray, redemption: FloatArray, parameters: PolicyParameters
    ) -> PolicyRows:
        """Contact every row, by its scores of outcome and redemption ``(n,)``."""
        money = parameters.expected
        cost = money.contact_cost_usd + money.redemption_cost_usd * redemption
        profit = profit_usd(outcome_usd=outcome, cost_usd=cost, money=money)
        return cls(np.ones(len(outcome)), outcome, redemption, cost, profit)

    @classmethod
    def held_out(cls, *, scores: PolicyScores, fold: IntArray) -> PolicyRows:
        """Contact every row, by scores that saw nothing of its fold ``(n,)``."""
        at = np.arange(len(fold)), fold
        return cls(
            np.ones(len(fold)),
            *(one[at] for one in (scores.outcome, scores.redemption, scores.cost, scores.profit)),
        )

    @classmethod
    def as_mailed(cls, *, scores: PolicyScores) -> PolicyRows:
        """Contact whom the mailing contacted."""
        return cls(
            scores.current_share,
            scores.current_outcome,
            scores.current_redemption,
            scores.current_cost,
            scores.current_profit,
        )

    @classmethod
    def stacked(cls, parts: list[PolicyRows]) -> PolicyRows:
        """Rows of several tables one after another."""
        return cls(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls))
        )

    def times(self, contact: FloatArray | float) -> PolicyRows:
        """Contact these rows with this chance ``(n,)``."""
        return PolicyRows(*(contact * getattr(self, one.name) for one in fields(self)))

    def minus(self, other: PolicyRows) -> PolicyRows:
        """Difference to another policy, row by row."""
        return PolicyRows(
            *(getattr(self, one.name) - getattr(other, one.name) for one in fields(self))
        )

    def profit_at(self, money: Money) -> float:
        """Mean profit at other money, USD."""
        return money.margin_per_unit * float(self.outcome.mean()) - self.cost_at(money)

    def cost_at(self, money: Money) -> float:
        """Mean cost at other money, USD."""
        contact = money.contact_cost_usd * float(self.contact.mean())
        return contact + money.redemption_cost_usd * float(self.redemption.mean())

    def profit_error(self, parameters: PolicyParameters) -> float:
        """Error of the mean profit from what is not known of money, USD; 0 where all is known."""
        return money_error(figure=self.profit_at, parameters=parameters)

    def mean_profit(self, *, groups: IntArray, parameters: PolicyParameters) -> ClusteredMean:
        """Mean profit, its error clustered by household and with what is not known of money."""
        return with_money_error(
            clustered_mean(values=self.profit, groups=groups),
            figure=self.profit_at,
            parameters=parameters,
        )

    def mean_cost(self, *, groups: IntArray, parameters: PolicyParameters) -> ClusteredMean:
        """Mean cost, with the same error."""
        return with_money_error(
            clustered_mean(values=self.cost, groups=groups),
            figure=self.cost_at,
            parameters=parameters,
        )

    def roi(self, *, groups: IntArray, parameters: PolicyParameters) -> ClusteredMean:
        """Profit over cost, with the same error to first order; the mean cost must be above 0."""
        return with_money_error(
            clustered_mean(values=self.profit, groups=groups, weights=self.cost),
            figure=lambda money: self.profit_at(money) / self.cost_at(money),
            parameters=parameters,
        )


def money_error(*, figure: Callable[[Money], float], parameters: PolicyParameters) -> float:
    """Return the standard error of a figure from what is not known of money, in its unit.

    Half the change of the figure between one standard deviation above and below the mean of each
    amount, which is exact where the figure is linear in it; amounts are independent.

    Parameters
    ----------
    figure : callable
        The figure at some money.
    parameters : PolicyParameters
        Money, known or not.

    Examples
    --------
    >>> money = PolicyParameters(
    ...     margin_rate=0.25, contact_cost_usd={"normal": {"mean": 1.0, "sd": 0.1}},
    ...     redemption_cost_usd=2.0, values_are_assumptions=True, grid_points=11,
    ...     support_quantile=0.0)
    >>> round(money_error(figure=lambda at: -0.5 * at.contact_cost_usd, parameters=money), 6)
    0.05
    """
    known, halves = parameters.expected, []
    for name, sd in money_sds(parameters).items():
        if sd > 0.0:
            middle = getattr(known, name)
            above, below = (figure(replace(known, **{name: middle + step})) for step in (sd, -sd))
            halves.append(0.5 * (above - below))
    return float(np.linalg.norm(halves))


def with_money_error(
    mean: ClusteredMean, *, figure: Callable[[Money], float], parameters: PolicyParameters
) -> ClusteredMean:
    """Add the error from what is not known of money to that of a mean; the same where all is."""
    error = money_error(figure=figure, parameters=parameters)
    return replace(mean, se=float(np.hypot(mean.se, error)))
