"""Prospective validation: decide on the past, judge on the next campaign, for each in turn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promo_uplift.analysis.prospective.evaluate import (
    Outcomes,
    judge_decision,
    policy_values,
    ranking_figures,
)
from promo_uplift.analysis.prospective.freeze import (
    FrozenDecision,
    decide,
    prospective_settings,
)
from promo_uplift.analysis.prospective.plan import CampaignPlan, plan_campaigns
from promo_uplift.analysis.prospective.shift import CovariateShift, covariate_shift
from promo_uplift.checks.drift import NextCampaigns
from promo_uplift.contracts.errors import LearnerError, MetricError
from promo_uplift.contracts.parameters import AnalysisParameters
from promo_uplift.contracts.prospective_parameters import ProspectiveParameters
from promo_uplift.contracts.results import BoolArray, Interval, TrialData
from promo_uplift.effects import POOLED
from promo_uplift.effects.adjusted.sample import take_rows
from promo_uplift.metrics.drift import Predictions
from promo_uplift.policy import PolicyValue


@dataclass(frozen=True, slots=True)
class NextCampaign:
    """One campaign that was judged.

    Attributes
    ----------
    plan : CampaignPlan
        Itself and its past.
    decision : FrozenDecision
        What its past decided.
    outcomes : Outcomes
        What it showed.
    shift : CovariateShift
        How far its households lie from the past.
    """

    plan: CampaignPlan
    decision: FrozenDecision
    outcomes: Outcomes
    shift: CovariateShift


@dataclass(frozen=True, slots=True)
class Prospective:
    """Every campaign that could be judged by its past, and why the others could not.

    Attributes
    ----------
    plans : tuple of CampaignPlan
        Of every campaign, in the order of time.
    campaigns : tuple of NextCampaign
        Those that were judged, in the order of time.
    fact : NextCampaigns or None
        Calibration of the shown learners' predictions over time; None where none was judged.
    policies : dict of dict of PolicyValue
        By campaign, and ``pooled``, the value of each policy.
    rankings : dict of dict of Interval
        By the same, AUUC, Qini and AUTOC.
    level : float
        Confidence level.
    """

    plans: tuple[CampaignPlan, ...]
    campaigns: tuple[NextCampaign, ...]
    fact: NextCampaigns | None
    policies: dict[str, dict[str, PolicyValue]]
    rankings: dict[str, dict[str, Interval]]
    level: float


def validate_prospectively(
    *,
    data: TrialData,
    zeros: Mapping[int, dt.date],
    outcome_days: int,
    settings: AnalysisParameters,
    parameters: ProspectiveParameters,
    seed: int,
) -> Prospective:
    """Judge each campaign by what the campaigns before it would have decided.

    For each campaign in the order of time: learner and share are chosen on the earlier campaigns
    whose outcomes were known on its first day, and applied to its households; doubly robust scores
    of its own, cross-fitted by household, value that decision beside none, all, current, random and
    response, and calibrate its predictions. A household is in several campaigns: pooled errors are
    by household.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    zeros : mapping of date
        First day of each campaign.
    outcome_days : int
        Length of the outcome window.
    settings : AnalysisParameters
        Of the run.
    parameters : ProspectiveParameters
    seed : int

    Returns
    -------
    Prospective
        A campaign that cannot be judged has a plan with the reason, and nothing else.

    Raises
    ------
    TrialError
        If a campaign has no date, or one that is asked for has no rows.
    LearnerError
        If a configured candidate is unknown.
    """
    cut = prospective_settings(settings=settings, parameters=parameters)
    plans, judged = [], []
    for plan in plan_campaigns(
        data=data, zeros=zeros, outcome_days=outcome_days, parameters=parameters
    ):
        if plan.reason:
            plans.append(plan)
            continue
        try:
            judged.append(_next_campaign(data, plan, cut, seed))
            plans.append(plan)
        except (LearnerError, MetricError) as refusal:
            plans.append(plan.without(str(refusal)))
    level = settings.metrics.level
    parts = {str(one.plan.campaign): [one] for one in judged}
    if judged:
        parts[POOLED] = judged
    policies = {
        name: policy_values(
            outcomes=[one.outcomes for one in part], policy=settings.policy, level=level
        )
        for name, part in parts.items()
    }
    return Prospective(
        plans=tuple(plans),
        campaigns=tuple(judged),
        fact=_fact(judged, policies[POOLED], settings) if judged else None,
        policies=policies,
        rankings={
            name: ranking_figures(**_stacked(part), level=level) for name, part in parts.items()
        },
        level=level,
    )


def _next_campaign(
    data: TrialData, plan: CampaignPlan, settings: AnalysisParameters, seed: int
) -> NextCampaign:
    past = _rows(data, plan.training_rows)
    campaign = _rows(data, plan.rows)
    decision = decide(
        past=past,
        covariates=campaign.covariates,
        groups=campaign.groups,
        settings=settings,
        seed=seed,
    )
    return NextCampaign(
        plan=plan,
        decision=decision,
        outcomes=judge_decision(data=campaign, decision=decision, settings=settings, seed=seed),
        shift=covariate_shift(
            past=past,
            covariates=campaign.covariates,
            groups=campaign.groups,
            support=decision.support,
            nuisance=settings.nuisance,
            seed=seed,
        ),
    )


def _rows(data: TrialData, rows: BoolArray) -> TrialData:
    found = take_rows(data=data, rows=rows)
    return replace(found, covariates=found.covariates.reset_index(drop=True))


def _stacked(part: Sequence[NextCampaign]) -> dict[str, Any]:
    sizes = [len(one.outcomes.groups) for one in part]
    return {
        "scores": np.concatenate([one.outcomes.scores for one in part]),
        "predicted": np.concatenate([one.decision.predicted for one in part]),
        "campaign": np.repeat([one.plan.campaign for one in part], sizes),
        "groups": np.concatenate([one.outcomes.groups for one in part]),
    }


def _fact(
    part: Sequence[NextCampaign], pooled: Mapping[str, PolicyValue], settings: AnalysisParameters
) -> NextCampaigns:
    return NextCampaigns.of(
        campaigns={
            one.plan.campaign: Predictions(
                one.outcomes.scores, one.decision.predicted, one.outcomes.groups
            )
            for one in part
        },
        past={one.plan.campaign: one.decision.past for one in part},
        held_out={
            one.plan.campaign: Predictions(
                one.outcomes.scores, one.decision.held_out, one.outcomes.groups, one.decision.fold
            )
            for one in part
        },
        time_zero={one.plan.campaign: one.plan.time_zero for one in part},
        trained_until={
            one.plan.campaign: one.plan.trained_until
            for one in part
            if one.plan.trained_until is not None
        },
        level=settings.metrics.level,
        gains={name: pooled[name].chosen_minus_this_usd for name in ("none", "all")}
        if settings.policy.are_stated
        else None,
    )
