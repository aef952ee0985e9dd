"""Turns effects into money, with margin and costs that are inputs, never estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.money import Money, expected_amount, spread
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import (
    CrossFittedNuisances,
    FloatArray,
    NuisanceValues,
    TrialData,
)
from promo_uplift.nuisance.scores import dr_scores


@dataclass(frozen=True, slots=True)
class PolicyScores:
    """Doubly robust scores of contacting each household, and of the mailing as it was.

    Matrices follow the module's note of ``contracts/results.py``: column ``k`` rests on nuisances
    that saw nothing of fold ``k``.

    Attributes
    ----------
    outcome : float64 (n, K)
        Incremental outcome if contacted, USD per contacted household, before costs.
    cost : float64 (n, K)
        Contact and redemption cost if contacted, USD per contacted household.
    profit : float64 (n, K)
        ``margin_rate * outcome - cost``, USD per contacted household.
    redemption : float64 (n, K)
        P(redeems) if contacted: with ``outcome`` it gives cost and profit at any money.
    current_share, current_outcome, current_cost, current_profit, current_redemption : float64 (n,)
        The same of the mailing as it was, per household of the population: 1 and its cost where
        mailed, else 0, and the doubly robust score of the effect on the mailed.

    Cost and profit are at expected money.
    """

    outcome: FloatArray
    cost: FloatArray
    profit: FloatArray
    redemption: FloatArray
    current_share: FloatArray
    current_outcome: FloatArray
    current_cost: FloatArray
    current_profit: FloatArray
    current_redemption: FloatArray


def policy_scores(
    *, data: TrialData, nuisances: CrossFittedNuisances, parameters: PolicyParameters
) -> PolicyScores:
    r"""Scores in USD of contacting each household, doubly robust, per fold that is held out.

    Profit per contacted household:
    :math:`margin \cdot \Gamma - c_{contact} - c_{redeem}\, \Gamma^R` with :math:`\Gamma` the score
    of the outcome and :math:`\Gamma^R = r + T (R - r) / e` the score of redeeming if contacted.
    The mailing as it was is valued by the score of the effect on the mailed,
    :math:`(Y - \mu_0)(T - (1 - T)\, e / (1 - e))`, and by the redemptions that were counted.

    Parameters
    ----------
    data : TrialData
        Treatment, outcome, redemptions.
    nuisances : CrossFittedNuisances
        Propensity, outcome and redemption models.
    parameters : PolicyParameters
        Margin and costs; cost and profit are at expected money.

    Raises
    ------
    PolicyError
        If data and nuisances are not of the same rows, or a control household redeemed.
    """
    if nuisances.propensity.shape[0] != len(data.treatment):
        raise PolicyError(
            f"`nuisances` must be of the rows of `data`: found {nuisances.propensity.shape[0]} "
            f"and {len(data.treatment)}."
        )
    untreated_redeemers = int(np.sum((data.treatment == 0) & (data.redeemed > 0)))
    if untreated_redeemers:
        raise PolicyError(
            f"`redeemed` must be 0 where `treatment` is 0; {untreated_redeemers} households "
            "redeemed without a mailing. Check the join of redemptions to trials."
        )
    columns = range(nuisances.n_folds)
    outcome = np.column_stack(
        [
            dr_scores(
                treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.excluding(k)
            )
            for k in columns
        ]
    )
    nobody = np.zeros(len(data.treatment))
    redemption = np.column_stack(
        [
            dr_scores(
                treatment=data.treatment,
                outcome=data.redeemed,
                nuisances=NuisanceValues(
                    nuisances.propensity[:, k], nobody, nuisances.redemption[:, k]
                ),
            )
            for k in columns
        ]
    )
    money = parameters.expected
    cost = money.contact_cost_usd + money.redemption_cost_usd * redemption
    held_out = nuisances.held_out()
    odds = held_out.propensity / (1.0 - held_out.propensity)
    mailed = data.treatment == 1
    current_outcome = (data.outcome - held_out.mu0) * np.where(mailed, 1.0, -odds)
    current_cost = np.where(
        mailed,
        money.contact_cost_usd + money.redemption_cost_usd * data.redeemed,
        0.0,
    )
    return PolicyScores(
        outcome=outcome,
        cost=cost,
        profit=profit_usd(outcome_usd=outcome, cost_usd=cost, money=money),
        redemption=redemption,
        current_share=mailed.astype(np.float64),
        current_outcome=current_outcome,
        current_cost=current_cost,
        current_profit=profit_usd(outcome_usd=current_outcome, cost_usd=current_cost, money=money),
        current_redemption=np.where(mailed, data.redeemed, 0.0),
    )


def profit_usd(*, outcome_usd: FloatArray, cost_usd: FloatArray, money: Money) -> FloatArray:
    """Profit, USD per household: margin on the incremental outcome less cost."""
    return money.margin_per_unit * outcome_usd - cost_usd


def expected_profit(
    *, cate_usd: FloatArray, redemption: FloatArray, parameters: PolicyParameters
) -> FloatArray:
    """Predicted profit of contacting each household, USD per contacted household, ``(m,)``.

    Parameters
    ----------
    cate_usd : float64 (m,)
        Predicted effect on the outcome.
    redemption : float64 (m,)
        P(redeems | contacted).
    parameters : PolicyParameters
        Margin and costs.
    """
    money = parameters.expected
    cost = money.contact_cost_usd + money.redemption_cost_usd * redemption
    return profit_usd(outcome_usd=cate_usd, cost_usd=cost, money=money)


def break_even_effect(*, redemption_rate: float, parameters: PolicyParameters) -> float:
    """Average effect at which a contact pays for itself, USD per contacted household.

    Infinite where the margin is 0: no effect on spend can then pay for a cost.
    """
    rate = np.array([redemption_rate])
    return float(break_even_cate(redemption=rate, parameters=parameters)[0])


def break_even_cate(*, redemption: FloatArray, parameters: PolicyParameters) -> FloatArray:
    """Effect at which a contact pays for itself, USD per contacted household, ``(m,)``.

    Infinite where the margin is 0: no effect on spend can then pay for a cost.

    Examples
    --------
    >>> money = PolicyParameters(
    ...     margin_rate=0.25, contact_cost_usd=1.0, redemption_cost_usd=2.0,
    ...     values_are_assumptions=True, grid_points=11, support_quantile=0.0)
    >>> break_even_cate(redemption=np.array([0.5]), parameters=money)
    array([8.])
    """
    money = parameters.expected
    cost = money.contact_cost_usd + money.redemption_cost_usd * redemption
    if money.margin_rate == 0.0:
        return np.full(len(redemption), np.inf)
    threshold: FloatArray = cost / money.margin_per_unit
    return threshold


def money_words(*, parameters: PolicyParameters, redeeming: str) -> str:
    """Money in words, with the standard deviation of what is not known.

    Parameters
    ----------
    parameters : PolicyParameters
        The money stated.
    redeeming : str
        What a redemption's cost is paid for, e.g. "redeeming household".

    Examples
    --------
    >>> money = PolicyParameters(
    ...     margin_rate={"normal": {"mean": 0.25, "sd": 0.02}}, contact_cost_usd=0.75,
    ...     redemption_cost_usd=2.0, retailer_funded_share=0.5,
    ...     values_are_assumptions=True, grid_points=11, support_quantile=0.0)
    >>> money_words(parameters=money, redeeming="redemption")
    'margin 25% (sd 2.0%), contact 0.75 USD, redemption 1.00 USD'
    """
    known, sds = parameters.expected, money_sds(parameters)
    margin = sds["margin_rate"]
    margin_words = f"margin {known.margin_rate:.0%}" + (f" (sd {margin:.1%})" if margin else "")
    paid = (
        ("contact", known.contact_cost_usd, sds["contact_cost_usd"]),
        (redeeming, known.redemption_cost_usd, sds["redemption_cost_usd"]),
    )
    costs = [
        f"{name} {cost:.2f} USD" + (f" (sd {sd:.2f})" if sd else "") for name, cost, sd in paid
    ]
    return ", ".join((margin_words, *costs))


def money_sds(parameters: PolicyParameters) -> dict[str, float]:
    """Return the standard deviation of each amount of :class:`Money`; 0 where it is known."""
    cost, share = parameters.redemption_cost_usd, parameters.retailer_funded_share
    of_cost, of_share = spread(cost), spread(share)
    # a product of two independent amounts
    terms = (of_cost * of_share, of_cost * expected_amount(share), of_share * expected_amount(cost))
    return {
        "margin_rate": spread(parameters.margin_rate),
        "contact_cost_usd": spread(parameters.contact_cost_usd),
        "redemption_cost_usd": float(np.linalg.norm(terms)),
    }


def assumption_columns(parameters: PolicyParameters) -> dict[str, float | bool]:
    """Money that a table rests on, expected and to the retailer, as columns that travel with it."""
    money = parameters.expected
    return {
        "margin_rate": money.margin_rate,
        "outcome_value_usd": money.outcome_value_usd,
        "contact_cost_usd": money.contact_cost_usd,
        "redemption_cost_usd": money.redemption_cost_usd,
        "values_are_assumptions": parameters.values_are_assumptions,
    }
