"""Policies side by side, with their intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.policy import PolicySuite
from promo_uplift.policy.rules import BASELINES
from promo_uplift.policy.suite import BEST_OF_ALL, WINNER_AS_READ
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _note,
)

#: Colour, marker and words of each kind of policy.
KINDS = {
    "policy": (BLUE, "o", "policy, valued where it was not fitted"),
    "baseline": (GREY, "s", "baseline"),
    BEST_OF_ALL: (VERMILLION, "D", "best of all, chosen where it is not valued"),
    WINNER_AS_READ: (ORANGE, "X", "highest value as read: too high"),
}


def policy_comparison_figure(
    *, suite: PolicySuite, parameters: PolicyParameters, wording: WordingParameters
) -> Figure:
    """Forest plot of every policy's profit, USD per household, with its weighted twin.

    Without a stated cost: the gain in the outcome's unit.

    Parameters
    ----------
    suite : PolicySuite
        Policies with their values.
    parameters : PolicyParameters
        Whether money was stated.
    wording : WordingParameters
        Words of labels.
    """
    last = (BEST_OF_ALL, WINNER_AS_READ)
    order = [
        *(name for name in BASELINES),
        *(name for name in suite.valued if name not in (*BASELINES, *last)),
        *last,
    ]
    figure, (axis,) = _figure(height=2.2 + 0.27 * len(order))
    shown: set[str] = set()
    for place, name in enumerate(order):
        kind = "baseline" if name in BASELINES else name if name in last else "policy"
        colour, marker, words = KINDS[kind]
        value = suite.valued[name]
        one = value.profit_usd
        axis.plot([one.ci_low, one.ci_high], [place, place], color=colour, lw=1.8)
        axis.plot(
            one.estimate, place, marker, color=colour, ms=7, ls="",
            label=words if kind not in shown else None,
        )  # fmt: skip
        shown.add(kind)
        axis.plot(
            value.ipw_profit_usd.estimate, place, "|", color=BLACK, ms=9, mew=1.4, ls="",
            label="by weighting alone (IPW)" if place == 0 else None,
        )  # fmt: skip
        axis.annotate(
            f"{value.share.estimate:.0%}",
            xy=(1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=BLACK,
        )
    axis.annotate(
        wording.treated,
        xy=(1.0, -0.95),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=BLACK,
    )
    for line in (len(BASELINES) - 0.5, len(order) - len(last) - 0.5):
        axis.axhline(line, color="#DDDDDD", lw=0.8)
    axis.axvline(0.0, color=BLACK, lw=1.0)
    axis.set_yticks(np.arange(len(order)), [name.replace("_", " ") for name in order], fontsize=9)
    axis.set_ylim(len(order) - 0.4, -0.6)
    what, unit = ("Profit", "USD") if parameters.are_stated else ("Gain", wording.unit)
    axis.set_xlabel(f"{what}{wording.after}, {unit} per {wording.subject}", fontsize=10.5)
    _heading(axis, f"What each policy is worth against leaving all {wording.subjects} alone")
    figure.legend(frameon=False, fontsize=8.5, ncols=2, loc="outside upper center")
    left_out = (
        f" Not valued here: {', '.join(suite.not_valued)} (policy_comparison.csv says why)."
        if suite.not_valued
        else ""
    )
    _note(
        figure,
        f"Held-out folds, doubly robust. Bars: {suite.level:.0%} intervals, clustered by "
        f"{wording.subject}, of the fitted rules, widened since folds learn from each other."
        f"{left_out}",
    )
    return figure
