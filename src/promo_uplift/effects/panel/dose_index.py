"""The depth that a household's stores gave to others: a dose that its own purchases do not make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from promo_uplift.contracts.errors import MetricError

#: Columns of purchases summed by household, store, category and week.
PURCHASE_COLUMNS: Final = (
    "household_id",
    "store_id",
    "category",
    "week",
    "list_usd",
    "discount_usd",
    "spend_usd",
)
_CELL: Final = ["store_id", "category", "week"]
_ROW: Final = ["household_id", "category", "week"]
_CENT: Final = 0.005  # less than a cent of list price is none


@dataclass(frozen=True, slots=True)
class DoseIndex:
    """A dose panel by the price index.

    Attributes
    ----------
    panel : DataFrame
        ``household_id``, ``category``, ``week``, ``dose`` (share of list price that all other
        buyers got off; missing where no other bought), ``spend_usd`` (0 without a purchase).
    counts : dict
        Rows, rows without a dose, households without a purchase in the baseline.
    """

    panel: pd.DataFrame
    counts: Mapping[str, int]


def price_index(*, purchases: pd.DataFrame, baseline_weeks: int) -> DoseIndex:
    r"""Leave-own-out depth of the household's stores, for every week after the baseline.

    .. math:: d_{hcw} = \sum_s a_{hs} \frac{D_{scw} - D_{hscw}}{L_{scw} - L_{hscw}} \Big/
       \sum_s a_{hs}

    with discounts :math:`D` and list prices :math:`L` in USD of all buyers in store :math:`s`, and
    :math:`a_{hs}` the household's weeks with a purchase there in the first ``baseline_weeks``; the
    sums run over stores where another household bought. Stores and categories of a household are
    those of its baseline, so that neither is chosen for the discount.

    Parameters
    ----------
    purchases : DataFrame
        ``PURCHASE_COLUMNS``, summed; ``list_usd`` is spend plus the retailer's discounts.
    baseline_weeks : int
        First weeks of the data; the panel starts after them.

    Raises
    ------
    MetricError
        If a column is missing, a row repeats, a discount exceeds its list price, or no week is
        left.

    References
    ----------
    Hausman, Leonard & Zona (1994), Annales d'Economie et de Statistique 34.
    """
    _validate(purchases, baseline_weeks)
    end = int(purchases["week"].min()) + baseline_weeks
    base, now = purchases[purchases["week"] < end], purchases[purchases["week"] >= end]
    visits = base[["household_id", "store_id", "week"]].drop_duplicates()
    share = visits.groupby(["household_id", "store_id"]).size().rename("share").reset_index()
    pairs = base[["household_id", "category"]].drop_duplicates()
    weeks = pd.DataFrame({"week": sorted(now["week"].unique())})
    grid = pairs.merge(weeks, how="cross")
    sums = now.groupby(_CELL, as_index=False)[["list_usd", "discount_usd"]].sum()
    own = now[["household_id", *_CELL, "list_usd", "discount_usd"]]
    cells = grid.merge(share, on="household_id").merge(sums, on=_CELL)
    cells = cells.merge(own, on=["household_id", *_CELL], how="left", suffixes=("", "_own"))
    listed = cells["list_usd"] - cells["list_usd_own"].fillna(0.0)
    off = cells["discount_usd"] - cells["discount_usd_own"].fillna(0.0)
    sold = (listed > _CENT).to_numpy()
    known = cells.loc[sold, [*_ROW, "share"]]
    known = known.assign(part=known["share"] * (off[sold] / listed[sold]).clip(0.0, 1.0))
    dose = known.groupby(_ROW)[["part", "share"]].sum()
    spend = now.groupby(_ROW)["spend_usd"].sum()
    panel = grid.set_index(_ROW).sort_index()
    panel = panel.assign(dose=dose["part"] / dose["share"], spend_usd=spend)
    panel = panel.fillna({"spend_usd": 0.0}).reset_index()
    new = set(now["household_id"]) - set(base["household_id"])
    return DoseIndex(
        panel,
        {
            "rows": len(panel),
            "rows_without_dose": int(panel["dose"].isna().sum()),
            "households_without_baseline_left_out": len(new),
        },
    )


def _validate(purchases: pd.DataFrame, baseline_weeks: int) -> None:
    if lacking := [name for name in PURCHASE_COLUMNS if name not in purchases.columns]:
        raise MetricError(
            f"`purchases` must have the columns {list(PURCHASE_COLUMNS)}; {lacking} are not there."
        )
    if repeated := int(purchases.duplicated(["household_id", *_CELL]).sum()):
        raise MetricError(
            "`purchases` must be summed by household, store, category and week; "
            f"{repeated} rows repeat."
        )
    wrong = (purchases["discount_usd"] > purchases["list_usd"] + _CENT) | (
        purchases["discount_usd"] < 0.0
    )
    if broken := int(wrong.sum()):
        raise MetricError(
            f"`discount_usd` must lie between 0 and `list_usd`; {broken} of {len(purchases)} rows "
            "do not. Discounts are positive here."
        )
    weeks = purchases["week"]
    if not 1 <= baseline_weeks <= int(weeks.max()) - int(weeks.min()):
        raise MetricError(
            f"`baseline_weeks` must leave a week after it; got {baseline_weeks} of weeks "
            f"{int(weeks.min())} to {int(weeks.max())}."
        )
