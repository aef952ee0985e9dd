"""The plan of the next experiment: what it tests, how large, how long, at what price and worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import CrossFittedNuisances, Interval, TrialData
from promo_uplift.effects import ClusteredMean, clustered_mean, minimum_detectable_effect
from promo_uplift.experiments.economics import (
    ExperimentCost,
    InformationValue,
    cost_of_running,
    value_of_running,
)
from promo_uplift.experiments.population import Population
from promo_uplift.experiments.questions import (
    Aim,
    Contrast,
    Question,
    QuestionName,
    halves,
    question,
)
from promo_uplift.experiments.size import ArmNoise, arm_noise, optimal_control_share
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.policy.money import break_even_effect, policy_scores
from promo_uplift.policy.rows import PolicyRows

BREAK_EVEN: Final = "the break-even effect"
COULD_HAVE_SHOWN: Final = "the smallest effect that the data at hand could have shown"
#: From which, with the run's seed, lots are drawn.
LOTS: Final = "experiment/assignment"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the run knows, and what it assumes of money.

    Attributes
    ----------
    data : TrialData
    nuisances : CrossFittedNuisances
    policy : PolicyParameters
    level, power : float
        Confidence level and power of the experiment's tests.
    outcome_days : int or None
        Length of the outcome window; None where it is not known.
    """

    data: TrialData
    nuisances: CrossFittedNuisances
    policy: PolicyParameters
    level: float
    power: float
    outcome_days: int | None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Eligible households of a stratum, with mean predicted effect and residual spread, USD."""

    name: str
    households: int
    predicted_effect_usd: float
    residual_sd_usd: float


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """The experiment that would settle the decision.

    Attributes
    ----------
    question : str
        Whose size is planned.
    worth_finding : str
        What the effect worth finding is.
    aim : Aim
        That effect, the control share of every stratum, level and power.
    present_effect_usd : Interval
        Average effect by the data at hand.
    noise : ArmNoise
        Residual spread of the arms.
    households_eligible, households_per_wave, waves, households : int
        Eligible in one mailing; drawn in each; mailings; drawn in all.
    is_enough : bool
        Whether so many answer the question with the power.
    outcome_days, days_between_waves, duration_days : int or None
        Length of a window, days between windows, and of it all.
    questions : tuple of Question
    strata : tuple of Stratum
    left_out : dict of int
        Reason -> rows of the trials that do not stand for their household.
    latest_by : str
        What "latest" was read off.
    cost : ExperimentCost or None
        None where nobody stated a cost.
    value : InformationValue or None
        The same.
    """

    question: QuestionName
    worth_finding: str
    aim: Aim
    present_effect_usd: Interval
    noise: ArmNoise
    households_eligible: int
    households_per_wave: int
    waves: int
    households: int
    is_enough: bool
    outcome_days: int | None
    days_between_waves: int
    duration_days: int | None
    questions: tuple[Question, ...]
    strata: tuple[Stratum, ...]
    left_out: dict[str, int]
    latest_by: str
    cost: ExperimentCost | None
    value: InformationValue | None

    def asked(self, name: str) -> Question:
        """Return the question of this name."""
        return next(one for one in self.questions if one.name == name)


@dataclass(frozen=True, slots=True)
class _Size:
    per_wave: int
    waves: int
    is_enough: bool

    @property
    def households(self) -> int:
        return self.per_wave * self.waves


def plan_experiment(
    *, evidence: Evidence, population: Population, parameters: ExperimentParameters
) -> ExperimentPlan:
    """Size, arms, strata, duration, cost and value of the experiment that would settle it.

    The effect worth finding is break-even; without a stated cost, the smallest effect that the
    data at hand could have shown. For ``targeting`` it is the difference between the halves: one
    that pays for the contacts of one half while the other half returns nothing. Where one mailing
    has too few households, more mailings follow, each with lots of its own: a household then counts
    once in each, and one mailing must not act in the next one's window.

    Parameters
    ----------
    evidence : Evidence
        What the run knows and assumes.
    population : Population
        Who may take part.
    parameters : ExperimentParameters
        The design.

    Raises
    ------
    ExperimentError
        If nothing is left of the outcome once the covariates are known, or a control share cannot
        be optimal without a cost.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5) (size); Raiffa & Schlaifer (1961) (value).
    """
    data, nuisances = evidence.data, evidence.nuisances
    noise = arm_noise(data=data, nuisances=nuisances)
    effect = clustered_mean(
        values=dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out()
        ),
        groups=data.groups,
    )
    aim = _aim(evidence, noise, effect, parameters)
    variance = noise.unit_variance(control_share=aim.control_share)
    contrasts: dict[QuestionName, Contrast] = {
        "mailing": Contrast(variance, effect.estimate),
        "targeting": halves(population=population, unit_variance=variance),
    }
    size = _size(contrasts[parameters.question].needed(aim), population.size, parameters.max_waves)
    cost, value = _money(evidence, size, aim.control_share, variance, population, parameters)
    gap, days = parameters.days_between_waves, evidence.outcome_days
    return ExperimentPlan(
        question=parameters.question,
        worth_finding=BREAK_EVEN if evidence.policy.are_stated else COULD_HAVE_SHOWN,
        aim=aim,
        present_effect_usd=effect.interval(level=aim.level),
        noise=noise,
        households_eligible=population.size,
        households_per_wave=size.per_wave,
        waves=size.waves,
        households=size.households,
        is_enough=size.is_enough,
        outcome_days=days,
        days_between_waves=gap,
        duration_days=None if days is None else size.waves * days + (size.waves - 1) * gap,
        questions=tuple(
            question(
                name=name,
                contrast=contrast,
                aim=aim,
                planned=size.households,
                eligible=population.size,
            )
            for name, contrast in contrasts.items()
        ),
        strata=_strata(population),
        left_out=population.left_out,
        latest_by=population.latest_by,
        cost=cost,
        value=value,
    )


def _aim(
    evidence: Evidence, noise: ArmNoise, effect: ClusteredMean, parameters: ExperimentParameters
) -> Aim:
    policy, share = evidence.policy, parameters.control_share
    rate = float(evidence.nuisances.redemption_held_out().mean())
    if share == "optimal":
        contact = policy.expected.contact_cost_usd + policy.expected.redemption_cost_usd * rate
        share = optimal_control_share(
            noise=noise,
            control_cost_usd=parameters.unit_cost_usd,
            mailed_cost_usd=parameters.unit_cost_usd + contact,
        )
    level, power = evidence.level, evidence.power
    worth = (
        break_even_effect(redemption_rate=rate, parameters=policy)
        if policy.are_stated
        else minimum_detectable_effect(se=effect.se, level=level, power=power)
    )
    return Aim(worth, share, level, power)


def _size(needed: tuple[int, int] | None, eligible: int, max_waves: int) -> _Size:
    if needed is None:
        return _Size(eligible, 1, is_enough=False)
    total = sum(needed)
    waves = math.ceil(total / eligible)
    if waves > max_waves:
        return _Size(eligible, max_waves, is_enough=False)
    return _Size(math.ceil(total / waves), waves, is_enough=True)


def _money(
    evidence: Evidence,
    size: _Size,
    control_share: float,
    variance: float,
    population: Population,
    parameters: ExperimentParameters,
) -> tuple[ExperimentCost | None, InformationValue | None]:
    data, nuisances, policy = evidence.data, evidence.nuisances, evidence.policy
    if not policy.are_stated:
        return None, None
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)
    everyone = PolicyRows.held_out(scores=scores, fold=nuisances.fold)
    cost = cost_of_running(
        households=size.households,
        control_share=control_share,
        redemption_rate=float(population.redemption.mean()),
        mailed=everyone,
        current=PolicyRows.as_mailed(scores=scores),
        groups=data.groups,
        policy=policy,
        parameters=parameters,
        level=evidence.level,
    )
    value = value_of_running(
        profit=clustered_mean(values=everyone.profit, groups=data.groups),
        unit_variance=policy.expected.margin_per_unit**2 * variance,
        control_share=control_share,
        planned=size.households,
        eligible=population.size,
        parameters=parameters,
    )
    return cost, value


def _strata(population: Population) -> tuple[Stratum, ...]:
    found = []
    for name in sorted(set(population.stratum)):
        rows = population.stratum == name
        found.append(
            Stratum(
                name=str(name),
                households=int(rows.sum()),
                predicted_effect_usd=float(population.cate[rows].mean()),
                residual_sd_usd=float(np.sqrt(population.squared_residual[rows].mean())),
            )
        )
    return tuple(found)
