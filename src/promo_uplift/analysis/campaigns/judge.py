"""Every campaign, and all together, held against the checks of data, design and estimate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.analysis.campaigns.adjusted_lens import AdjustedLens
from promo_uplift.analysis.campaigns.agreement import MATCHED_METHOD, Agreement
from promo_uplift.analysis.campaigns.panel_lens import PanelLens
from promo_uplift.analysis.campaigns.staggered_lens import StaggeredLens
from promo_uplift.checks import (
    SEVERITY,
    CheckResult,
    Evidence,
    PublishedEffects,
    Report,
    not_looked_at,
    report_of,
    run_checks,
)
from promo_uplift.checks.agree import LensAgreement
from promo_uplift.checks.bacon import ForbiddenComparisons
from promo_uplift.checks.balance import WeightedBalance
from promo_uplift.checks.clusters import ClusterCovariance
from promo_uplift.checks.coverage import WeekCoverage
from promo_uplift.checks.honest import HonestBreakdown
from promo_uplift.checks.influence import HouseholdsLeftOut
from promo_uplift.checks.loco import CampaignsLeftOut
from promo_uplift.checks.matched import MatchedTreated
from promo_uplift.checks.placebo_date import PlaceboDate
from promo_uplift.checks.pretrend import PreTrend
from promo_uplift.checks.rank import DesignRank
from promo_uplift.checks.timing import TreatmentTiming
from promo_uplift.checks.winsor import Winsorised
from promo_uplift.contracts.campaign_parameters import CampaignParameters
from promo_uplift.contracts.parameters import (
    CheckParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.effects import POOLED
from promo_uplift.effects.estimate import Estimate, estimates_table
from promo_uplift.effects.panel import EventStudy
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

#: Panel estimator that speaks for a campaign.
HEADLINE = "two_by_two"
#: Subject of the checks of the pooled effect.
ALL = "all campaigns"


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What is known of the data behind all campaigns.

    Attributes
    ----------
    first, last : date
        Dates that the transactions cover.
    panel : DataFrame
        The household x week panel.
    """

    first: dt.date
    last: dt.date
    panel: pd.DataFrame


def judge_campaigns(
    *,
    data: DataFacts,
    panel: PanelLens,
    staggered: StaggeredLens,
    adjusted: AdjustedLens,
    agreement: Agreement,
    parameters: CampaignParameters,
    trials: TrialParameters,
    checks: CheckParameters,
    wording: WordingParameters,
    level: float,
) -> Report:
    """Check all campaigns together, then each of them; the verdict is that of all together.

    A campaign whose own checks fail is marked as such in the table; it takes nothing from the
    verdict on the pooled effect, which has checks of its own.
    """
    results: list[CheckResult] = []
    missing: dict[str, tuple[str, ...]] = {}
    for campaign in (POOLED, *panel.campaigns):
        effect = panel.effect(campaign=campaign, estimator=HEADLINE)
        facts = _facts(campaign, effect, panel, adjusted, agreement, staggered, level)
        if campaign == POOLED:
            facts += _shared_facts(data, panel, staggered, parameters, trials)
        if not effect.is_valid and campaign != POOLED:
            continue
        evidence = Evidence(facts=tuple(facts), wording=wording)
        results += run_checks(evidence=evidence, parameters=checks, subject=_subject(campaign))
        if campaign == POOLED:
            missing = not_looked_at(evidence)
    overall = report_of(results=[one for one in results if one.subject == ALL], missing=missing)
    return Report(tuple(results), overall.verdict, missing)


def _shared_facts(
    data: DataFacts,
    panel: PanelLens,
    staggered: StaggeredLens,
    parameters: CampaignParameters,
    trials: TrialParameters,
) -> list[object]:
    stated = TREATMENT_DEFINITIONS[trials.treatment_definition].definition
    facts: list[object] = [
        WeekCoverage.of(panel=data.panel, first=data.first, last=data.last),
        TreatmentTiming.stated(
            is_decided_before=not stated.is_decided_after_time_zero,
            last_day=trials.outcome_days if stated.is_decided_after_time_zero else -1,
        ),
        ForbiddenComparisons(
            weight=staggered.bacon.forbidden_weight, n_comparisons=len(staggered.bacon.comparisons)
        ),
        PublishedEffects.of(estimates_table(panel.effects)),
    ]
    if panel.rank is not None:
        facts.append(
            DesignRank(
                rank=panel.rank.rank,
                n_columns=panel.rank.n_columns,
                redundant=tuple(group[0] for group in panel.rank.groups),
            )
        )
    effect = panel.effect(campaign=POOLED, estimator=HEADLINE)
    without: dict[Hashable, float] = {
        one.name: one.estimate.value
        for one in panel.variants
        if one.name.startswith("without_campaign_") and one.estimate.is_valid
    }
    if effect.is_valid and without:
        facts.append(CampaignsLeftOut.of(effect=effect.interval, estimates=without))
    return facts


def _facts(
    campaign: str,
    effect: Estimate,
    panel: PanelLens,
    adjusted: AdjustedLens,
    agreement: Agreement,
    staggered: StaggeredLens,
    level: float,
) -> list[object]:
    """Facts of one campaign; one that could not be estimated has none of the panel's."""
    facts: list[object] = []
    if effect.is_valid:
        facts += _panel_facts(campaign, effect, panel, staggered, level)
    if campaign in adjusted.campaigns:
        facts += _trial_facts(campaign, adjusted)
        facts += _agreement_facts(campaign, agreement)
    return facts


def _panel_facts(
    campaign: str, effect: Estimate, panel: PanelLens, staggered: StaggeredLens, level: float
) -> list[object]:
    facts: list[object] = [
        ClusterCovariance(n_clusters=effect.n_households, n_parameters=1, smallest_variance=1.0)
    ]
    study = next(one for one in panel.studies if one.campaign == campaign)
    if not study.reason:
        facts.append(pre_trend_fact(study=study, effect=effect, level=level))
    if campaign in staggered.honest:
        table = staggered.honest[campaign].table
        facts.append(HonestBreakdown.of(table[table["restriction"] == "relative_magnitude"]))
    variants = {
        one.name: one.estimate
        for one in panel.variants
        if one.estimate.label.campaign == campaign and one.estimate.is_valid
    }
    cut = {
        float(name.removeprefix("winsorised_")): one.value
        for name, one in variants.items()
        if name.startswith("winsorised_")
    }
    if cut:
        facts.append(Winsorised.of(effect=effect.interval, estimates=cut))
    if "placebo_date" in variants:
        facts.append(
            PlaceboDate(
                effect=effect.interval,
                placebo=variants["placebo_date"].interval,
                weeks_earlier=panel.placebo_weeks,
            )
        )
    left_out = panel.leave_out.summary
    row = left_out[left_out["campaign"] == campaign].iloc[0]
    if not row["reason"] and effect.value != 0.0:
        moves = {end: abs(float(row[end]) - effect.value) for end in ("min", "max")}
        top = panel.leave_out.influential
        own = top[(top["campaign"] == campaign) & (top["rank"] == 1)]
        facts.append(
            HouseholdsLeftOut(
                effect=effect.interval,
                move_share=max(moves.values()) / abs(effect.value),
                mover=str(own["household_id"].iloc[0]) if len(own) else "",
                same_sign_share=float(row["same_sign_share"]),
                n_parts=int(row["n_households"]),
            )
        )
    return facts


def pre_trend_fact(*, study: EventStudy, effect: Estimate, level: float) -> PreTrend:
    """Return the joint test of the leads, and its power against a drift that must not be missed.

    That drift would alone make an effect at the far end of the interval: where nothing is found,
    a drift as large as what was found says nothing, and one that could hide an effect does.
    """
    before = study.is_pre
    weeks = study.weeks.astype(np.float64) + 1.0  # from the reference week on
    n_effect = int((~before).sum())
    per_slope = n_effect * (weeks[~before].mean() - np.append(weeks[before], 0.0).mean())
    return PreTrend.of(
        leads=study.coefficients[before],
        covariance=study.covariance[np.ix_(before, before)],
        weeks=weeks[before],
        slope=max(abs(effect.ci_low), abs(effect.ci_high)) / per_slope,
        level=level,
    )


def campaign_text(
    *, report: Report, panel: PanelLens, decisions: pd.DataFrame, wording: WordingParameters
) -> str:
    """Verdict on all campaigns with its checks, and a line for each campaign.

    ``decisions`` is the ledger's table of what works.
    """
    overall = [one for one in report.results if one.subject == ALL]
    lines = [report_of(results=overall, missing=report.not_looked_at).text, "", "CAMPAIGNS"]
    decided = decisions.set_index("campaign")["decision"].to_dict()
    for campaign in panel.campaigns:
        effect = panel.effect(campaign=campaign, estimator=HEADLINE)
        failed = [one for one in report.results if one.subject == _subject(campaign) and one.failed]
        worst = max((one.allows for one in failed), key=SEVERITY.index, default="publish")
        found = wording.interval(effect.interval) if effect.is_valid else effect.reason
        codes = ", ".join(one.code.removeprefix("PU-").lower() for one in failed)
        verdict = f"{worst} ({codes})" if codes else worst
        lines.append(
            f"{campaign:>4}  {decided.get(campaign, ''):9}  {found:32}  "
            + (verdict if effect.is_valid else "no estimate")
        )
    return "\n".join(lines)


def _subject(campaign: str) -> str:
    return ALL if campaign == POOLED else f"campaign {campaign}"


def _trial_facts(campaign: str, adjusted: AdjustedLens) -> list[object]:
    balance = adjusted.balance_of_methods
    own = balance[(balance["campaign"] == campaign) & (balance["method"] == MATCHED_METHOD)]
    matching = adjusted.matched_counts[campaign]
    facts: list[object] = [
        adjusted.overlaps[campaign],
        MatchedTreated(n_treated=matching[0], n_matched=matching[1], caliper=adjusted.caliper_sd),
    ]
    if adjusted.placebos[campaign].n_rows:
        facts.append(adjusted.placebos[campaign])
    if len(own) and np.isfinite(own["max_abs_smd"].iloc[0]):
        facts.append(
            WeightedBalance(
                largest=float(own["max_abs_smd"].iloc[0]),
                worst=str(own["worst_covariate"].iloc[0]),
                n_covariates=int(own["n_covariates"].iloc[0]),
            )
        )
    return facts


def _agreement_facts(campaign: str, agreement: Agreement) -> list[object]:
    tests = agreement.reconciliation.tests
    own = tests[tests["campaign"] == campaign]
    if own.empty or own["reason"].iloc[0]:
        return []
    estimates = _adjusting(agreement.estimates, campaign, agreement.unadjusted)
    return [LensAgreement(p_value=float(own["p_value"].iloc[0]), estimates=estimates)]


def _adjusting(
    estimates: Sequence[Estimate], campaign: str, unadjusted: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"{one.label.lens}: {one.label.estimator}", one.value)
        for one in estimates
        if one.label.campaign == campaign and one.is_valid and one.label.estimator not in unadjusted
    )
