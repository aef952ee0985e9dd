"""The picture of the goodness of fit: real and simulated marginals side by side."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from promo_uplift.contracts.results import FloatArray
from promo_uplift.simulation.marginals import Marginals

#: Okabe & Ito (2008), told apart with every common form of colour blindness.
REAL, SIMULATED = "#222222", "#D55E00"
_TOP: Final = 0.99
_POINTS: Final = 400
_PANELS: Final = (
    ("spend_28d_usd", "Spend of a household in 28 days", "USD"),
    ("spend_year_usd", "Spend of a household, all days", "USD"),
    ("baskets_per_week", "Baskets of a household in a week", "baskets"),
    ("basket_usd", "Spend of a basket", "USD"),
    ("lines_per_basket", "Lines of a basket", "lines"),
    ("discount_rate", "Discount rate of a household", "share of shelf value"),
)


def fit_figure(*, real: Marginals, simulated: Marginals, fit: pd.DataFrame) -> Figure:
    """Draw distribution functions, category shares, seasons and the two arms.

    Parameters
    ----------
    real, simulated : Marginals
        Of the two sets of tables.
    fit : DataFrame
        Of ``goodness_of_fit``; its distances stand in the panels.
    """
    figure = Figure(figsize=(12.0, 9.0), layout="constrained", dpi=120)
    axes = figure.subplots(3, 3).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9)
    distances = fit.set_index("figure")
    for axis, (name, title, label) in zip(axes, _PANELS, strict=False):
        _distribution(axis, real.samples[name], simulated.samples[name], label)
        ks = float(distances["ks"][name])
        distance = float(distances["wasserstein_sd"][name])
        axis.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
        axis.text(
            0.97,
            0.06,
            f"largest gap (KS) {ks:.1%}\nWasserstein {distance:.2f} sd",
            transform=axis.transAxes,
            ha="right",
            fontsize=9,
        )
    for axis in (axes[0], axes[3]):
        axis.set_ylabel("share at or below", fontsize=9.5)
    _categories(axes[6], real, simulated)
    _weeks(axes[7], real, simulated)
    _arms(axes[8], real, simulated)
    axes[0].legend(frameon=False, fontsize=9.5, loc="center right")
    figure.suptitle(
        "How close is the simulated world to the real tables?",
        x=0.01,
        ha="left",
        fontsize=13,
        fontweight="bold",
    )
    figure.supxlabel(
        "Curves: share of households, baskets or household-weeks at or below the value, up to the "
        f"real {_TOP:.0%} quantile. The simulated world holds the effect of its own mailings.",
        x=0.01,
        ha="left",
        fontsize=9,
        color="#555555",
    )
    return figure


def _distribution(axis: Axes, real: FloatArray, simulated: FloatArray, label: str) -> None:
    grid = np.linspace(0.0, float(np.quantile(real, _TOP)), _POINTS)
    for values, colour, line, name in (
        (real, REAL, "-", "real"),
        (simulated, SIMULATED, "--", "simulated"),
    ):
        share = np.searchsorted(np.sort(values), grid, side="right") / len(values)
        axis.plot(grid, share, line, color=colour, lw=1.8, label=name)
    axis.set_ylim(0.0, 1.02)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel(label, fontsize=9.5)


def _categories(axis: Axes, real: Marginals, simulated: Marginals) -> None:
    names = list(real.category_shares)
    place = np.arange(len(names))
    for offset, one, colour in ((-0.2, real, REAL), (0.2, simulated, SIMULATED)):
        shares = [one.category_shares[name] for name in names]
        axis.barh(place + offset, shares, height=0.36, color=colour)
    axis.set_yticks(place, [name.replace("_", " ") for name in names])
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel("Share of merchandise spend", fontsize=9.5)
    axis.set_title("Categories", loc="left", fontsize=10.5, fontweight="bold")


def _weeks(axis: Axes, real: Marginals, simulated: Marginals) -> None:
    for one, colour, line in ((real, REAL, "-"), (simulated, SIMULATED, "--")):
        axis.plot(one.weekly["week"], one.weekly["relative_spend"], line, color=colour, lw=1.6)
    axis.set_ylim(bottom=0.0)
    axis.set_ylabel("relative to the mean week", fontsize=9.5)
    axis.set_title("Spend by week of the year", loc="left", fontsize=10.5, fontweight="bold")
    axis.xaxis.set_major_formatter(DateFormatter("%b"))


def _arms(axis: Axes, real: Marginals, simulated: Marginals) -> None:
    rows = (
        ("auc_of_pre_spend", "AUC of 84-day spend\nfor being mailed"),
        ("mailed_share", "share mailed"),
        ("no_purchase_28d_others", "no purchase in 28 days,\nnot mailed"),
        ("no_purchase_28d_mailed", "no purchase in 28 days,\nmailed"),
        ("redeeming_share_of_mailed", "redeem, of the mailed"),
        ("share_of_28d_without_purchase", "household-28-days\nwithout purchase"),
    )
    shown = [
        (label, real.numbers[name], simulated.numbers[name])
        for name, label in rows
        if name in real.numbers and name in simulated.numbers
    ]
    place = np.arange(len(shown))
    axis.hlines(place, [a for _, a, _ in shown], [b for _, _, b in shown], color="#BBBBBB", lw=2)
    axis.plot([a for _, a, _ in shown], place, "o", color=REAL, ms=7)
    axis.plot([b for _, _, b in shown], place, "D", color=SIMULATED, ms=6)
    axis.set_yticks(place, [label for label, _, _ in shown], fontsize=8.5)
    axis.invert_yaxis()
    axis.set_xlim(0.0, 1.0)
    axis.set_xlabel("share, or AUC", fontsize=9.5)
    axis.set_title("TypeA mailings", loc="left", fontsize=10.5, fontweight="bold")
