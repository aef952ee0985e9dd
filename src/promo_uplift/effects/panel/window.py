"""Which weeks are compared, and when a campaign has too little of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, IntArray
from promo_uplift.effects.panel.arrays import LOG_SPEND, CampaignPanel


@dataclass(frozen=True, slots=True)
class PanelWindow:
    """Weeks before and after the mailing that an effect compares.

    Attributes
    ----------
    pre_weeks : int
        Weeks before the campaign's first day; those that the data covers are used.
    effect_weeks : int
        Weeks from the campaign's first day on; the data must cover all of them.

    Raises
    ------
    MetricError
        If either is below 1.
    """

    pre_weeks: int
    effect_weeks: int

    def __post_init__(self) -> None:
        """Refuse a window without a week."""
        if min(self.pre_weeks, self.effect_weeks) < 1:
            raise MetricError(
                "`pre_weeks` and `effect_weeks` must be at least 1, found "
                f"{self.pre_weeks} and {self.effect_weeks}."
            )

    def pre(self, rel_weeks: IntArray) -> BoolArray:
        """Whether each week is before the mailing and in the window."""
        return (rel_weeks >= -self.pre_weeks) & (rel_weeks < 0)

    def effect(self, rel_weeks: IntArray) -> BoolArray:
        """Whether each week is in the effect window."""
        return (rel_weeks >= 0) & (rel_weeks < self.effect_weeks)

    def scale(self, outcome: str) -> float:
        """Factor from a weekly difference to the effect: sums add up over weeks, logs do not."""
        return 1.0 if outcome == LOG_SPEND else float(self.effect_weeks)


@dataclass(frozen=True, slots=True)
class PanelRules:
    """The least that a campaign needs for an estimate.

    Attributes
    ----------
    min_treated, min_control : int
        Households of each arm.
    min_pre_weeks : int
        Covered weeks before the mailing, within the window.
    """

    min_treated: int
    min_control: int
    min_pre_weeks: int


@dataclass(frozen=True, slots=True)
class ValidPanels:
    """Campaigns that can carry an estimate, and why the others cannot.

    Attributes
    ----------
    panels : tuple of CampaignPanel
        The valid ones.
    reasons : tuple of (str, str)
        Campaign and reason of each other one.
    """

    panels: tuple[CampaignPanel, ...]
    reasons: tuple[tuple[str, str], ...]


def why_invalid(*, panel: CampaignPanel, window: PanelWindow, rules: PanelRules) -> str:
    """Return why this campaign can carry no estimate, reasons parted by commas; empty: it can."""
    n_treated = int(panel.treatment.sum())
    n_control = len(panel.treatment) - n_treated
    n_pre = int(window.pre(panel.rel_weeks).sum())
    n_effect = int(window.effect(panel.rel_weeks).sum())
    rows = {
        "missing_2x2_cell": min(n_treated, n_control, n_pre, n_effect) == 0,
        "treated_below_minimum": n_treated < rules.min_treated,
        "control_below_minimum": n_control < rules.min_control,
        "too_few_pre_weeks": n_pre < rules.min_pre_weeks,
        "effect_window_not_covered": n_effect < window.effect_weeks,
    }
    return ", ".join(reason for reason, is_broken in rows.items() if is_broken)


def valid_panels(
    *, panels: Sequence[CampaignPanel], window: PanelWindow, rules: PanelRules
) -> ValidPanels:
    """Part campaigns that can carry an estimate from those that cannot."""
    verdicts = [(one, why_invalid(panel=one, window=window, rules=rules)) for one in panels]
    return ValidPanels(
        tuple(one for one, reason in verdicts if not reason),
        tuple((one.campaign, reason) for one, reason in verdicts if reason),
    )
