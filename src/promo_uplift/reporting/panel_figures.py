"""Figures of what a difference-in-differences rests on: weights, trends, households, errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.contracts.results import FloatArray, Interval
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    CAMPAIGN_LOOKS,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _legend,
    _note,
)


def bacon_figure(
    *, comparisons: pd.DataFrame, overall: float, wording: WordingParameters
) -> Figure:
    """Weight of each 2x2 comparison in the two-way effect, against what it says.

    Parameters
    ----------
    comparisons : DataFrame
        ``comparison`` (its type), ``weight``, ``estimate``; weights sum to 1.
    overall : float
        Their weighted mean: the two-way fixed-effects estimate.
    wording : WordingParameters
        Words of labels.

    References
    ----------
    Goodman-Bacon (2021), Journal of Econometrics 225(2).
    """
    figure, (axis,) = _figure(height=4.6)
    for (name, rows), (colour, marker) in zip(
        comparisons.groupby("comparison", sort=False), CAMPAIGN_LOOKS, strict=False
    ):
        axis.scatter(
            rows["weight"],
            rows["estimate"],
            s=46,
            color=colour,
            marker=marker,
            edgecolor="white",
            lw=0.5,
            label=f"{str(name).replace('_', ' ')}: weight {rows['weight'].sum():.0%}",
        )
    axis.axhline(0.0, color=BLACK, lw=0.9)
    axis.axhline(
        overall, color=VERMILLION, lw=1.5, ls="--", label=f"together {wording.number(overall)}"
    )
    axis.set_xlim(left=0.0)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_xlabel("Weight of the comparison", fontsize=10.5)
    axis.set_ylabel(f"Its estimate, {wording.unit} per {wording.subject} and week", fontsize=10.5)
    _heading(axis, "Which comparisons make the two-way effect?")
    _legend(axis)
    _note(
        figure,
        "Each point compares two groups around the start of one. Where those already treated serve "
        "as controls, an effect that grows or fades enters with the wrong sign.",
    )
    return figure


def honest_figure(
    *,
    bounds: pd.DataFrame,
    original: Interval,
    breakdown: float,
    is_at_least: bool,
    axis_label: str,
    level: float,
    wording: WordingParameters,
) -> Figure:
    """Robust intervals against how much trends may differ, and where they begin to hold 0.

    Parameters
    ----------
    bounds : DataFrame
        ``m``, ``ci_low``, ``ci_high``; one restriction.
    original : Interval
        The estimate under parallel trends.
    breakdown : float
        Largest violation at which the interval excludes 0; NaN where it never does.
    is_at_least : bool
        Whether the grid ended before the interval held 0.
    axis_label : str
        What the violation is measured in.
    level : float
        Confidence level.
    wording : WordingParameters
        Words of labels.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5).
    """
    figure, (axis,) = _figure(height=4.4)
    m = bounds["m"].to_numpy()
    low, high = bounds["ci_low"].to_numpy(), bounds["ci_high"].to_numpy()
    step = float(np.diff(m).min()) if len(m) > 1 else 1.0
    holds = (low <= 0.0) & (high >= 0.0)
    for rows, colour, name in ((~holds, BLUE, "excludes 0"), (holds, GREY, "holds 0")):
        if rows.any():
            axis.vlines(m[rows], low[rows], high[rows], color=colour, lw=3.0, label=name)
    place = float(m.min()) - step
    axis.errorbar(
        place,
        original.estimate,
        yerr=[[original.estimate - original.ci_low], [original.ci_high - original.estimate]],
        fmt="D",
        ms=6,
        color=ORANGE,
        elinewidth=2.2,
        capsize=3,
        label="parallel trends taken as given",
    )
    axis.axhline(0.0, color=BLACK, lw=0.9)
    if np.isfinite(breakdown):
        sign = "at least " if is_at_least else ""
        axis.axvline(
            breakdown,
            ymax=0.8,
            color=VERMILLION,
            lw=1.5,
            ls="--",
            label=f"breaks down at {sign}{breakdown:.3g}",
        )
        text = f"It excludes 0 up to a violation of {sign}{breakdown:.3g}."
    else:
        text = "It holds 0 whatever the violation: there is nothing to break down."
    axis.set_xticks([place, *m], ["none", *[f"{value:g}" for value in m]], fontsize=9)
    axis.set_xlabel(axis_label, fontsize=10.5)
    axis.set_ylabel(f"Effect, {wording.unit}\nper {wording.subject}{wording.after}", fontsize=10.5)
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom, top + 0.28 * (top - bottom))  # room for the legend
    _heading(axis, "How far may trends differ before the effect is lost?")
    axis.legend(frameon=False, fontsize=9.5, loc="upper left", ncols=2)
    _note(figure, f"{text} Bars: {level:.0%} intervals that allow for such trends.")
    return figure


def leave_one_out_figure(
    *, estimates: FloatArray, full: Interval, bins: int, left_out: str, wording: WordingParameters
) -> Figure:
    """Draw the estimate without each household (or campaign) in turn.

    Parameters
    ----------
    estimates : float64 (q,)
        Estimates, one per household left out.
    full : Interval
        With everybody.
    bins : int
        Bars.
    left_out : str
        What was left out, e.g. ``household``.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=4.2)
    found = estimates[np.isfinite(estimates)]
    axis.hist(found, bins=bins, color=BLUE, edgecolor="white", lw=0.5)
    axis.set_yscale("symlog", linthresh=1.0)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_ylim(bottom=0.0)
    axis.axvline(
        full.estimate, color=VERMILLION, lw=1.6, label=f"with all {wording.number(full.estimate)}"
    )
    low, high = axis.get_xlim()
    if low <= 0.0 <= high:
        axis.axvline(0.0, color=BLACK, lw=1.0)
    axis.set_xlabel(
        f"Effect without one {left_out}, {wording.unit} per {wording.subject}{wording.after}",
        fontsize=10.5,
    )
    axis.set_ylabel("How often (log scale)", fontsize=10.5)
    _heading(axis, f"Does one {left_out} make the effect?")
    _legend(axis)
    flips = int(np.sum(np.sign(found) != np.sign(full.estimate)))
    missing = len(estimates) - len(found)
    _note(
        figure,
        f"{len(found):,} estimates from {wording.number(found.min())} to "
        f"{wording.number(found.max())} {wording.unit}; {flips} of another sign than "
        f"{wording.interval(full)}." + (f" {missing} could not be made." if missing else ""),
    )
    return figure


def standard_errors_figure(
    *,
    errors: pd.DataFrame,
    reference: str,
    estimate: float,
    level: float,
    critical: float,
    wording: WordingParameters,
) -> Figure:
    """Draw the standard error of one estimate under each method, against the size needed.

    Parameters
    ----------
    errors : DataFrame
        ``error`` (the method), ``se``, ``reason`` (empty where there is a figure).
    reference : str
        The method that the analysis reports.
    estimate : float
        The estimate that all are errors of.
    level, critical : float
        Confidence level, and its multiple of the standard error.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=1.9 + 0.36 * len(errors))
    heights = np.arange(len(errors), dtype=np.float64)
    base = float(errors.loc[errors["error"] == reference, "se"].iloc[0])
    colours = [GREEN if name == reference else BLUE for name in errors["error"]]
    axis.barh(heights, errors["se"].fillna(0.0), color=colours, height=0.62)
    limit = abs(estimate) / critical
    largest = max(float(errors["se"].max()), limit)
    for height, (_, row) in zip(heights, errors.iterrows(), strict=True):
        text = (
            f"{row['se']:.2f} ({row['se'] / base:.2f} x)"
            if np.isfinite(row["se"])
            else f"no figure: {row['reason']}"
        )
        axis.annotate(
            text,
            xy=(0.0 if not np.isfinite(row["se"]) else row["se"], height),
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=9,
            va="center",
            color=BLACK if np.isfinite(row["se"]) else GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    axis.axvline(limit, color=VERMILLION, lw=1.5, ls="--", zorder=1.5)
    axis.set_xlim(0.0, 1.3 * largest)
    axis.set_yticks(heights, [name.replace("_", " ") for name in errors["error"]])
    axis.set_ylim(len(errors) - 0.4, -0.6)
    axis.set_xlabel(f"Standard error, {wording.unit} per {wording.subject}", fontsize=10.5)
    _heading(axis, "Does the choice of the error decide?")
    _note(
        figure,
        f"Green: reported. In brackets: against it. Dashed: {limit:.2f} {wording.unit}; an error "
        f"below it makes {wording.amount(estimate)} differ from 0 at {level:.0%}.",
    )
    return figure
