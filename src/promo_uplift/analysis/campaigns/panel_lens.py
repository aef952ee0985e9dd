"""Difference-in-differences of every campaign, with every diagnostic that a referee asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from promo_uplift.contracts.campaign_parameters import PanelParameters
from promo_uplift.contracts.panel import PANEL_OUTCOMES
from promo_uplift.effects.estimate import Estimate, estimates_table
from promo_uplift.effects.panel import (
    CampaignPanel,
    ErrorSettings,
    EventStudy,
    LeaveOneOut,
    PanelRules,
    PanelWindow,
    PreTrend,
    RankReport,
    RobustnessSettings,
    Variant,
    campaign_panels,
    error_table,
    event_studies,
    event_study_table,
    leave_one_household_out,
    placebo_group_table,
    poisson_ratio,
    pre_trend,
    pre_trends_table,
    robustness,
    robustness_table,
    twfe,
    two_by_two,
)
from promo_uplift.nuisance.seeding import derived_seed

SPEND: Final = "spend_usd"


@dataclass(frozen=True, slots=True)
class PanelLens:
    """What the panel says of every campaign.

    Attributes
    ----------
    panels : tuple of CampaignPanel
        The campaigns as arrays, with every outcome.
    effects : tuple of Estimate
        2x2, two-way fixed effects of each outcome, and the Poisson ratio of spend; by campaign and
        pooled.
    cells : DataFrame
        Means of the four cells.
    studies : tuple of EventStudy
        Weekly effects on spend.
    pre_trends : tuple of PreTrend
        The joint test of each, with its power.
    variants : tuple of Variant
        The effect on spend under other choices.
    leave_out : LeaveOneOut
        The effect on spend without each household.
    errors, placebo_groups : DataFrame
        The effect under each standard error; in the distribution of effects between controls.
    rank : RankReport or None
        Of the pooled design.
    placebo_weeks : int
        Weeks by which the placebo mailing precedes the real one.
    """

    panels: tuple[CampaignPanel, ...]
    effects: tuple[Estimate, ...]
    cells: pd.DataFrame
    studies: tuple[EventStudy, ...]
    pre_trends: tuple[PreTrend, ...]
    variants: tuple[Variant, ...]
    leave_out: LeaveOneOut
    errors: pd.DataFrame
    placebo_groups: pd.DataFrame
    rank: RankReport | None
    placebo_weeks: int

    def effect(self, *, campaign: str, estimator: str, outcome: str = SPEND) -> Estimate:
        """Return one effect."""
        return next(
            one
            for one in self.effects
            if (one.label.campaign, one.label.estimator, one.label.outcome)
            == (campaign, estimator, outcome)
        )

    @property
    def campaigns(self) -> tuple[str, ...]:
        """Campaigns that the panel holds."""
        return tuple(one.campaign for one in self.panels)

    def tables(self, *, level: float) -> Mapping[str, pd.DataFrame]:
        """Tables of the lens by name."""
        return {
            "panel_effects": estimates_table(self.effects),
            "panel_cells": self.cells,
            "event_study": event_study_table(studies=self.studies, level=level),
            "pre_trends": pre_trends_table(self.pre_trends),
            "panel_errors": self.errors,
            "panel_robustness": robustness_table(self.variants),
            "leave_one_household_out": self.leave_out.summary,
            "influential_households": self.leave_out.influential,
            "placebo_groups": self.placebo_groups,
        }


def panel_window(parameters: PanelParameters) -> PanelWindow:
    """Return the weeks that effects compare."""
    return PanelWindow(parameters.window_pre_weeks, parameters.effect_weeks)


def panel_rules(parameters: PanelParameters) -> PanelRules:
    """Return the least that a campaign needs."""
    floor = parameters.min_arm_households
    return PanelRules(floor, floor, parameters.min_pre_weeks)


def panel_lens(
    *, panel: pd.DataFrame, parameters: PanelParameters, level: float, seed: int
) -> PanelLens:
    """Estimate every campaign's effects on the panel, USD (or visits, units) per mailed household.

    Parameters
    ----------
    panel : DataFrame
        Of ``contracts.panel``.
    parameters : PanelParameters
        Weeks, outcomes, sizes of the diagnostics.
    level : float
        Confidence level.
    seed : int
        Of the wild bootstrap and the lots.
    """
    outcomes = list(dict.fromkeys([*PANEL_OUTCOMES, *parameters.outcomes]))
    panels = campaign_panels(panel=panel, outcomes=outcomes)
    window, rules = panel_window(parameters), panel_rules(parameters)
    spend: Any = {"panels": panels, "outcome": SPEND, "window": window, "rules": rules}
    simple = [
        two_by_two(panels=panels, outcome=name, window=window, rules=rules, level=level)
        for name in outcomes
    ]
    fixed = twfe(
        panels=panels, outcomes=parameters.outcomes, window=window, rules=rules, level=level
    )
    ratio = poisson_ratio(**spend, level=level)
    studies = event_studies(**spend)
    return PanelLens(
        panels=panels,
        effects=(
            *(one for found in simple for one in found.estimates),
            *fixed.estimates,
            *ratio.estimates,
        ),
        cells=pd.concat([found.cells for found in simple], ignore_index=True),
        studies=studies,
        pre_trends=tuple(
            pre_trend(
                study=study,
                scale=window.scale(SPEND),
                level=level,
                powers=parameters.trend_powers,
            )
            for study in studies
        ),
        variants=robustness(
            **spend,
            settings=RobustnessSettings(
                level=level,
                winsor_shares=tuple(parameters.winsor_shares),
                placebo_weeks=parameters.placebo_weeks,
                pre_windows=tuple(parameters.window_weeks),
            ),
        ),
        leave_out=leave_one_household_out(
            **spend,
            estimator="two_by_two",
            tail_share=parameters.tail_share,
            n_top=parameters.n_influential,
        ),
        errors=error_table(
            **spend,
            settings=ErrorSettings(
                level=level,
                min_clusters=parameters.min_clusters,
                reps=parameters.wild_replicates,
                seed=derived_seed(seed=seed, purpose="panel/wild"),
            ),
        ),
        placebo_groups=placebo_group_table(
            **spend,
            repeats=parameters.placebo_groups,
            seed=derived_seed(seed=seed, purpose="panel/placebo_groups"),
            tail_share=parameters.tail_share,
        ),
        rank=fixed.rank,
        placebo_weeks=parameters.placebo_weeks,
    )
