"""Figures of decisions at other money than the stated one."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.reporting.figures import BLACK, _figure, _heading, _note

#: Words of a cell by what wins there.
CELLS: Final = {"target": "target", "all": "all", "none": "none", "nothing proven": "?"}
HATCH: Final = "//"
VALUE: Final = "profit_usd_per_household"
HEIGHT: Final = 6.6
#: Share of the largest profit or loss from which a cell is too dark for black letters.
DARK: Final = 0.62
#: Columns up to which letters have their full size.
FULL_SIZE_COLUMNS: Final = 12


def breakeven_figure(
    *, grid: pd.DataFrame, parameters: PolicyParameters, level: float, wording: WordingParameters
) -> Figure:
    """Honest profit of the best share over contact cost and margin, USD per household.

    Parameters
    ----------
    grid : DataFrame
        Of :func:`promo_uplift.policy.breakeven_grid`, or one row with a ``reason``.
    parameters : PolicyParameters
        The money assumed; stated on the figure.
    level : float
        Confidence level behind what wins.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=HEIGHT)
    _heading(axis, f"At which cost and margin does it pay to choose {wording.subjects}?")
    if VALUE not in grid:
        axis.axis("off")
        axis.text(0.5, 0.5, f"No grid: {grid['reason'].iloc[0]}.", ha="center", fontsize=11)
        return figure
    wide = {
        name: grid.pivot_table(
            index="margin_rate", columns="contact_cost_usd", values=name, aggfunc="first"
        )
        for name in (VALUE, "wins", "is_expected_money")
    }
    profit = wide[VALUE].to_numpy(dtype=np.float64)
    reach = float(np.abs(profit).max()) or 1.0
    axis.pcolormesh(
        profit, cmap="RdBu", norm=TwoSlopeNorm(0.0, -reach, reach), edgecolors="white", lw=0.8
    )
    _write_cells(axis, profit, wide, reach)
    margins, costs = wide[VALUE].index, wide[VALUE].columns
    axis.set_xticks(np.arange(len(costs)) + 0.5, [f"{cost:.2f}" for cost in costs])
    axis.set_yticks(np.arange(len(margins)) + 0.5, [f"{100.0 * rate:.3g}" for rate in margins])
    axis.set_xlabel(f"Cost of one contact, USD per {wording.subject}", fontsize=10.5)
    axis.set_ylabel("Margin, % of the outcome's value", fontsize=10.5)
    figure.legend(
        handles=[
            Patch(facecolor="white", edgecolor="#B5B5B5", hatch=HATCH, label="? nothing proven"),
            Patch(facecolor="white", edgecolor=BLACK, lw=2.5, label="the stated money"),
        ],
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=9.5,
    )
    source = "ASSUMED, not in the data" if parameters.values_are_assumptions else "as given"
    paid = parameters.expected.redemption_cost_usd
    _note(
        figure,
        f"Profit in USD per {wording.subject} of the base (blue: above 0, red: below), on "
        f"{wording.subjects} that did not choose the share, and what is proven best "
        f"({level:.0%} household bootstrap, each cell alone): target the best share; all or none "
        "where doing it to all earns or loses and choosing is not shown to be better. "
        f"A {wording.subject} that redeems costs {paid:.2f} USD. Money: {source}.",
    )
    return figure


def _write_cells(
    axis: Axes, profit: FloatArray, wide: dict[str, pd.DataFrame], reach: float
) -> None:
    """Write profit and winner into each cell; hatch what is not proven, frame the stated money."""
    wins, is_expected = (wide[name].to_numpy() for name in ("wins", "is_expected_money"))
    size = 8.0 if profit.shape[1] <= FULL_SIZE_COLUMNS else 5.5
    for (row, column), value in np.ndenumerate(profit):
        if wins[row, column] == "nothing proven":
            axis.add_patch(
                Rectangle((column, row), 1, 1, fill=False, hatch=HATCH, edgecolor="#B5B5B5", lw=0)
            )
        axis.text(
            column + 0.5,
            row + 0.5,
            f"{_profit(value)}\n{CELLS[str(wins[row, column])]}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if abs(value) > DARK * reach else BLACK,
        )
        if is_expected[row, column]:
            axis.add_patch(
                Rectangle((column, row), 1, 1, fill=False, edgecolor=BLACK, lw=2.5, zorder=3)
            )


def _profit(value: float) -> str:
    return f"{value:+.2f}" if round(value, 2) else "0.00"
