"""Figures of the benchmark as Matplotlib objects, from its tables."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from promo_uplift.benchmark.cells import (
    EFFECTS,
    cell_label,
    cells_of,
    figure_rows,
    group_figures,
)
from promo_uplift.benchmark.worlds import CardParameters
from promo_uplift.reporting.figures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION

WIDTH = 8.5
NOTE_WIDTH = 130
#: Marks of a logarithmic axis of money, USD.
MONEY_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
#: Ends of the colour scale of ratios; what lies beyond has their colour.
SMALLEST_RATIO, LARGEST_RATIO = 0.25, 4.0
#: Powers of two from 1 beyond which the colour is too dark for black text.
DARK_FROM = 1.2
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, "#CC79A7", "#56B4E9")


def _figure(*, rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 1.9 + 0.36 * max(rows, 4)), layout="constrained", dpi=120)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _finish(figure: Figure, axis: Axes, *, title: str, note: str) -> Figure:
    axis.set_title(title, loc="left", fontsize=12, fontweight="bold", color=BLACK)
    if axis.get_legend_handles_labels()[1]:
        axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.supxlabel(fill(note, NOTE_WIDTH), x=0.01, ha="left", fontsize=8.5, color="#555555")
    return figure


def _dots(
    axis: Axes, *, rows: pd.DataFrame, cells: Sequence[tuple[str, int]], column: str, place: int,
    of: int, label: str,
) -> None:  # fmt: skip
    index = rows.set_index(["world", "n_households"])
    known = [cell for cell in cells if cell in index.index]
    found = index.loc[known]
    middle = found[column].to_numpy(dtype=np.float64)
    heights = [cells.index(cell) + (place - (of - 1) / 2.0) * 0.7 / of for cell in known]
    reach = np.vstack(
        [
            middle - found[f"{column}_ci_low"].to_numpy(dtype=np.float64),
            found[f"{column}_ci_high"].to_numpy(dtype=np.float64) - middle,
        ]
    )
    axis.errorbar(
        middle,
        heights,
        xerr=np.maximum(np.nan_to_num(reach), 0.0),
        fmt="o",
        ms=4.5,
        elinewidth=1.2,
        color=COLOURS[place % len(COLOURS)],
        label=label,
    )


def _world_axis(axis: Axes, cells: Sequence[tuple[str, int]]) -> None:
    axis.set_yticks(range(len(cells)), [cell_label(cell) for cell in cells], fontsize=9)
    axis.set_ylim(len(cells) - 0.4, -0.6)
    for place in range(1, len(cells)):
        axis.axhline(place - 0.5, color="#EEEEEE", lw=0.8)


def coverage_figure(*, summary: pd.DataFrame, card: CardParameters, level: float) -> Figure:
    """Coverage of average and group effects by world, with Monte-Carlo bars.

    Parameters
    ----------
    summary : DataFrame
        Of :func:`promo_uplift.benchmark.summary.summarise`.
    card : CardParameters
        The zone that counts as good.
    level : float
        Nominal level, and the level of the bars.
    """
    cells = cells_of(summary)
    figure, axis = _figure(rows=len(cells))
    series = {name: figure_rows(summary, subject, "effect_usd") for subject, name in EFFECTS}
    series["groups of predicted effect"] = group_figures(summary, level=level)
    axis.axvspan(card.cover_low, card.cover_high, color=GREEN, alpha=0.12, lw=0)
    axis.axvline(level, color=BLACK, lw=0.9, ls="--")
    for place, (label, rows) in enumerate(series.items()):
        _dots(
            axis, rows=rows[rows["intervals"] > 0], cells=cells, column="coverage", place=place,
            of=len(series), label=label,
        )  # fmt: skip
    _world_axis(axis, cells)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel(f"Share of {level:.0%} intervals that hold the truth", fontsize=10)
    return _finish(
        figure,
        axis,
        title="Do the intervals cover?",
        note=f"Green: {card.cover_low:.0%} to {card.cover_high:.0%}. Bars: {level:.0%} Monte-Carlo "
        "interval (Wilson) of the share. Each effect is held against the truth of its own "
        "population.",
    )


def pehe_figure(*, summary: pd.DataFrame) -> Figure:
    """Heat map of the error of each learner's effects over that of one effect for all."""
    rows = summary[summary["figure"] == "pehe_over_constant"]
    rows = rows[~rows["subject"].isin(["constant"])]
    cells = cells_of(rows)
    learners = list(dict.fromkeys(rows["subject"]))
    figure, axis = _figure(rows=len(cells))
    values = np.full((len(cells), len(learners)), np.nan)
    found = rows[["world", "n_households", "subject", "mean"]].itertuples(index=False)
    for world, size, subject, mean in found:
        values[cells.index((str(world), int(size))), learners.index(subject)] = mean
    shown = axis.imshow(
        np.log2(np.maximum(values, SMALLEST_RATIO)),
        cmap="RdBu_r",
        vmin=np.log2(SMALLEST_RATIO),
        vmax=np.log2(LARGEST_RATIO),
        aspect="auto",
    )
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            is_dark = abs(np.log2(max(value, SMALLEST_RATIO))) > DARK_FROM
            axis.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if is_dark else "black",
            )
    axis.set_xticks(range(len(learners)), learners, rotation=30, ha="right", fontsize=9)
    _world_axis(axis, cells)
    bar = figure.colorbar(shown, ax=axis, ticks=[-2, -1, 0, 1, 2], shrink=0.8)
    bar.ax.set_yticklabels(["1/4", "1/2", "1", "2", "4"])
    return _finish(
        figure,
        axis,
        title="Error of the effects, over that of one effect for all",
        note="Mean over replications of PEHE / PEHE of `constant`. Below 1 (blue) a learner knows "
        "more than the average effect; above 1 (red) it is worse than saying the same of everybody."
        " Worlds where one effect for all has no error are left out.",
    )


def regret_figure(*, summary: pd.DataFrame, learners: Sequence[str]) -> Figure:
    """Profit lost against contacting exactly those who pay, by world, USD per household."""
    cells = cells_of(summary[summary["figure"] == "policy_regret_usd"])
    figure, axis = _figure(rows=len(cells))
    for place, learner in enumerate(learners):
        _dots(
            axis, rows=figure_rows(summary, learner, "policy_regret_usd"), cells=cells,
            column="mean", place=place, of=len(learners), label=learner,
        )  # fmt: skip
    axis.axvline(0.0, color=BLACK, lw=0.9)
    _world_axis(axis, cells)
    axis.set_xlabel("Profit lost, USD per household", fontsize=10)
    return _finish(
        figure,
        axis,
        title="What the chosen policy leaves on the table",
        note="True profit of contacting exactly the households that pay, less the true profit of "
        "the chosen policy, mean over replications with its Monte-Carlo interval.",
    )


def discovery_figure(
    *, summary: pd.DataFrame, decisions: Sequence[tuple[str, str, str]], card: CardParameters
) -> Figure:
    """How often a run claims something, by world; grey where there is nothing to claim.

    Parameters
    ----------
    summary : DataFrame
    decisions : sequence of (subject, figure, label)
        The claims.
    card : CardParameters
        The rate of false claims that is allowed.
    """
    cells = cells_of(summary[summary["figure"].isin([figure for _, figure, _ in decisions])])
    figure, axis = _figure(rows=len(cells))
    axis.axvline(card.max_false_discovery, color=VERMILLION, lw=1.2, ls="--")
    for place, (subject, name, label) in enumerate(decisions):
        _dots(
            axis, rows=figure_rows(summary, subject, name), cells=cells, column="mean",
            place=place, of=len(decisions), label=label,
        )  # fmt: skip
    nothing = {
        (world, size)
        for world, size, truth in figure_rows(summary, *decisions[0][:2])[
            ["world", "n_households", "truth"]
        ].itertuples(index=False)
        if truth == 0.0
    }
    for place, cell in enumerate(cells):
        if cell in nothing:
            axis.axhspan(place - 0.5, place + 0.5, color=GREY, alpha=0.12, lw=0)
    _world_axis(axis, cells)
    axis.set_xlim(-0.02, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel("Share of replications that say so", fontsize=10)
    return _finish(
        figure,
        axis,
        title="How often is heterogeneity claimed, and how often is it there?",
        note="Grey: worlds in which everybody responds alike, so every claim is false; the dashed "
        f"line is the {card.max_false_discovery:.0%} that is allowed there. Bars: Monte-Carlo "
        "interval (Wilson).",
    )


def mde_figure(*, summary: pd.DataFrame, worlds: Sequence[str]) -> Figure:
    """Smallest average effect that would have been seen, by number of households.

    Parameters
    ----------
    summary : DataFrame
    worlds : sequence of str
        Those whose outcome is in USD.
    """
    rows = figure_rows(summary, "aipw_ate", "mde_usd")
    rows = rows[rows["world"].isin(list(worlds))]
    figure, axis = _figure(rows=8)
    for place, (world, part) in enumerate(rows.groupby("world", sort=False, observed=True)):
        ordered = part.sort_values("n_households")
        colour = COLOURS[place % len(COLOURS)]
        axis.plot(
            ordered["n_households"], ordered["mean"], color=colour, lw=1.4,
            marker="osv^DPX"[place // len(COLOURS) % 7], ms=5, label=str(world).replace("_", " "),
        )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    ticks = sorted(set(rows["n_households"].tolist()))
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.minorticks_off()
    values = [value for value in MONEY_TICKS if rows["mean"].min() <= 2 * value]
    values = [value for value in values if value <= 2 * rows["mean"].max()]
    axis.set_yticks(values, [f"{value:g}" for value in values])
    axis.set_xlabel("Households", fontsize=10)
    axis.set_ylabel("Smallest visible average effect, USD", fontsize=10)
    return _finish(
        figure,
        axis,
        title="How large must an average effect be to be seen?",
        note="Mean over replications of the smallest effect that a two-sided test finds with the "
        "configured power, from the clustered standard error of the doubly robust average effect.",
    )
