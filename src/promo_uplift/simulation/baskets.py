"""Canonical tables as baskets: what the profile and the goodness of fit are both summed up from."""

from __future__ import annotations

import ibis.expr.types as ir
import pandas as pd

from promo_uplift.contracts.tables import CanonicalTables


def frame_of(table: ir.Table) -> pd.DataFrame:
    """Return a small table as a frame, dates as timestamps."""
    frame: pd.DataFrame = table.to_pyarrow().to_pandas(date_as_object=False)
    return frame


def basket_frame(tables: CanonicalTables) -> pd.DataFrame:
    """One row per basket: household, date, store, merchandise spend, discount and lines, fuel.

    Baskets without merchandise have 0 ``lines``.
    """
    lines = tables.transactions
    bought = lines.is_merchandise
    discount = lines.retail_discount_usd + lines.coupon_match_discount_usd
    return frame_of(
        lines.group_by("household_id", "basket_id", "date", "store_id").agg(
            spend=lines.sales_usd.sum(where=bought).fill_null(0.0),
            discount=discount.sum(where=bought).fill_null(0.0),
            lines=bought.cast("int64").sum(),
            fuel_usd=lines.sales_usd.sum(where=lines.line_kind == "fuel").fill_null(0.0),
        )
    )
