"""One estimand, three lenses: put side by side on the same trials and tested against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from promo_uplift.analysis.campaigns.adjusted_lens import ATT, AdjustedLens
from promo_uplift.analysis.campaigns.panel_lens import SPEND, PanelLens, panel_rules, panel_window
from promo_uplift.contracts.campaign_parameters import PanelParameters, ReconciliationSettings
from promo_uplift.effects import POOLED
from promo_uplift.effects.disagreement import DiagnosticLimits, LensDiagnostics
from promo_uplift.effects.estimate import Estimate
from promo_uplift.effects.panel import two_by_two
from promo_uplift.effects.reconciliation import (
    Reconciliation,
    ReconciliationParameters,
    reconcile,
)
from promo_uplift.nuisance.seeding import derived_seed

#: How matched pairs are adjusted, in the table of balance.
MATCHED_METHOD: Final = "matched"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The lenses' estimates of one effect, and whether they agree.

    Attributes
    ----------
    estimates : tuple of Estimate
        Effects on the mailed, USD per household over the effect window, by campaign with a trial
        and pooled over the same campaigns.
    reconciliation : Reconciliation
        Their differences, with what these point to.
    diagnostics : mapping of str to LensDiagnostics
        By campaign.
    unadjusted : tuple of str
        Estimators that adjust for nothing, shown for contrast.
    """

    estimates: tuple[Estimate, ...]
    reconciliation: Reconciliation
    diagnostics: Mapping[str, LensDiagnostics]
    unadjusted: tuple[str, ...]


def agreement(
    *,
    panel: PanelLens,
    adjusted: AdjustedLens,
    panel_parameters: PanelParameters,
    settings: ReconciliationSettings,
    level: float,
    seed: int,
) -> Agreement:
    """Compare the lenses on the campaigns that have both a panel and a trial."""
    shared = [one for one in adjusted.campaigns if one == POOLED or one in panel.campaigns]
    estimates = _chosen(panel, adjusted, shared, panel_parameters, settings, level)
    diagnostics = {name: _diagnostics(name, panel, adjusted) for name in shared}
    found = reconcile(
        estimates=estimates,
        diagnostics={(name, SPEND): one for name, one in diagnostics.items()},
        parameters=ReconciliationParameters(
            level=level,
            power=settings.power,
            draws=settings.draws,
            rank_tolerance=settings.rank_tolerance,
            limits=DiagnosticLimits(
                alpha=1.0 - level,
                min_pre_trend_power=settings.min_pre_trend_power,
                min_overlap_share=settings.min_overlap_share,
                min_matched_share=settings.min_matched_share,
                max_smd=settings.max_smd,
                max_se_ratio=settings.max_se_ratio,
                unadjusted=tuple(settings.unadjusted),
            ),
        ),
        seed=derived_seed(seed=seed, purpose="reconciliation"),
    )
    return Agreement(tuple(estimates), found, diagnostics, tuple(settings.unadjusted))


def _chosen(
    panel: PanelLens,
    adjusted: AdjustedLens,
    shared: list[str],
    parameters: PanelParameters,
    settings: ReconciliationSettings,
    level: float,
) -> list[Estimate]:
    same = two_by_two(
        panels=[one for one in panel.panels if one.campaign in shared],
        outcome=SPEND,
        window=panel_window(parameters),
        rules=panel_rules(parameters),
        level=level,
    )
    pooled = next(one for one in same.estimates if one.label.campaign == POOLED)
    chosen = []
    for campaign in shared:
        for name in settings.panel:
            is_pooled = campaign == POOLED and name == pooled.label.estimator
            chosen.append(pooled if is_pooled else panel.effect(campaign=campaign, estimator=name))
        for lens in (settings.cross_section, settings.matching):
            chosen += [_on_the_mailed(adjusted, campaign, name) for name in lens]
    return chosen


def _on_the_mailed(adjusted: AdjustedLens, campaign: str, estimator: str) -> Estimate:
    """Return the estimator's effect on the mailed, or the nearest that it has."""
    found = [
        one
        for one in adjusted.estimates
        if (one.label.campaign, one.label.estimator) == (campaign, estimator)
    ]
    best = next((one for one in found if one.label.estimand == ATT), found[0])
    return replace(best, label=replace(best.label, estimand=ATT))


def _diagnostics(campaign: str, panel: PanelLens, adjusted: AdjustedLens) -> LensDiagnostics:
    trend = next(one for one in panel.pre_trends if one.campaign == campaign)
    balance = adjusted.balance_of_methods
    matched = balance[(balance["campaign"] == campaign) & (balance["method"] == MATCHED_METHOD)]
    errors = panel.errors.loc[panel.errors["campaign"] == campaign, "se"].dropna()
    placebo = adjusted.placebos[campaign]
    n_treated, n_matched = adjusted.matched_counts[campaign]
    return LensDiagnostics(
        pre_trend_p=trend.p_value,
        pre_trend_power=trend.power_at_effect,
        placebo=placebo.effect if placebo.n_rows else None,
        overlap_share=adjusted.overlaps[campaign].overlap_share,
        matched_share=n_matched / n_treated if n_treated else np.nan,
        max_smd_after=float(matched["max_abs_smd"].iloc[0]) if len(matched) else np.nan,
        se_ratio=float(errors.max() / errors.min()) if len(errors) else np.nan,
    )
