"""Figure of hidden traits: what a policy's profit would be bounded by."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from promo_uplift.analysis import HiddenConfounding
from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.policy import PolicySensitivity
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREY,
    VERMILLION,
    _figure,
    _heading,
    _legend,
    _note,
)


def policy_sensitivity_figure(
    *,
    hidden: HiddenConfounding,
    is_money_stated: bool,
    level: float,
    shown: int,
    wording: WordingParameters,
) -> Figure:
    """Bounds of the chosen policy's profit over the strength of a hidden trait.

    Parameters
    ----------
    hidden : HiddenConfounding
        Bounds and yardsticks.
    is_money_stated : bool
        Whether the figure is a profit, or the outcome itself.
    level : float
        Confidence level of the band.
    shown : int
        Groups of covariates marked at most, strongest first.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    chosen = [one for one in hidden.policies if one.policy == "chosen"]
    _heading(axis, "How strong a hidden trait would turn the decision around?")
    bounded = [one for one in chosen if not one.table.empty]
    if not bounded:
        reason = chosen[0].reason if chosen else "no policy was chosen"
        axis.text(0.5, 0.5, f"No bounds: {reason}", ha="center", transform=axis.transAxes)
        axis.set_axis_off()
        return figure
    for one, colour in zip(bounded, (BLUE, VERMILLION), strict=False):
        _bounds(axis, one, colour=colour)
    axis.axhline(0.0, color=BLACK, lw=1.0)
    strengths = bounded[0].table["strength"]
    axis.set_xscale("log")
    axis.set_xlim(strengths.iloc[0], strengths.iloc[-1])
    axis.xaxis.set_major_locator(FixedLocator(strengths.to_list()))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticklabels([f"{value:g}" for value in strengths])
    _yardsticks(axis, hidden, shown=shown)
    axis.set_xlabel(
        f"Hidden trait: factor on the odds of being {wording.treated}, given all covariates",
        fontsize=10.5,
    )
    what = "Profit, USD" if is_money_stated else f"Gain, {wording.unit}"
    axis.set_ylabel(f"{what} per {wording.subject} of the base", fontsize=10.5)
    _legend(axis)
    _note(
        figure,
        f"Dark: what the profit may be, with a trait of that strength that works against it as "
        f"hard as it can. Light: with its {level:.0%} interval. Dotted: what covariates that were "
        f"seen do to the odds of most {wording.subjects}, beside all others. {hidden.text}",
    )
    return figure


def _bounds(axis: Axes, one: PolicySensitivity, *, colour: str) -> None:
    table = one.table
    axis.fill_between(
        table["strength"], table["ci_low"], table["ci_high"], color=colour, alpha=0.12, lw=0
    )
    axis.fill_between(
        table["strength"],
        table["low"],
        table["high"],
        color=colour,
        alpha=0.35,
        lw=0,
        label=f"{one.policy} against {one.against}",
    )
    if np.isfinite(one.critical_strength) and one.critical_strength > 1.0:
        axis.plot([one.critical_strength], [0.0], "o", color=colour, ms=7, zorder=5)


def _yardsticks(axis: Axes, hidden: HiddenConfounding, *, shown: int) -> None:
    _, last = axis.get_xlim()
    strongest = hidden.yardsticks.head(shown)
    for name, value in zip(strongest["covariates"], strongest["strength"], strict=True):
        strength = float(value)
        if not 1.0 < strength < last:
            continue
        axis.axvline(strength, color=GREY, ls=":", lw=1.4)
        axis.annotate(
            str(name),
            xy=(strength, 0.01),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            rotation=90,
            fontsize=8.5,
            color=GREY,
            va="bottom",
        )
