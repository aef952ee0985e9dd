"""Figures of the search: how far it got, and which hyperparameters mattered."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    NOTE_WIDTH,
    ORANGE,
    VERMILLION,
    WIDTH,
)
from promo_uplift.tuning.importance import Importances, relative_losses

COLUMNS, PANEL_HEIGHT, MARGIN, TITLE_HEIGHT = 3, 1.9, 1.3, 0.26  # inches
#: Look of the end of a search, and what it says.
ENDS: dict[str, tuple[str, str, str]] = {
    "no_gain": ("X", VERMILLION, "stopped: the gain's interval holds 0"),
    "trials": ("o", BLUE, "all trials done"),
    "seconds": ("s", ORANGE, "stopped: out of time"),
}


def _panels(*, names: list[str], title: str, legend_lines: int = 0) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, max(len(names), 1))
    rows = max(ceil(len(names) / columns), 1)
    figure = Figure(figsize=(WIDTH, MARGIN + PANEL_HEIGHT * rows), layout="constrained", dpi=120)
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel().tolist()
    for axis in axes[len(names) :]:
        axis.remove()
    for axis, name in zip(axes, names, strict=False):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8.5)
        axis.set_title(name, loc="left", fontsize=10, color=BLACK)
    figure.suptitle(
        title + "\n" * legend_lines, x=0.01, ha="left", fontsize=12, fontweight="bold", color=BLACK
    )
    return figure, axes[: len(names)]


def _note(figure: Figure, text: str) -> None:
    figure.supxlabel(fill(text, NOTE_WIDTH), x=0.01, ha="left", fontsize=8.5, color="#555555")


def _nothing_tuned(title: str) -> Figure:
    figure, (axis,) = _panels(names=[""], title=title)
    axis.remove()
    figure.text(0.01, 0.5, "No learner was tuned in this run.", fontsize=10, color=BLACK)
    return figure


def best_so_far(trials: pd.DataFrame) -> pd.DataFrame:
    """Lowest complete loss up to each finished trial, over that of the defaults, minus 1.

    Parameters
    ----------
    trials : DataFrame
        One row per trial, as in ``CrossFittedCate.tuning``.

    Returns
    -------
    DataFrame
        Index: finished trials so far, from 1; one column per fold, NaN after its end.
    """
    trials = trials.assign(relative=relative_losses(trials))
    finished = trials[trials["state"] != "FAIL"].sort_values(["fold", "number"])
    lines = {
        fold: pd.Series(rows["relative"].cummin().ffill().to_numpy() - 1.0)
        for fold, rows in finished.groupby("fold")
    }
    table = pd.DataFrame(lines)
    return table.set_index(table.index + 1)


def tuning_history_figure(*, trials: Mapping[str, pd.DataFrame]) -> Figure:
    """Best inner loss so far against the defaults', by trial; where and why each search ended.

    Parameters
    ----------
    trials : mapping of str to DataFrame
        Trials of each tuned learner.
    """
    title = "How far did the search get beyond the defaults?"
    tuned = {name: table for name, table in trials.items() if len(table)}
    if not tuned:
        return _nothing_tuned(title)
    figure, axes = _panels(names=list(tuned), title=title, legend_lines=2)
    lowest, longest = 0.0, 2
    for axis, table in zip(axes, tuned.values(), strict=True):
        lines = best_so_far(table)
        ends = table.groupby("fold")["stopped_by"].first()
        axis.axhline(0.0, color=BLACK, lw=0.8)
        axis.plot(lines.index, lines, color=GREY, lw=0.8, alpha=0.6)
        carried = lines.ffill().median(axis=1)
        axis.plot(lines.index, carried, color=BLUE, lw=2.2)
        for fold, end in ends.items():
            line = lines[fold].dropna()
            marker, colour, _ = ENDS[end]
            axis.plot(
                line.index[-1:], line.iloc[-1:], marker, color=colour, ms=5.5, mec="white", mew=0.6
            )
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        lowest = min(lowest, float(np.nanmin(lines.to_numpy())))
        longest = max(longest, len(lines))
    for axis in axes:
        axis.set_xlabel("finished trials", fontsize=9)
        axis.set_ylim(1.12 * lowest - 1e-4, -0.12 * lowest + 1e-4)
        axis.set_xlim(0.5, longest + 0.5)
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1 if lowest > -0.05 else 0))
    for axis in axes[::COLUMNS]:
        axis.set_ylabel("loss against\nthe defaults'", fontsize=9)
    handles = [
        Line2D([], [], color=BLUE, lw=2.2, label="median of the folds"),
        Line2D([], [], color=GREY, lw=0.8, label="one fold"),
    ]
    found = set().union(*(set(table["stopped_by"]) for table in tuned.values()))
    handles += [
        Line2D([], [], marker=marker, color=colour, ls="", label=label)
        for end, (marker, colour, label) in ENDS.items()
        if end in found
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0 - TITLE_HEIGHT / figure.get_figheight()),
        ncols=3,
        fontsize=8.5,
        frameon=False,
    )
    _note(
        figure,
        "Best mean loss so far on the inner held-out rows, by which hyperparameters are chosen; "
        "lower is better. The best of many trials looks better than it is: the value of tuning in "
        "the leaderboard is measured on rows that took no part.",
    )
    return figure


def tuning_importances_figure(*, found: Mapping[str, Importances], min_trials: int) -> Figure:
    """Which hyperparameters moved the loss, one panel per tuned learner.

    Parameters
    ----------
    found : mapping of str to Importances
        Of each tuned learner.
    min_trials : int
        Complete trials below which nothing is drawn.
    """
    title = "Which hyperparameters moved the loss?"
    if not found:
        return _nothing_tuned(title)
    drawn = {name: one for name, one in found.items() if one.shares}
    figure, axes = _panels(names=list(drawn) or [""], title=title)
    for axis, (name, one) in zip(axes, drawn.items(), strict=False):
        axis.set_title(f"{name} ({one.n_trials} trials)", loc="left", fontsize=10, color=BLACK)
        keys = list(one.shares)[::-1]
        shares = [one.shares[key] for key in keys]
        axis.barh(keys, shares, color=GREEN, height=0.62)
        for position, share in enumerate(shares):
            axis.text(share + 0.02, position, f"{share:.0%}", va="center", fontsize=8)
        axis.set_xlim(0.0, 1.15)
        axis.set_xticks([])
        axis.set_xlabel("share of variation", fontsize=9)
        axis.spines["bottom"].set_visible(False)
    if not drawn:
        axes[0].remove()
    few = [f"{name} ({one.n_trials})" for name, one in found.items() if not one.shares]
    left_out = (
        f" Not drawn, for too few complete trials (below {min_trials}) or losses that all agree: "
        f"{', '.join(few)}."
        if few
        else ""
    )
    _note(
        figure,
        "Share of the loss's variation over the search space (functional ANOVA), all folds "
        "together. It says where to look, not what is better, and of how little there may be to "
        "gain it says nothing: see the history." + left_out,
    )
    return figure
