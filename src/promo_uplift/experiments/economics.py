"""What the experiment costs, and what its answer is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.effects import ClusteredMean
from promo_uplift.experiments.value import Prior, value_of_information
from promo_uplift.policy.rows import PolicyRows

#: Sizes among which the best is looked for.
SIZES: Final = 10_000


@dataclass(frozen=True, slots=True)
class ExperimentCost:
    """What running the experiment takes and earns, over all its waves, USD.

    Attributes
    ----------
    contacts, redemptions : float
        Expected numbers.
    spent_usd : float
        On contacts, redemptions, following the households, and running it.
    profit_of_contacts_usd : Interval
        Of the mailed households, by the present estimate.
    profit_against_current_usd : Interval
        Of all its households less what the mailing as it was earns on as many, and less the cost of
        following and running.
    """

    contacts: float
    redemptions: float
    spent_usd: float
    profit_of_contacts_usd: Interval
    profit_against_current_usd: Interval


@dataclass(frozen=True, slots=True)
class InformationValue:
    """Expected value of the experiment for the decision to mail all or none, USD.

    What it teaches about whom to mail comes on top and is not counted.

    Attributes
    ----------
    prior_mean_usd, prior_sd_usd : float
        Present estimate of the profit of mailing a household, and its error with the inflation.
    horizon_households : int
        Contacts that the decision is about: households times campaigns to come.
    perfect_usd : float
        Of knowing the profit exactly, over the horizon: no experiment is worth more.
    gross_usd, cost_usd, net_usd : float
        Of the planned experiment: its expected value, what it gives up against the best decision
        by present knowledge, and the difference.
    best_households : int
        Size with the highest net value among those that the waves allow; 0: do not run it.
    best_net_usd : float
        Net value at that size.
    """

    prior_mean_usd: float
    prior_sd_usd: float
    horizon_households: int
    perfect_usd: float
    gross_usd: float
    cost_usd: float
    net_usd: float
    best_households: int
    best_net_usd: float


def cost_of_running(  # noqa: PLR0913 - one figure, named in full by its caller
    *,
    households: int,
    control_share: float,
    redemption_rate: float,
    mailed: PolicyRows,
    current: PolicyRows,
    groups: IntArray,
    policy: PolicyParameters,
    parameters: ExperimentParameters,
    level: float,
) -> ExperimentCost:
    """Cost of an experiment of so many households, and its profit beside the current mailing's.

    Parameters
    ----------
    households : int
        Of both arms and all waves.
    control_share : float
        Share that is not mailed.
    redemption_rate : float
        P(redeems | mailed).
    mailed, current : PolicyRows
        Doubly robust scores of contacting each row, and of the mailing as it was.
    groups : int64 (n,)
        Household of each row.
    policy : PolicyParameters
        Margin and costs; what is not known of them is in the intervals.
    parameters : ExperimentParameters
        Cost of following a household and of running it.
    level : float
        Confidence level.
    """
    contacts = households * (1.0 - control_share)
    redemptions = contacts * redemption_rate
    overhead = parameters.unit_cost_usd * households + parameters.fixed_cost_usd
    money = policy.expected
    spent = money.contact_cost_usd * contacts + money.redemption_cost_usd * redemptions
    each, against = (
        one.mean_profit(groups=groups, parameters=policy).interval(level=level)
        for one in (mailed, mailed.times(1.0 - control_share).minus(current))
    )
    return ExperimentCost(
        contacts=contacts,
        redemptions=redemptions,
        spent_usd=spent + overhead,
        profit_of_contacts_usd=_times(each, contacts, 0.0),
        profit_against_current_usd=_times(against, households, -overhead),
    )


def _times(interval: Interval, factor: float, plus: float) -> Interval:
    return Interval(
        interval.estimate * factor + plus,
        interval.ci_low * factor + plus,
        interval.ci_high * factor + plus,
    )


def value_of_running(
    *,
    profit: ClusteredMean,
    unit_variance: float,
    control_share: float,
    planned: int,
    eligible: int,
    parameters: ExperimentParameters,
) -> InformationValue:
    r"""Return the expected value of the planned experiment for all or none, and of the best size.

    The prior is the present estimate :math:`\mu`, its error inflated. An experiment of :math:`n`
    households gives up :math:`n (\max(\mu, 0) - (1 - q) \mu)` against the best decision by present
    knowledge, and costs its overhead. All at expected money: the decision is taken at it, and no
    experiment says more about a margin or a cost.

    Parameters
    ----------
    profit : ClusteredMean
        Mean profit of contacting a household at expected money, USD, by the data at hand.
    unit_variance : float
        Variance of the experiment's estimate of that profit times its households, USD squared.
    control_share : float
        Share that is not mailed.
    planned, eligible : int
        Households of the plan, and of one mailing.
    parameters : ExperimentParameters
        Horizon, waves, costs, and the inflation of the error.

    References
    ----------
    Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, 5.5.
    """
    prior = Prior(mean_usd=profit.estimate, sd_usd=parameters.prior_inflation * profit.se)
    horizon = eligible * parameters.horizon_campaigns
    forgone = max(prior.mean_usd, 0.0) - (1.0 - control_share) * prior.mean_usd

    def gross(households: FloatArray) -> FloatArray:
        variance = unit_variance / np.maximum(households, 1.0)
        value = horizon * value_of_information(prior=prior, sampling_variance=variance)
        return np.where(households > 0.0, value, 0.0)

    def cost(households: FloatArray) -> FloatArray:
        each = forgone + parameters.unit_cost_usd
        return np.where(households > 0.0, each * households + parameters.fixed_cost_usd, 0.0)

    most = eligible * parameters.max_waves
    sizes = np.unique(np.linspace(0.0, most, SIZES + 1).round())
    net = gross(sizes) - cost(sizes)
    best = int(np.argmax(net))
    here = np.array([float(planned)])
    perfect = value_of_information(prior=prior, sampling_variance=np.zeros(1))
    return InformationValue(
        prior_mean_usd=prior.mean_usd,
        prior_sd_usd=prior.sd_usd,
        horizon_households=horizon,
        perfect_usd=float(horizon * perfect[0]),
        gross_usd=float(gross(here)[0]),
        cost_usd=float(cost(here)[0]),
        net_usd=float((gross(here) - cost(here))[0]),
        best_households=int(sizes[best]),
        best_net_usd=float(net[best]),
    )
