"""What a frozen decision was worth on the campaign after it, by scores of that campaign alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.analysis.effect_checks import overlap_of
from promo_uplift.analysis.estimation import estimate_nuisances, held_out_scores
from promo_uplift.analysis.prospective.freeze import FrozenDecision
from promo_uplift.contracts.parameters import AnalysisParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval, TrialData
from promo_uplift.effects import OverlapSummary, clustered_mean
from promo_uplift.metrics.influence import ranking_influence
from promo_uplift.policy import PolicyRows, PolicyScores, PolicyValue, policy_scores

#: Policies by name; what was decided first.
POLICIES = ("chosen", "none", "all", "current", "random", "response", "shown")
#: Ranking figures of the frozen learner, USD per household.
RANKINGS = ("auuc", "qini", "autoc")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Scores of one campaign that took no part in what is judged, ``m`` rows.

    Attributes
    ----------
    scores : float64 (m,)
        Doubly robust scores of the effect, USD per household.
    policies : dict of PolicyRows
        By :data:`POLICIES`.
    groups : int64 (m,)
        Household of each row.
    overlap : OverlapSummary
        Of the arms in this campaign.
    """

    scores: FloatArray
    policies: dict[str, PolicyRows]
    groups: IntArray
    overlap: OverlapSummary


def judge_decision(
    *, data: TrialData, decision: FrozenDecision, settings: AnalysisParameters, seed: int
) -> Outcomes:
    """Score a campaign by nuisances of its own, cross-fitted by household, and value policies.

    Parameters
    ----------
    data : TrialData
        The campaign's rows, with outcomes.
    decision : FrozenDecision
        On the same rows, made without them.
    settings : AnalysisParameters
    seed : int

    Raises
    ------
    LearnerError, PolicyError
        If nuisances cannot be fitted on so few rows, or a household redeemed without a mailing.
    """
    nuisances = estimate_nuisances(
        data=data,
        nuisance=settings.nuisance,
        n_workers=settings.estimation.n_workers,
        tuning=settings.tuning,
        seed=seed,
    )
    money = policy_scores(data=data, nuisances=nuisances, parameters=settings.policy)
    return Outcomes(
        scores=held_out_scores(data=data, nuisances=nuisances),
        policies=_policies(money, nuisances.fold, decision),
        groups=data.groups,
        overlap=overlap_of(data=data, nuisances=nuisances, checks=settings.checks),
    )


def _policies(
    money: PolicyScores, fold: IntArray, decision: FrozenDecision
) -> dict[str, PolicyRows]:
    everyone = PolicyRows.held_out(scores=money, fold=fold)
    contacts = {
        **decision.contacts,
        "none": np.zeros(len(fold)),
        "all": np.ones(len(fold)),
        "random": np.full(len(fold), decision.contacts["chosen"].mean()),
    }
    policies = {name: everyone.times(contact) for name, contact in contacts.items()}
    policies["current"] = PolicyRows.as_mailed(scores=money)
    return {name: policies[name] for name in POLICIES}


def policy_values(
    *, outcomes: Sequence[Outcomes], policy: PolicyParameters, level: float
) -> dict[str, PolicyValue]:
    """Value of each policy over the rows of one or several campaigns, errors by household.

    Parameters
    ----------
    outcomes : sequence of Outcomes
        Campaigns to pool: each row counts alike, a household's campaigns stand together.
    policy : PolicyParameters
        Money; what is not known of it is in the errors of profit, cost and ROI.
    level : float
        Confidence level.

    Returns
    -------
    dict of PolicyValue
        USD per household and campaign; ``chosen_minus_this_usd`` is paired by row.
    """
    groups = np.concatenate([one.groups for one in outcomes])

    rows = {name: PolicyRows.stacked([one.policies[name] for one in outcomes]) for name in POLICIES}

    def mean(values: FloatArray) -> Interval:
        return clustered_mean(values=values, groups=groups).interval(level=level)

    def profit(one: PolicyRows) -> Interval:
        return one.mean_profit(groups=groups, parameters=policy).interval(level=level)

    nan = float("nan")
    found = {}
    for name, one in rows.items():
        found[name] = PolicyValue(
            share=mean(one.contact),
            profit_usd=profit(one),
            outcome_usd=mean(one.outcome),
            cost_usd=one.mean_cost(groups=groups, parameters=policy).interval(level=level),
            roi=one.roi(groups=groups, parameters=policy).interval(level=level)
            if one.cost.sum() > 0.0
            else Interval(nan, nan, nan),
            chosen_minus_this_usd=profit(rows["chosen"].minus(one)),
        )
    return found


def ranking_figures(
    *, scores: FloatArray, predicted: FloatArray, campaign: IntArray, groups: IntArray, level: float
) -> dict[str, Interval]:
    """AUUC, Qini and AUTOC of frozen predictions, USD per household, ranked within campaigns.

    Analytic intervals, conditional on the predictions: nothing was learnt from these rows.
    """
    found = ranking_influence(scores=scores, ranking=predicted, fold=campaign, uplift_shares=())
    return {
        name: clustered_mean(
            values=found[name].estimate + found[name].terms, groups=groups
        ).interval(level=level)
        for name in RANKINGS
    }
