"""Figures of the incremental ledger: where the money comes from, and what each campaign returns."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.effects import POOLED
from promo_uplift.policy.ledger import SETTLED, TOGETHER
from promo_uplift.policy.money import money_words
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    _figure,
    _heading,
    _note,
)

#: Steps of the waterfall and their names; totals stand on zero.
STEPS = (
    ("target", "products\non offer", False),
    ("category", "rest of the\ncategory", False),
    ("elsewhere", "elsewhere\nin the shop", False),
    ("incremental_revenue", "in the\nwindow", True),
    ("after", "after it", False),
    ("net_revenue", "net", True),
)
REVENUE_COLUMNS = (
    ("incremental_revenue", "revenue in\nwindow, USD"),
    ("net_revenue", "net revenue,\nUSD"),
    ("retailer_discount", "retailer's\ndiscounts, USD"),
    ("manufacturer_coupon", "manufacturers'\ncoupons, USD"),
)
RETURN_COLUMNS = (
    ("incremental_margin", "margin,\nUSD"),
    ("costs", "costs,\nUSD"),
    ("roi", "ROI"),
)
NO_FIGURE = "no figure"
WHO = {POOLED: "all campaigns", SETTLED: "the campaigns with known weeks after"}
ROW_NAMES = {POOLED: "all", SETTLED: "all with\nweeks after"}
DECISION_COLOURS = {"works": GREEN, "rejected": VERMILLION, "undecided": GREY}


def ledger_waterfall_figure(*, table: pd.DataFrame, campaign: str, level: float) -> Figure:
    """Incremental revenue of one campaign by where it was spent, USD, with intervals.

    Parameters
    ----------
    table : DataFrame
        Of :meth:`promo_uplift.policy.ledger.Ledger.table`.
    campaign : str
        Campaign id, or ``pooled``.
    level : float
        Confidence level of the intervals.
    """
    rows = table[table["campaign"] == campaign].set_index("entry")
    figure, (axis,) = _figure(height=4.8)
    running = 0.0
    tops: list[tuple[int, float, str]] = []
    for place, (entry, _, is_total) in enumerate(STEPS):
        value, low, high = (float(rows[name][entry]) for name in ("value", "ci_low", "ci_high"))
        if not np.isfinite(value):
            tops.append((place, 0.0, NO_FIGURE))
            continue
        start = 0.0 if is_total else running
        end = start + value
        colour = BLUE if is_total else (GREEN if value >= 0.0 else VERMILLION)
        axis.bar(place, value, bottom=start, color=colour, width=0.6, alpha=0.9)
        axis.errorbar(
            place,
            end,
            yerr=[[value - low], [high - value]],
            fmt="none",
            ecolor=BLACK,
            elinewidth=1.3,
            capsize=4,
        )
        if place < len(STEPS) - 1:
            axis.plot([place + 0.3, place + 0.7], [end, end], color=GREY, lw=0.9)
        tops.append((place, max(start, end, start + high), f"{value:+,.0f}"))
        running = end
    for place, top, text in tops:
        axis.annotate(
            text,
            xy=(place, max(top, 0.0)),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
            fontweight="bold" if STEPS[place][2] else "normal",
            color=BLACK if text != NO_FIGURE else GREY,
        )
    axis.axhline(0.0, color=BLACK, lw=1.0)
    axis.margins(y=0.12)
    axis.set_xlim(-0.6, len(STEPS) - 0.4)
    axis.set_xticks(range(len(STEPS)), [name for _, name, _ in STEPS], fontsize=9.5)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_ylabel("Incremental revenue, USD", fontsize=10.5)
    who = WHO.get(campaign, f"campaign {campaign}")
    _heading(axis, f"Where {who} made and lost revenue")
    reasons: dict[str, list[str]] = {}
    for entry, name, _ in STEPS:
        if reason := str(rows["reason"][entry]):
            reasons.setdefault(reason, []).append(name.replace("\n", " "))
    missing = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    n_treated = int(rows["n_treated"].iloc[0])
    _note(
        figure,
        f"Effects on {n_treated:,} mailings. Red: less revenue, which is cannibalisation "
        f"in the category and forward-buying after the campaign. Whiskers: {level:.0%} intervals "
        "of each figure; those of sums are of the sum and no sum of the others. "
        + (f"No figure for {missing}." if missing else ""),
    )
    return figure


def ledger_table_figure(
    *, table: pd.DataFrame, decisions: pd.DataFrame, money: PolicyParameters, level: float
) -> Figure:
    """Ledger of every campaign as a table: revenue, discounts, costs, return, decision.

    Parameters
    ----------
    table : DataFrame
        Of :meth:`promo_uplift.policy.ledger.Ledger.table`.
    decisions : DataFrame
        Of :func:`promo_uplift.policy.rejection.campaign_decisions`.
    money : PolicyParameters
        The money assumed; stated on the figure.
    level : float
        Confidence level of the intervals.
    """
    values = table.set_index(["campaign", "entry"])
    columns = [*REVENUE_COLUMNS, *(RETURN_COLUMNS if money.are_stated else ())]
    edges = np.cumsum([0.8, 0.8, *([1.6] * len(columns)), 1.4])
    height = 0.9 + 0.52 * len(decisions)
    figure = Figure(figsize=(float(edges[-1]) + 0.3, height + 1.0), layout="constrained", dpi=120)
    axis = figure.subplots()
    axis.set(xlim=(0.0, float(edges[-1])), ylim=(len(decisions) - 0.4, -1.1))
    axis.axis("off")
    _heading(axis, "What each campaign added, and what it returned")
    header = ["campaign", "mailed", *(name for _, name in columns), "decision"]
    for edge, text in zip(edges, header, strict=True):
        _cell(axis, edge, -0.75, text, weight="bold")
    axis.axhline(-0.38, color=BLACK, lw=1.2)
    for place, (_, decision) in enumerate(decisions.iterrows()):
        name = decision["campaign"]
        rows = values.loc[name]
        if name in TOGETHER:
            axis.axhline(place - 0.5, color=BLACK, lw=0.8)
        _cell(axis, edges[0], place, ROW_NAMES.get(name, str(name)))
        _cell(axis, edges[1], place, f"{int(rows['n_treated'].iloc[0]):,}")
        for edge, (entry, _) in zip(edges[2:-1], columns, strict=True):
            _cell(axis, edge, place, _amount(rows, entry))
        rule = str(decision["rule"]).replace("_", " ").replace("; ", ", ")
        _cell(
            axis,
            edges[-1],
            place,
            f"{decision['decision']}" + (f"\n{fill(rule, 18)}" if rule else ""),
            colour=DECISION_COLOURS[decision["decision"]],
        )
    assumed = "ASSUMED, not in the data" if money.values_are_assumptions else "as given"
    costs = (
        f"Money ({assumed}): {money_words(parameters=money, redeeming='redemption')}. "
        if money.are_stated
        else "No money was stated, so no return is known. "
    )
    _note(
        figure,
        f"{costs}In brackets: {level:.0%} intervals. Revenue is what the retailer receives: its "
        "own discounts are already out of it; manufacturers pay their coupons back.",
    )
    return figure


def _cell(
    axis: Axes, edge: float, place: float, text: str, *, weight: str = "normal", colour: str = BLACK
) -> None:
    """Write a cell, its right edge at ``edge``."""
    axis.text(
        edge,
        place,
        text,
        ha="right",
        va="center",
        fontsize=9,
        fontweight=weight,
        color=GREY if text == NO_FIGURE else colour,
        linespacing=1.25,
    )


def _amount(rows: pd.DataFrame, entry: str) -> str:
    if entry == "costs":
        return f"{rows.loc[['contact_cost', 'redemption_cost'], 'value'].sum():,.0f}"
    row = rows.loc[entry]
    if not np.isfinite(row["value"]):
        return NO_FIGURE
    form = "{:+.0%}" if row["unit"] == "share" else "{:+,.0f}"
    value, low, high = (form.format(row[name]) for name in ("value", "ci_low", "ci_high"))
    return f"{value}\n({low} to {high})"
