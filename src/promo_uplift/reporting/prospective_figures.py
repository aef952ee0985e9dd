"""Figures and record of the prospective validation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promo_uplift.analysis.prospective import Prospective
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import FloatArray, Interval
from promo_uplift.effects import POOLED
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _legend,
    _note,
)
from promo_uplift.reporting.run_record import RunRecord, money_tag, with_interval

#: Policies whose profit is drawn: what was decided, targeting by the shown effects, and all.
DRAWN = (
    ("chosen", BLUE, "o", "as decided"),
    ("shown", ORANGE, "s", "by predicted effect"),
    ("all", GREY, "^", "everybody"),
)


def calibration_figure(
    *, found: Prospective, policy: PolicyParameters, wording: WordingParameters
) -> Figure:
    """Predicted against found effect, and what the decision earned, campaign by campaign.

    Parameters
    ----------
    found : Prospective
    policy : PolicyParameters
        Without a stated cost the gain in the outcome's unit is drawn in place of profit.
    wording : WordingParameters
    """
    figure, (left, right) = _figure(columns=2, height=4.6)
    if found.fact is None:
        for axis in (left, right):
            axis.set_axis_off()
        left.text(0.0, 0.5, "No campaign could be judged by an earlier one.", fontsize=11)
        return figure
    drift = found.fact.drift
    names = [str(one) for one in drift.campaigns]
    labels = [
        f"{name}\n{one.plan.time_zero:%b %Y}"
        for name, one in zip(names, found.campaigns, strict=True)
    ]
    parts = [*drift.each, drift.pooled]
    _points(left, [one.found for one in parts], 0.0, (BLUE, "o", "found"))
    places = _places(len(parts))
    left.scatter(
        places,
        [one.predicted for one in parts],
        marker="D",
        s=46,
        facecolor="white",
        edgecolor=VERMILLION,
        linewidth=1.8,
        zorder=4,
        label="predicted before",
    )
    left.set_ylabel(f"Effect, {wording.unit} per {wording.subject}", fontsize=10.5)
    _heading(left, "Predicted and found effect")
    for number, (name, colour, marker, label) in enumerate(DRAWN):
        values = [found.policies[part][name].profit_usd for part in (*names, POOLED)]
        _points(right, values, 0.16 * (number - 1), (colour, marker, label))
    money = "Profit, USD" if policy.are_stated else f"Gain, {wording.unit}"
    right.set_ylabel(f"{money} per {wording.subject}", fontsize=10.5)
    _heading(right, "What each policy earned")
    for axis in (left, right):
        axis.axhline(0.0, color=BLACK, lw=0.8)
        axis.axvline(len(names) - 0.25, color=GREY, lw=0.8, ls=":")
        axis.set_xlim(-0.5, len(names) + 1.0)
        axis.set_xticks(places, [*labels, "pooled"], fontsize=9.5 if len(names) < 6 else 7.5)
        axis.set_xlabel("Campaign that came next", fontsize=10.5)
        axis.margins(y=0.18)
        _legend(axis)
    _note(figure, _note_text(found, policy, wording))
    return figure


def _places(n: int) -> FloatArray:
    """Places of the campaigns, and of all of them, set apart."""
    return np.append(np.arange(n - 1, dtype=np.float64), n - 0.5)


def _points(
    axis: Axes, intervals: list[Interval], shift: float, look: tuple[str, str, str]
) -> None:
    colour, marker, label = look
    middle = np.array([one.estimate for one in intervals])
    low = middle - [one.ci_low for one in intervals]
    high = np.array([one.ci_high for one in intervals]) - middle
    axis.errorbar(
        _places(len(intervals)) + shift,
        middle,
        yerr=[low, high],
        fmt=marker,
        color=colour,
        capsize=3,
        lw=1.6,
        ms=6,
        label=label,
    )


def _note_text(found: Prospective, policy: PolicyParameters, wording: WordingParameters) -> str:
    if found.fact is None:
        return ""
    slope = found.fact.drift.pooled.slope
    text = (
        f"Each campaign is judged by models of earlier campaigns only. Bars: {found.level:.0%} "
        f"intervals, clustered by {wording.subject}. "
    )
    if np.isfinite(slope.estimate):
        text += (
            f"Slope of found on predicted effects, all campaigns: {slope.estimate:.2f} "
            f"({slope.ci_low:.2f} to {slope.ci_high:.2f}); calibrated is 1. "
        )
    if policy.are_stated and policy.values_are_assumptions:
        text += "Margin and costs are assumptions."
    return text


def prospective_run_record(*, found: Prospective, policy: PolicyParameters) -> RunRecord:
    """Metrics and tags of the validation, under the names that two runs are compared by."""
    metrics: dict[str, float] = {
        "prospective_campaigns": float(len(found.campaigns)),
        "prospective_overlapping_left_out": float(
            sum(len(plan.overlapping) for plan in found.plans if not plan.reason)
        ),
    }
    if found.fact is not None:
        drift = found.fact.drift
        for name, interval in (
            ("gap_usd", drift.pooled.gap),
            ("slope", drift.pooled.slope),
            ("gap_change_usd", drift.change.gap),
            ("slope_change", drift.change.slope),
            ("gap_trend_usd", drift.trend.gap),
            ("slope_trend", drift.trend.slope),
            *found.rankings[POOLED].items(),
        ):
            metrics |= with_interval(f"prospective_{name}", interval)
        if policy.are_stated:
            pooled = found.policies[POOLED]
            metrics |= with_interval(
                "prospective_profit_per_household", pooled["chosen"].profit_usd
            )
            for name in ("none", "all"):
                gain = pooled[name].chosen_minus_this_usd
                metrics |= with_interval(f"prospective_profit_minus_{name}", gain)
    return RunRecord(
        metrics=metrics,
        tags={
            "prospective_judged": " ".join(str(one.plan.campaign) for one in found.campaigns)
            or "none",
            "money": money_tag(policy),
        },
        learners=(),
        inputs={},
    )
