"""What a frozen decision was worth on the campaign after it, by scores of that campaign alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.analysis.effect_checks import overlap_of
from promo_uplift.analysis.estimation import estimate_nuisances, held_out_scores
from promo_uplift.analysis.prospective.freeze import FrozenDecision
from promo_uplift.contracts.parameters import AnalysisParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval, TrialData
from promo_uplift.effects import OverlapSummary, clustered_mean
from promo_uplift.metrics.influence import ranking_influence
from promo_uplift.policy import PolicyScores, PolicyValue, policy_scores

#: Policies by name; what was decided first.
POLICIES = ("chosen", "none", "all", "current", "random", "response", "shown")
#: Ranking figures of the frozen learner, USD per household.
RANKINGS = ("auuc", "qini", "autoc")


@dataclass(frozen=True, slots=True)
class PolicyRows:
    """What one policy is worth on each household, each ``(m,)``, per household of the population.

    Attributes
    ----------
    contact : float64 (m,)
        P(contacted).
    profit, outcome, cost : float64 (m,)
        Doubly robust scores in USD, times the contact.
    """

    contact: FloatArray
    profit: FloatArray
    outcome: FloatArray
    cost: FloatArray


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
    rows = np.arange(len(fold))
    profit, outcome, cost = (
        values[rows, fold] for values in (money.profit, money.outcome, money.cost)
    )
    contacts = {
        **decision.contacts,
        "none": np.zeros(len(fold)),
        "all": np.ones(len(fold)),
        "random": np.full(len(fold), decision.contacts["chosen"].mean()),
    }
    policies = {
        name: PolicyRows(contact, contact * profit, contact * outcome, contact * cost)
        for name, contact in contacts.items()
    }
    policies["current"] = PolicyRows(
        money.current_share, money.current_profit, money.current_outcome, money.current_cost
    )
    return {name: policies[name] for name in POLICIES}


def policy_values(*, outcomes: Sequence[Outcomes], level: float) -> dict[str, PolicyValue]:
    """Value of each policy over the rows of one or several campaigns, errors by household.

    Parameters
    ----------
    outcomes : sequence of Outcomes
        Campaigns to pool: each row counts alike, a household's campaigns stand together.
    level : float
        Confidence level.

    Returns
    -------
    dict of PolicyValue
        USD per household and campaign; ``chosen_minus_this_usd`` is paired by row.
    """
    groups = np.concatenate([one.groups for one in outcomes])

    def stacked(name: str, figure: str) -> FloatArray:
        return np.concatenate([getattr(one.policies[name], figure) for one in outcomes])

    def mean(values: FloatArray) -> Interval:
        return clustered_mean(values=values, groups=groups).interval(level=level)

    chosen = stacked("chosen", "profit")
    nan = float("nan")
    found = {}
    for name in POLICIES:
        contact, profit, outcome, cost = (
            stacked(name, figure) for figure in ("contact", "profit", "outcome", "cost")
        )
        found[name] = PolicyValue(
            share=mean(contact),
            profit_usd=mean(profit),
            outcome_usd=mean(outcome),
            cost_usd=mean(cost),
            roi=clustered_mean(values=profit, groups=groups, weights=cost).interval(level=level)
            if cost.sum() > 0.0
            else Interval(nan, nan, nan),
            chosen_minus_this_usd=mean(chosen - profit),
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
