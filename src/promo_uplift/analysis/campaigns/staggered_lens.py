"""First mailings over calendar time, synthetic controls, and how far trends may part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.campaign_parameters import StaggeredParameters
from promo_uplift.contracts.errors import PromoUpliftError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects import POOLED
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.effects.panel import CampaignPanel, EventStudy
from promo_uplift.effects.panel.decomposition import BaconResult, bacon_decomposition
from promo_uplift.effects.panel.event_study_path import EventStudyPath
from promo_uplift.effects.panel.honest import HonestBounds, HonestSettings, honest_bounds
from promo_uplift.effects.panel.staggered import StaggeredEffects, staggered_effects
from promo_uplift.effects.panel.staggered_fits import StaggeredSettings
from promo_uplift.effects.panel.synthetic import SyntheticDid, synthetic_did

SPEND: Final = "spend_usd"


@dataclass(frozen=True, slots=True)
class StaggeredLens:
    """What estimators for staggered adoption say, beside two-way fixed effects.

    Attributes
    ----------
    effects : StaggeredEffects
        Callaway-Sant'Anna, Sun-Abraham, imputation, stacked.
    bacon : BaconResult
        Comparisons behind the two-way coefficient.
    synthetic : tuple of SyntheticDid
        Of every campaign.
    honest : mapping of str to HonestBounds
        By campaign: robust intervals of the effect in the effect window.
    not_bounded : mapping of str to str
        Campaigns without, and why.
    """

    effects: StaggeredEffects
    bacon: BaconResult
    synthetic: tuple[SyntheticDid, ...]
    honest: Mapping[str, HonestBounds]
    not_bounded: Mapping[str, str]

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Every estimate of the lens."""
        return (*self.effects.estimates, *(one.estimate for one in self.synthetic))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables of the lens by name."""
        return {
            "staggered_effects": estimates_table(self.estimates),
            "staggered_event_study": self.effects.event_study,
            "group_time_effects": self.effects.group_time,
            "staggered_aggregates": self.effects.aggregates,
            "staggered_notes": _notes(self.effects, self.bacon, self.synthetic),
            "bacon_decomposition": self.bacon.comparisons,
            "honest_bounds": _honest_table(self.honest, self.not_bounded),
        }


def staggered_lens(
    *,
    calendar: pd.DataFrame,
    panels: Sequence[CampaignPanel],
    studies: Sequence[EventStudy],
    effect_weeks: int,
    parameters: StaggeredParameters,
    level: float,
) -> StaggeredLens:
    """Estimate the effect of a first mailing, and bound every campaign's, USD per household.

    Parameters
    ----------
    calendar : DataFrame
        Households x calendar periods with the period of the first mailing.
    panels : sequence of CampaignPanel
        Campaigns as arrays.
    studies : sequence of EventStudy
        Weekly effects on spend by campaign and pooled.
    effect_weeks : int
        Weeks of the effect window.
    parameters : StaggeredParameters
        Control group, grids.
    level : float
        Confidence level.
    """
    settings = HonestSettings(
        relative=tuple(parameters.relative_magnitudes),
        smoothness=tuple(parameters.smoothness_usd),
        level=level,
        first_stage_share=parameters.first_stage_share,
    )
    honest: dict[str, HonestBounds] = {}
    not_bounded: dict[str, str] = {}
    for study in studies:
        if study.reason:
            not_bounded[study.campaign] = study.reason
            continue
        try:
            honest[study.campaign] = honest_bounds(
                path=EventStudyPath(study.coefficients, study.covariance, int(study.is_pre.sum())),
                weights=effect_sum(study, effect_weeks),
                settings=settings,
            )
        except PromoUpliftError as refusal:
            not_bounded[study.campaign] = str(refusal)
    return StaggeredLens(
        effects=staggered_effects(
            panel=calendar,
            outcome=SPEND,
            campaign=POOLED,
            settings=StaggeredSettings(
                control_group=parameters.control_group,
                base_period=parameters.base_period,
                effect_periods=parameters.effect_periods,
                stack_pre_periods=parameters.stack_pre_periods,
                propensity_clip=parameters.propensity_clip,
                level=level,
            ),
        ),
        bacon=bacon_decomposition(panel=calendar, outcome=SPEND),
        synthetic=tuple(_synthetic(one, effect_weeks, parameters, level) for one in panels),
        honest=honest,
        not_bounded=not_bounded,
    )


def effect_sum(study: EventStudy, effect_weeks: int) -> FloatArray:
    """Weights of the effect in the window: 1 for each of its weeks, 0 for later ones."""
    after = study.weeks[~study.is_pre]
    weights: FloatArray = (after < effect_weeks).astype(np.float64)
    return weights


def _synthetic(
    panel: CampaignPanel, effect_weeks: int, parameters: StaggeredParameters, level: float
) -> SyntheticDid:
    label = Label("panel", "synthetic_did", "att", panel.campaign, SPEND)
    weeks = panel.rel_weeks
    kept = (weeks >= -parameters.synthetic_pre_weeks) & (weeks < effect_weeks)
    n_pre, n_effect = int((weeks[kept] < 0).sum()), int((weeks[kept] >= 0).sum())
    if n_pre < 2 or n_effect < effect_weeks:
        reason = f"{n_pre} covered weeks before the mailing and {n_effect} of {effect_weeks} after"
        none = Estimate.none(label=label, reason=reason)
        return SyntheticDid(none, None, None, None, float("nan"), float("nan"), ())
    return synthetic_did(
        outcomes=pd.DataFrame(
            panel.values(SPEND)[:, kept], index=panel.households, columns=weeks[kept]
        ),
        treatment=panel.treatment,
        first_period=0,
        label=label,
        level=level,
    )


def _notes(
    effects: StaggeredEffects, bacon: BaconResult, synthetic: Sequence[SyntheticDid]
) -> pd.DataFrame:
    more = [("bacon", note) for note in bacon.notes]
    more += [
        (f"synthetic_did, campaign {one.estimate.label.campaign}", note)
        for one in synthetic
        for note in one.notes
    ]
    return pd.concat(
        [effects.notes, pd.DataFrame(more, columns=effects.notes.columns)], ignore_index=True
    )


def _honest_table(
    honest: Mapping[str, HonestBounds], not_bounded: Mapping[str, str]
) -> pd.DataFrame:
    parts = []
    for campaign, bounds in honest.items():
        breakdown = {one.restriction: one for one in bounds.breakdowns}
        table = bounds.table.assign(
            campaign=campaign,
            target=bounds.target,
            breakdown=[breakdown[name].value for name in bounds.table["restriction"]],
            reason="",
        )
        parts.append(table)
    parts.append(pd.DataFrame([{"campaign": c, "reason": r} for c, r in not_bounded.items()]))
    return pd.concat(parts, ignore_index=True)
