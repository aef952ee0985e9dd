"""Profit outcomes of both arms, row by row, and how they move with money that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import CrossFittedNuisances, FloatArray, IntArray, TrialData
from promo_uplift.policy.money import expected_profit, money_sds


@dataclass(frozen=True, slots=True)
class ArmProfits:
    """Profit outcome of each row, seen in its own arm and predicted for each, ``(n,)``, USD."""

    seen: FloatArray
    predicted_treated: FloatArray
    predicted_control: FloatArray


@dataclass(frozen=True, slots=True)
class UnknownMoney:
    """How profit outcomes move with the amounts of money that are not known.

    Attributes
    ----------
    slopes : dict of ArmProfits
        By amount of :class:`promo_uplift.contracts.money.MoneyDraws`: change per USD of it (margin:
        per USD of margin on a unit).
    parameters : PolicyParameters
        Their laws.
    """

    slopes: Mapping[str, ArmProfits]
    parameters: PolicyParameters

    @property
    def sds(self) -> dict[str, float]:
        """Standard deviation of each amount that is not known."""
        sds = money_sds(self.parameters)
        sds["margin_per_unit"] = sds.pop("margin_rate") * self.parameters.outcome_value_usd
        return {name: sd for name, sd in sds.items() if sd > 0.0}

    def deviations(self, *, replicates: int, rng: np.random.Generator) -> FloatArray:
        """Amounts of each replicate less the expected ones, ``(J, 1 + B)``; the first are 0."""
        drawn = self.parameters.draws(replicates=replicates, rng=rng)
        amounts: FloatArray = np.stack([getattr(drawn, name) for name in self.slopes])
        return amounts - amounts[:, :1]


@dataclass(frozen=True, slots=True)
class ProfitOutcomes:
    """Profit outcome of each arm, seen and predicted, USD per row.

    Attributes
    ----------
    treatment : int64 (n,)
    seen : float64 (n,)
        Margin on the outcome, less contact and redemption where contacted.
    predicted_treated, predicted_control : float64 (n,)
        The same as the nuisances predict it for each arm, held out.
    odds : float64 (n,)
        ``e / (1 - e)`` of the held-out propensity.
    groups : int64 (n,)
        Household of each row.
    is_randomised : bool
        The propensity is the experiment's own.
    unknown : UnknownMoney or None
        What moves the profits, which are at expected money; None where all money is known.
    """

    treatment: IntArray
    seen: FloatArray
    predicted_treated: FloatArray
    predicted_control: FloatArray
    odds: FloatArray
    groups: IntArray
    is_randomised: bool
    unknown: UnknownMoney | None = None

    @property
    def profits(self) -> ArmProfits:
        """Profits at expected money."""
        return ArmProfits(self.seen, self.predicted_treated, self.predicted_control)


def profit_outcomes(
    *, data: TrialData, nuisances: CrossFittedNuisances, parameters: PolicyParameters
) -> ProfitOutcomes:
    """Profit outcomes of trials, with held-out nuisances.

    Parameters
    ----------
    data : TrialData
        Rows.
    nuisances : CrossFittedNuisances
        Of the same rows.
    parameters : PolicyParameters
        Margin and costs, at expected money.
    """
    held_out = nuisances.held_out()
    money = parameters.expected
    spent = money.contact_cost_usd + money.redemption_cost_usd * data.redeemed
    unknown = _unknown(data, nuisances, parameters) if parameters.is_uncertain else None
    return ProfitOutcomes(
        treatment=data.treatment,
        seen=money.margin_per_unit * data.outcome - np.where(data.treatment == 1, spent, 0.0),
        predicted_treated=expected_profit(
            cate_usd=held_out.mu1,
            redemption=nuisances.redemption_held_out(),
            parameters=parameters,
        ),
        predicted_control=money.margin_per_unit * held_out.mu0,
        odds=held_out.propensity / (1.0 - held_out.propensity),
        groups=data.groups,
        is_randomised=nuisances.is_propensity_known,
        unknown=unknown,
    )


def _unknown(
    data: TrialData, nuisances: CrossFittedNuisances, parameters: PolicyParameters
) -> UnknownMoney:
    held_out, mailed = nuisances.held_out(), (data.treatment == 1).astype(np.float64)
    nothing = np.zeros(len(mailed))
    redemption = nuisances.redemption_held_out()
    slopes = {
        "margin_per_unit": ArmProfits(data.outcome, held_out.mu1, held_out.mu0),
        "contact_cost_usd": ArmProfits(-mailed, nothing - 1.0, nothing),
        "redemption_cost_usd": ArmProfits(-mailed * data.redeemed, -redemption, nothing),
    }
    unknown = UnknownMoney(slopes, parameters)
    return replace(unknown, slopes={name: slopes[name] for name in unknown.sds})
