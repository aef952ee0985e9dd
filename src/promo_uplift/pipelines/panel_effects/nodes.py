"""From canonical tables to every campaign's effect, its checks and what it was worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from matplotlib.figure import Figure

from promo_uplift.analysis import campaigns as measure
from promo_uplift.contracts.campaign_parameters import CampaignParameters
from promo_uplift.contracts.parameters import (
    CheckParameters,
    MetricParameters,
    PolicyParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.reporting.campaign_figures import campaign_figures


def build_panel(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    parameters: CampaignParameters,
    trials: TrialParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weekly outcomes of every eligible household around each campaign's start."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    return measure.build_panel(tables=tables, parameters=parameters, trials=trials)


def build_calendar(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    parameters: CampaignParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weekly outcomes by calendar, with the week of each household's first mailing."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    return measure.build_calendar(tables=tables, parameters=parameters)


def build_campaign_trials(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    parameters: CampaignParameters,
    trials: TrialParameters,
) -> tuple[TrialData, TrialData, pd.DataFrame]:
    """Trials of all campaigns whose windows the data covers, and their placebos."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    return measure.build_trials(tables=tables, parameters=parameters, trials=trials)


def look_through_panel(
    panel: pd.DataFrame, parameters: CampaignParameters, metrics: MetricParameters, seed: int
) -> measure.PanelLens:
    """Difference-in-differences of every campaign with its diagnostics."""
    return measure.panel_lens(
        panel=panel, parameters=parameters.panel, level=metrics.level, seed=seed
    )


def look_through_calendar(
    calendar: pd.DataFrame,
    panel: measure.PanelLens,
    parameters: CampaignParameters,
    metrics: MetricParameters,
) -> measure.StaggeredLens:
    """Estimators for staggered adoption, synthetic controls, robust bounds."""
    return measure.staggered_lens(
        calendar=calendar,
        panels=panel.panels,
        studies=panel.studies,
        effect_weeks=parameters.panel.effect_weeks,
        parameters=parameters.staggered,
        level=metrics.level,
    )


def look_through_trials(
    data: TrialData,
    placebo: TrialData,
    parameters: CampaignParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    trials: TrialParameters,
    seed: int,
) -> measure.AdjustedLens:
    """Cross-section and matching of every campaign, with balance and sensitivity."""
    return measure.adjusted_lens(
        data=data,
        placebo=placebo,
        parameters=parameters.adjusted,
        settings=measure.adjusted_settings(
            metrics=metrics, checks=checks, trials=trials, seed=seed
        ),
    )


def compare_lenses(
    panel: measure.PanelLens,
    adjusted: measure.AdjustedLens,
    parameters: CampaignParameters,
    metrics: MetricParameters,
    seed: int,
) -> measure.Agreement:
    """Put the lenses side by side on the same trials and test their differences."""
    return measure.agreement(
        panel=panel,
        adjusted=adjusted,
        panel_parameters=parameters.panel,
        settings=parameters.reconciliation,
        level=metrics.level,
        seed=seed,
    )


def compare_treatments(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    parameters: CampaignParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    trials: TrialParameters,
    seed: int,
) -> pd.DataFrame:
    """Estimate the effect under other definitions of treatment and control."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    return measure.definitions_table(
        tables=tables,
        trials=measure.trial_parameters(parameters=parameters, trials=trials),
        definitions=parameters.definitions,
        adjusted=parameters.adjusted,
        settings=measure.adjusted_settings(
            metrics=metrics, checks=checks, trials=trials, seed=seed
        ),
    )


def measure_doses(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    promotions: ibis.Table,
    parameters: CampaignParameters,
    metrics: MetricParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the two continuous treatments within household and category."""
    tables = CanonicalTables(
        transactions,
        products,
        households,
        campaigns,
        campaign_targets,
        coupons,
        redemptions,
        promotions,
    )
    found = measure.dose_tables(tables=tables, parameters=parameters.doses, level=metrics.level)
    return found.effects, found.report


def measure_moderators(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    panel: measure.PanelLens,
    parameters: CampaignParameters,
    metrics: MetricParameters,
) -> dict[str, pd.DataFrame]:
    """Estimate for whom the campaigns did more."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    return dict(
        measure.moderator_tables(
            lens=panel,
            traits=measure.household_traits(tables=tables, parameters=parameters.moderators),
            panel=parameters.panel,
            parameters=parameters.moderators,
            level=metrics.level,
        )
    )


def keep_ledger(
    panel: measure.PanelLens,
    coverage: pd.DataFrame,
    redemptions: ibis.Table,
    parameters: CampaignParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
) -> measure.CampaignMoney:
    """Turn effects into money, and decide which campaigns work."""
    return measure.campaign_money(
        lens=panel,
        coverage=coverage,
        redeemers=measure.redeemers_of(redemptions=redemptions, lens=panel),
        money=policy,
        panel=parameters.panel,
        settings=parameters.ledger,
        level=metrics.level,
        power=checks.power,
    )


def judge_campaigns(
    transactions: ibis.Table,
    panel_frame: pd.DataFrame,
    panel: measure.PanelLens,
    staggered: measure.StaggeredLens,
    adjusted: measure.AdjustedLens,
    agreement: measure.Agreement,
    money: measure.CampaignMoney,
    parameters: CampaignParameters,
    trials: TrialParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    wording: WordingParameters,
) -> tuple[pd.DataFrame, dict[str, object], str]:
    """Hold all campaigns together, and each, against the checks."""
    found = measure.judge_campaigns(
        data=measure.data_facts(transactions=transactions, panel=panel_frame),
        panel=panel,
        staggered=staggered,
        adjusted=adjusted,
        agreement=agreement,
        parameters=parameters,
        trials=trials,
        checks=checks,
        wording=wording,
        level=metrics.level,
    )
    text = measure.campaign_text(
        report=found, panel=panel, decisions=money.decisions, wording=wording
    )
    return found.table, found.record(), text


def tabulate_campaigns(
    panel: measure.PanelLens,
    staggered: measure.StaggeredLens,
    adjusted: measure.AdjustedLens,
    agreement: measure.Agreement,
    money: measure.CampaignMoney,
    moderators: Mapping[str, pd.DataFrame],
    metrics: MetricParameters,
) -> dict[str, Any]:
    """Lay out every lens, difference and entry of the ledger as tables."""
    return measure.all_tables(
        panel=panel,
        staggered=staggered,
        adjusted=adjusted,
        agreement=agreement,
        money=money,
        moderators=moderators,
        level=metrics.level,
    )


def draw_campaigns(
    panel: measure.PanelLens,
    staggered: measure.StaggeredLens,
    adjusted: measure.AdjustedLens,
    agreement: measure.Agreement,
    money: measure.CampaignMoney,
    parameters: CampaignParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
    seed: int,
) -> dict[str, Figure]:
    """Draw the lenses, the weeks around the mailing, balance, bounds and the ledger."""
    return campaign_figures(
        panel=panel,
        staggered=staggered,
        adjusted=adjusted,
        agreement=agreement,
        money=money,
        parameters=parameters,
        policy=policy,
        level=metrics.level,
        seed=seed,
        wording=wording,
    )
