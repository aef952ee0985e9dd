"""The 2x2 effect under other choices: cut tails, other dates, other windows, fewer campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.two_by_two import POOLED, two_by_two, two_by_two_estimate
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels


@dataclass(frozen=True, slots=True)
class RobustnessSettings:
    """Which other choices are tried.

    Attributes
    ----------
    level : float
        Confidence level.
    winsor_shares : tuple of float
        Shares of household-weeks that are cut to the quantile at each end.
    placebo_weeks : int
        Weeks by which the mailing is put earlier.
    pre_windows : tuple of int
        Weeks before the mailing to compare with, in place of the window's own.
    """

    level: float
    winsor_shares: tuple[float, ...]
    placebo_weeks: int
    pre_windows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One estimate under another choice.

    Attributes
    ----------
    name : str
        ``winsorised_<share>``, ``placebo_date``, ``pre_weeks_<n>`` or ``without_campaign_<id>``.
    estimate : Estimate
        2x2 effect, outcome unit per household over the effect window.
    n_changed : int
        Household-weeks that winsorising changed.
    """

    name: str
    estimate: Estimate
    n_changed: int = 0


def robustness(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    settings: RobustnessSettings,
) -> tuple[Variant, ...]:
    """Every variant of the 2x2 effects, by campaign and pooled.

    ``placebo_date`` puts the mailing ``placebo_weeks`` earlier and uses weeks before the real one
    only: the mailing cannot have made that effect. ``pre_weeks_<n>`` needs all n weeks covered.

    Raises
    ------
    MetricError
        If a share does not lie between 0 and 0.5, or the placebo effect window does not lie
        between the window's first week and the mailing.

    References
    ----------
    Roth, Sant'Anna, Bilinski & Poe (2023), J. Econometrics 235(2).
    """
    _refuse_settings(window=window, settings=settings)
    effects = partial(two_by_two, outcome=outcome, level=settings.level)
    found: list[Variant] = []
    for share in settings.winsor_shares:
        cut = [winsorise(panel=one, outcome=outcome, window=window, share=share) for one in panels]
        result = effects(panels=[one for one, _ in cut], window=window, rules=rules)
        changed = [n for _, n in cut]
        valid = {one.label.campaign for one in result.estimates if one.is_valid}
        total = sum(n for (one, n) in cut if one.campaign in valid)
        found += [
            Variant(f"winsorised_{share:g}", one, n)
            for one, n in zip(result.estimates, [*changed, total], strict=True)
        ]
    early, before = placebo_panels(panels=panels, window=window, weeks=settings.placebo_weeks)
    found += [
        Variant("placebo_date", one)
        for one in effects(panels=early, window=before, rules=rules).estimates
    ]
    for weeks in settings.pre_windows:
        result = effects(
            panels=panels,
            window=PanelWindow(weeks, window.effect_weeks),
            rules=replace(rules, min_pre_weeks=weeks),
        )
        found += [Variant(f"pre_weeks_{weeks}", one) for one in result.estimates]
    found += leave_one_campaign_out(
        panels=panels, outcome=outcome, window=window, rules=rules, level=settings.level
    )
    return tuple(found)


def robustness_table(variants: Sequence[Variant]) -> pd.DataFrame:
    """One row per variant: its name, the columns of estimates, and how many values it changed."""
    table = estimates_table([one.estimate for one in variants])
    table.insert(0, "variant", [one.name for one in variants])
    table["n_changed"] = [one.n_changed for one in variants]
    return table


def winsorise(
    *, panel: CampaignPanel, outcome: str, window: PanelWindow, share: float
) -> tuple[CampaignPanel, int]:
    """Cut the window's household-weeks to the quantiles ``share`` and 1 - ``share``.

    Both arms and all weeks share the quantiles. Returns the panel with this outcome alone, and
    how many values changed.
    """
    values = panel.values(outcome).copy()
    weeks = window.pre(panel.rel_weeks) | window.effect(panel.rel_weeks)
    if not weeks.any():
        return replace(panel, outcomes={outcome: values}), 0
    inside = values[:, weeks]
    low, high = np.quantile(inside, [share, 1.0 - share])
    values[:, weeks] = np.clip(inside, low, high)
    changed = int(((inside < low) | (inside > high)).sum())
    return replace(panel, outcomes={outcome: values}), changed


def placebo_panels(
    *, panels: Sequence[CampaignPanel], window: PanelWindow, weeks: int
) -> tuple[tuple[CampaignPanel, ...], PanelWindow]:
    """Panels whose mailing is put ``weeks`` earlier, without the weeks since the real one."""
    moved = []
    for one in panels:
        kept = one.rel_weeks < 0
        moved.append(
            replace(
                one,
                rel_weeks=one.rel_weeks[kept] + weeks,
                calendar_weeks=one.calendar_weeks[kept],
                outcomes={name: values[:, kept] for name, values in one.outcomes.items()},
            )
        )
    return tuple(moved), PanelWindow(window.pre_weeks - weeks, window.effect_weeks)


def leave_one_campaign_out(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    level: float,
) -> list[Variant]:
    """Pooled 2x2 effect without each valid campaign in turn; none where only one is valid."""
    valid = valid_panels(panels=panels, window=window, rules=rules).panels
    if len(valid) < 2:
        return []
    stack = contrasts(panels=valid, outcome=outcome, window=window)
    label = Label("panel", "two_by_two", "att", POOLED, outcome)
    return [
        Variant(
            f"without_campaign_{name}",
            two_by_two_estimate(
                stack=stack.without(at), label=label, scale=window.scale(outcome), level=level
            ),
        )
        for at, name in enumerate(stack.campaigns)
    ]


def _refuse_settings(*, window: PanelWindow, settings: RobustnessSettings) -> None:
    if wrong := [share for share in settings.winsor_shares if not 0.0 < share < 0.5]:
        raise MetricError(f"`winsor_shares` must lie between 0 and 0.5, found {wrong}.")
    if not window.effect_weeks <= settings.placebo_weeks < window.pre_weeks:
        raise MetricError(
            f"`placebo_weeks` must be at least the effect window ({window.effect_weeks}) and less "
            f"than `pre_weeks` ({window.pre_weeks}), found {settings.placebo_weeks}: the placebo "
            "window lies before the mailing and has weeks before it."
        )
