"""The prospective validation as tables and text: values, calibration, coverage."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.analysis.prospective.run import NextCampaign, Prospective
from promo_uplift.checks import (
    Evidence,
    PredictedEffectSlope,
    Report,
    not_looked_at,
    report_of,
    run_checks,
)
from promo_uplift.contracts.parameters import CheckParameters, PolicyParameters, WordingParameters
from promo_uplift.contracts.results import Interval, TrialData
from promo_uplift.effects import POOLED
from promo_uplift.metrics.drift import Calibration, CalibrationDrift, Change
from promo_uplift.policy.money import assumption_columns

#: Row of the calibration table whose figures are changes from one campaign to the next.
TREND: Final = "trend_per_campaign"
#: Characters per line of the text.
WIDTH: Final = 96
_NAN: Final = float("nan")


def value_table(*, found: Prospective, policy: PolicyParameters) -> pd.DataFrame:
    """Value of each policy on each campaign and over all, USD per household and campaign.

    Returns
    -------
    DataFrame
        ``campaign`` (id or ``pooled``), ``policy``, ``learner`` and ``decided_share`` (where
        something was decided), ``share, profit_usd_per_household,
        incremental_outcome_usd_per_household, cost_usd_per_household, roi, chosen_minus_this_usd``
        and ``promised_profit_usd`` (what the past said of the policy), each with ``_ci_low`` and
        ``_ci_high``; and the money assumed. ``roi`` is empty where nothing is spent; decisions and
        promises are those of one campaign, so empty where pooled.
    """
    decided = {str(one.plan.campaign): one.decision for one in found.campaigns}
    rows = []
    for campaign, policies in found.policies.items():
        decision = decided.get(campaign)
        for name, value in policies.items():
            row: dict[str, object] = {"campaign": campaign, "policy": name}
            if decision is not None:
                learners = {
                    "chosen": decision.champion,
                    "shown": decision.shown,
                    "response": "response",
                }
                row |= {
                    "learner": learners.get(name, ""),
                    "decided_share": decision.shares.get(name, _NAN),
                }
            row |= _columns("share", value.share)
            row |= _columns("profit_usd_per_household", value.profit_usd)
            row |= _columns("incremental_outcome_usd_per_household", value.outcome_usd)
            row |= _columns("cost_usd_per_household", value.cost_usd)
            row |= _columns("roi", value.roi)
            row |= _columns("chosen_minus_this_usd", value.chosen_minus_this_usd)
            if decision is not None:
                row |= _columns("promised_profit_usd", decision.promised_profit_usd[name])
            rows.append(row)
    return pd.DataFrame(rows).assign(**assumption_columns(policy))


def calibration_table(*, found: Prospective) -> pd.DataFrame:
    """Calibration of the frozen predictions on each campaign, over all, and its trend.

    Returns
    -------
    DataFrame
        ``campaign`` (id, ``pooled``, ``trend_per_campaign``), ``time_zero, learner, champion,
        predicted_usd``; ``found_usd, gap_usd`` (found minus predicted), ``slope, intercept_usd,
        gap_change_usd, slope_change`` (from the held-out past to the campaign; pooled by inverse
        variance), ``auuc, qini, autoc``, each with ``_ci_low`` and ``_ci_high``; ``n,
        n_households``; drift of
        the covariates ``largest_smd, worst_covariate, domain_auc, outside_share,
        commonest_outside_reason``; overlap of the arms ``propensity_auc, overlap_share``; and
        ``reason`` where a figure is undefined. In the row of the trend, ``gap_change_usd`` and
        ``slope_change`` are per campaign in the order of time.
    """
    if found.fact is None:
        return pd.DataFrame(columns=["campaign", "reason"])
    drift = found.fact.drift
    rows = [
        {
            "campaign": str(one.plan.campaign),
            "time_zero": one.plan.time_zero.isoformat(),
            "learner": one.decision.shown,
            "champion": one.decision.champion,
            **_calibration(calibration),
            **_change(change),
            **_ranking(found, str(one.plan.campaign)),
            "largest_smd": one.shift.largest_smd,
            "worst_covariate": one.shift.worst,
            "domain_auc": one.shift.domain_auc,
            "outside_share": one.shift.outside_share,
            "commonest_outside_reason": one.shift.commonest_reason,
            "propensity_auc": one.outcomes.overlap.propensity_auc,
            "overlap_share": one.outcomes.overlap.overlap_share,
        }
        for one, calibration, change in zip(found.campaigns, drift.each, drift.changes, strict=True)
    ]
    rows += [
        {
            "campaign": POOLED,
            **_calibration(drift.pooled),
            **_change(drift.change),
            **_ranking(found, POOLED),
        },
        {"campaign": TREND, **_change(drift.trend), "reason": _trend_reason(drift)},
    ]
    return pd.DataFrame(rows).astype({"n": "Int64", "n_households": "Int64"})


def coverage_table(*, found: Prospective, data: TrialData) -> pd.DataFrame:
    """Every campaign: whether it was judged, by what past, what was left out of it, and why.

    Returns
    -------
    DataFrame
        ``campaign, time_zero, used, reason, n_rows, n_treated, training_campaigns,
        n_training_rows, trained_until, overlapping_campaigns, n_overlapping_rows``. An overlapping
        campaign is left out of the past since its outcome window reaches beyond ``time_zero``.
    """
    return pd.DataFrame(
        {
            "campaign": plan.campaign,
            "time_zero": plan.time_zero.isoformat(),
            "used": not plan.reason,
            "reason": plan.reason,
            "n_rows": int(plan.rows.sum()),
            "n_treated": int(data.treatment[plan.rows].sum()),
            "training_campaigns": " ".join(map(str, plan.training)),
            "n_training_rows": int(plan.training_rows.sum()),
            "trained_until": "" if plan.trained_until is None else plan.trained_until.isoformat(),
            "overlapping_campaigns": " ".join(map(str, plan.overlapping)),
            "n_overlapping_rows": int(plan.overlapping_rows.sum()),
        }
        for plan in found.plans
    )


def judge_predictions(
    *, found: Prospective, checks: CheckParameters, wording: WordingParameters
) -> Report | None:
    """Hold the predictions against PU-DRIFT and PU-CALIBRATION; None where nothing was judged."""
    if found.fact is None:
        return None
    evidence = Evidence(
        facts=(found.fact, PredictedEffectSlope(found.fact.drift.pooled.slope)), wording=wording
    )
    return report_of(
        results=run_checks(evidence=evidence, parameters=checks, subject="next campaigns"),
        missing=not_looked_at(evidence),
    )


def prospective_record(report: Report | None) -> dict[str, object]:
    """Verdict and findings as plain values; ``experiment_needed`` where nothing was judged."""
    if report is None:
        return {
            "verdict": "experiment_needed",
            "failed": [],
            "findings": ["no campaign could be judged by an earlier one"],
        }
    return report.record()


def prospective_text(
    *,
    found: Prospective,
    report: Report | None,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> str:
    """Each campaign in two lines, all of them, and what the checks say."""
    lines = ["NEXT CAMPAIGNS: decided on the past, judged on what came after"]
    judged = {one.plan.campaign: one for one in found.campaigns}
    for plan in found.plans:
        head = f"campaign {plan.campaign} ({plan.time_zero.isoformat()})"
        if plan.reason:
            lines += _wrapped(f"{head} is not judged: {plan.reason}.")
            continue
        lines += _wrapped(_campaign_text(head, judged[plan.campaign], found, policy, wording))
    if report is None:
        lines.append("No campaign could be judged by an earlier one.")
        return "\n".join(lines)
    if policy.are_stated:
        values = found.policies[POOLED]
        gains = ", ".join(
            f"{wording.interval(values[name].chosen_minus_this_usd)} over {name}"
            for name in ("none", "all", "random", "response")
        )
        lines += _wrapped(
            f"All: what was decided earned {wording.interval(values['chosen'].profit_usd)} per "
            f"{wording.subject} and campaign: {gains}."
        )
    return "\n".join([*lines, "", report.text])


def _campaign_text(
    head: str,
    one: NextCampaign,
    found: Prospective,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> str:
    place = [other.plan.campaign for other in found.campaigns].index(one.plan.campaign)
    if found.fact is None:
        return head
    calibration = found.fact.drift.each[place]
    past = ", ".join(map(str, one.plan.training))
    decision = one.decision
    text = (
        f"{head}, by {past}: {decision.champion} contacts {decision.shares['chosen']:.0%}; "
        f"{decision.shown} predicts {wording.amount(calibration.predicted)}, found is "
        f"{wording.interval(calibration.found)}"
    )
    if policy.are_stated:
        value = found.policies[str(one.plan.campaign)]["chosen"]
        promised = decision.promised_profit_usd["chosen"]
        text += (
            f"; profit promised {wording.interval(promised)}, earned "
            f"{wording.interval(value.profit_usd)}"
        )
    return f"{text}; {one.shift.outside_share:.0%} of its rows lie outside the past's support."


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent="  ")


def _calibration(one: Calibration) -> dict[str, object]:
    return {
        "predicted_usd": one.predicted,
        **_columns("found_usd", one.found),
        **_columns("gap_usd", one.gap),
        **_columns("slope", one.slope),
        **_columns("intercept_usd", one.intercept),
        "n": one.n,
        "n_households": one.n_households,
        "reason": ""
        if np.isfinite(one.slope.estimate)
        else "one effect is predicted for all: no slope",
    }


def _change(one: Change) -> dict[str, float]:
    return {**_columns("gap_change_usd", one.gap), **_columns("slope_change", one.slope)}


def _trend_reason(drift: CalibrationDrift) -> str:
    if not np.isfinite(drift.trend.gap.estimate):
        return "one campaign was judged: no trend"
    if not np.isfinite(drift.trend.slope.estimate):
        return "fewer than two campaigns have a slope: it has no trend"
    return ""


def _ranking(found: Prospective, name: str) -> dict[str, float]:
    columns: dict[str, float] = {}
    for figure, interval in found.rankings[name].items():
        columns |= _columns(figure, interval)
    return columns


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {
        name: interval.estimate,
        f"{name}_ci_low": interval.ci_low,
        f"{name}_ci_high": interval.ci_high,
    }
