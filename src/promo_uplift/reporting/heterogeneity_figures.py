"""Figures of who responds and why; where no heterogeneity is shown they say so on their face."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.explanation import Explanation, label
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREY,
    LOOKS,
    ORANGE,
    VERMILLION,
    _baseline_label,
    _figure,
    _heading,
    _legend,
    _note,
    _reach,
    _share_axis,
)

NAME_WIDTH, RULE_WIDTH, WARNING_WIDTH = 26, 46, 92


def _warn(figure: Figure, warning: str | None) -> None:
    if warning is not None:
        figure.suptitle(
            fill(f"WARNING  {warning}", WARNING_WIDTH),
            x=0.01,
            ha="left",
            fontsize=10.5,
            fontweight="bold",
            color=VERMILLION,
        )


def _names(axis: Axes, names: list[str], width: int) -> FloatArray:
    """Write one name per line from the top, and return the lines' heights."""
    heights = np.arange(len(names), dtype=np.float64)
    axis.set_yticks(heights, [fill(name, width) for name in names], fontsize=9)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.axvline(0.0, color=BLACK, lw=0.8)
    return heights


def toc_figure(
    *, toc: pd.DataFrame, learner: str, level: float, wording: WordingParameters
) -> Figure:
    """Effect of the top share above the average, USD per household, with bands.

    Parameters
    ----------
    toc : DataFrame
        Of :func:`promo_uplift.metrics.targeting_operator`.
    learner : str
        The learner shown.
    level : float
        Confidence level of the bands.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    names = dict.fromkeys((learner, "response", "random"))
    for name in names:
        rows = toc[toc["learner"] == name]
        if rows.empty:
            continue
        colour, line = LOOKS["champion" if name == learner else name]
        if name == learner:
            for low, high, alpha in (("band_low", "band_high", 0.12), ("ci_low", "ci_high", 0.18)):
                axis.fill_between(
                    rows["share"], rows[low], rows[high], color=colour, alpha=alpha, lw=0
                )
        label = _baseline_label(name)
        axis.plot(rows["share"], rows["toc_usd"], ls=line, color=colour, lw=2, label=label)
    axis.axhline(0.0, color=BLACK, lw=0.8)
    _share_axis(axis, f"Share of {wording.subjects} {wording.treated}, highest ranked first")
    axis.set_ylabel(
        f"Effect above the average{wording.after},\n{wording.unit} per {wording.subject} "
        f"{wording.treated}",
        fontsize=10.5,
    )
    _heading(axis, f"How much more do the first {wording.subjects} respond than all?")
    _legend(axis)
    _note(
        figure,
        f"Held-out folds, doubly robust. Bands of the learner: {level:.0%} at each share (dark) "
        f"and at all shares at once (light), clustered by {wording.subject}, widened since folds "
        "learn from each other.",
    )
    return figure


def drivers_figure(*, found: Explanation, shown: int, wording: WordingParameters) -> Figure:
    """Mean size of the covariates' contributions, and their sign below and above the mean.

    Parameters
    ----------
    found : Explanation
        Of the champion.
    shown : int
        Covariates at most.
    wording : WordingParameters
        Words of labels.
    """
    rows = found.drivers[found.drivers["mean_abs_usd"] > 0.0].head(shown)
    figure, (left, right) = _figure(columns=2, height=2.3 + 0.36 * max(len(rows), 3))
    _warn(figure, found.warning)
    unit = f"{wording.unit} per {wording.subject}"
    heights = _names(left, [label(name) for name in rows["covariate"]], NAME_WIDTH)
    size = rows["mean_abs_usd"].to_numpy()
    left.barh(heights, size, color=BLUE, height=0.62)
    left.errorbar(
        size,
        heights,
        xerr=_reach(size, rows["fold_low_usd"], rows["fold_high_usd"]),
        fmt="none",
        ecolor=BLACK,
        elinewidth=1.2,
        capsize=2.5,
    )
    left.set_xlabel(f"Mean size of the contribution,\n{unit}", fontsize=10)
    _heading(left, f"What moves {found.learner}")
    _names(right, ["" for _ in heights], NAME_WIDTH)
    below, above = rows["below_mean_usd"].to_numpy(), rows["above_mean_usd"].to_numpy()
    right.hlines(heights, below, above, color=GREY, lw=1.6)
    right.plot(below, heights, "o", ms=6.5, color=ORANGE, label="below its mean")
    right.plot(above, heights, "D", ms=6.5, color=BLUE, label="above its mean")
    right.set_xlabel(f"Mean contribution where the covariate is\nbelow, above its mean, {unit}")
    right.xaxis.label.set_fontsize(10)
    for axis in (left, right):
        axis.set_ylim(len(rows) + 0.5, -0.6)  # room for the legend
    right.legend(frameon=False, fontsize=9.5, loc="lower center", ncols=2)
    _heading(right, "In which direction")
    explained = f"{int(found.drivers['n'].iloc[0]):,} {wording.subjects}"
    how = {
        "exact": "exact Shapley values",
        "permutation": "Shapley values by random orders of the covariates",
    }[found.contributions.method]
    _note(
        figure,
        f"Held-out effects of {explained} (rows), {how}. Whiskers: from the smallest to the "
        "largest of the folds' models. Contributions describe what the model does, and no cause: a "
        "covariate can stand for another that goes with it.",
    )
    return figure


def rules_figure(*, found: Explanation, level: float, wording: WordingParameters) -> Figure:
    """Effects found where a few rules apply, on households that made none of them.

    Parameters
    ----------
    found : Explanation
        Of the champion.
    level : float
        Confidence level of the bars.
    wording : WordingParameters
        Words of labels.
    """
    rows = found.rules.table
    figure, (axis,) = _figure(height=2.2 + 0.56 * len(rows))
    _warn(figure, found.warning)
    start = f"{wording.subjects.capitalize()} with "
    names = [
        f"{rule.removeprefix(start)} ({share:.0%})"
        for rule, share in zip(rows["rule"], rows["share"], strict=True)
    ]
    heights = _names(axis, names, RULE_WIDTH)
    effect = rows["effect_usd"].to_numpy()
    for low, high, width in (("band_low", "band_high", 1.2), ("ci_low", "ci_high", 3.5)):
        axis.errorbar(
            effect,
            heights,
            xerr=np.nan_to_num(_reach(effect, rows[low], rows[high])),
            fmt="o",
            ms=6,
            color=BLUE,
            elinewidth=width,
            capsize=3 if width < 2.0 else 0,
            label="found" if width > 2.0 else None,
        )
    axis.plot(rows["predicted_usd"], heights, "D", ms=6, color=VERMILLION, label="predicted")
    axis.set_xlabel(
        f"Effect of a {wording.treatment}, {wording.unit} per {wording.subject}{wording.after}",
        fontsize=10.5,
    )
    _heading(axis, f"The effects of {found.learner} as a few rules")
    _legend(axis)
    repeated = f"{max(found.rules.r2, 0.0):.0%}" if np.isfinite(found.rules.r2) else "nothing"
    _note(
        figure,
        f"In brackets: share of rows. The tree repeats {repeated} of the predicted effects' "
        f"variation. Effects: doubly robust, on {int(rows['n_valued'].sum()):,} rows whose "
        f"outcomes made neither effects nor tree. Thick bars: {level:.0%} intervals, thin: all "
        f"rules at once; clustered by {wording.subject}.",
    )
    return figure


def affected_figure(
    *,
    clan: pd.DataFrame,
    learner: str,
    warning: str | None,
    shown: int,
    n_groups: int,
    level: float,
    wording: WordingParameters,
) -> Figure:
    """Covariates of the most and the least affected, in standard deviations.

    Parameters
    ----------
    clan : DataFrame
        Of :func:`promo_uplift.metrics.affected_groups`.
    learner : str
        Whose effects make the groups.
    warning : str or None
        Where no heterogeneity is shown.
    shown : int
        Covariates at most.
    n_groups : int
        Groups that the rows were cut into.
    level : float
        Confidence level of the bars.
    wording : WordingParameters
        Words of labels.
    """
    rows = clan[clan["standardised_difference"].notna()].head(shown)
    figure, (axis,) = _figure(height=2.3 + 0.36 * max(len(rows), 3))
    _warn(figure, warning)
    heights = _names(axis, [label(name) for name in rows["covariate"]], NAME_WIDTH)
    middle = rows["standardised_difference"].to_numpy()
    difference = rows["difference"].to_numpy()
    scale = np.divide(middle, difference, out=np.ones_like(middle), where=difference != 0.0)
    for low, high, width in (("band_low", "band_high", 1.2), ("ci_low", "ci_high", 3.5)):
        axis.errorbar(
            middle,
            heights,
            xerr=_reach(middle, rows[low] * scale, rows[high] * scale),
            fmt="o",
            ms=6,
            color=BLUE,
            elinewidth=width,
            capsize=3 if width < 2.0 else 0,
        )
    for height, most, least in zip(
        heights, rows["most_affected"], rows["least_affected"], strict=True
    ):
        axis.annotate(
            f"{most:,.3g} against {least:,.3g}",
            xy=(1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            fontsize=8.5,
            va="center",
            color=BLACK,
            annotation_clip=False,
        )
    axis.set_xlabel(
        "Mean of the most affected less that of the least, standard deviations", fontsize=10.5
    )
    _heading(axis, f"Who responds most by {learner}, and who least?")
    _note(
        figure,
        f"Most and least: the outer {1.0 / n_groups:.0%} of predicted effects in each held-out "
        f"fold. At the right: their means. Thick bars: {level:.0%} intervals, thin: all "
        f"covariates at once; clustered by {wording.subject}.",
    )
    return figure
