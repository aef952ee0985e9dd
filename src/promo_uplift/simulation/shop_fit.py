"""Products, prices, seasons, stores and amounts of the real tables."""

from __future__ import annotations

from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from promo_uplift.contracts.tables import CATEGORIES, CanonicalTables
from promo_uplift.simulation.baskets import frame_of
from promo_uplift.simulation.calendar import local_hours, weeks_of_year
from promo_uplift.simulation.profile import ProductCell, grid_probabilities
from promo_uplift.simulation.trait_fit import FEW_BASKETS

_LARGEST_QUANTITY: Final = 6


def category_facts(tables: CanonicalTables) -> dict[str, dict[str, float]]:
    """Return shares of lines by category, and the gamma shape of a household's weight on each.

    The shape is ``share^2 / variance`` over households with many lines, less the counting noise.
    """
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    lines = lines.join(tables.products.select("product_id", "category"), "product_id")
    counts = frame_of(lines.group_by("household_id", "category").agg(n=lines.count()))
    wide = counts.pivot_table(index="household_id", columns="category", values="n", fill_value=0)
    wide = wide.reindex(columns=list(CATEGORIES), fill_value=0).astype(np.float64)
    total = wide.sum(axis=1)
    share = wide.sum() / total.sum()
    many = wide[total >= np.median(total)]
    rows = many.div(many.sum(axis=1), axis=0)
    noise = (share * (1 - share) * (1 / many.sum(axis=1)).mean()).to_numpy()
    variance = np.maximum(rows.var().to_numpy() - noise, 1e-6)
    shape = rows.mean().to_numpy() ** 2 / variance
    return {
        "category_lines": {name: float(share[name]) for name in CATEGORIES},
        "category_shape": dict(zip(CATEGORIES, (float(v) for v in shape), strict=True)),
    }


def product_cells(*, tables: CanonicalTables, min_share: float) -> list[ProductCell]:
    """Sum merchandise up by department, commodity and brand.

    Cells below ``min_share`` of the lines are left out, but each category and brand keeps one.
    """
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    by_product = (
        lines.filter(lines.sales_usd > 0)
        .group_by("product_id")
        .agg(n=ibis._.count(), usd=ibis._.sales_usd.sum())
    )
    labelled = by_product.join(tables.products, "product_id")
    frame = frame_of(
        labelled.drop_null(["department", "commodity"]).select(
            "n", "usd", "department", "commodity", "category", "brand"
        )
    )
    frame["brand"] = np.where(frame["brand"] == "Private", "Private", "National")
    frame["log_price"] = np.log(frame["usd"] / frame["n"])
    frame["log_n"] = np.log(frame["n"])
    keys = ["category", "brand", "department", "commodity"]
    cells = frame.groupby(keys).agg(
        n=("n", "sum"),
        usd=("usd", "sum"),
        price_log_sd=("log_price", "std"),
        popularity_log_sd=("log_n", "std"),
        n_products=("n", "size"),
    )
    cells = cells.fillna({"price_log_sd": 0.0, "popularity_log_sd": 0.0}).reset_index()
    is_kept = (cells["n"] / cells["n"].sum() >= min_share) | ~cells.duplicated(
        ["category", "brand"]
    )
    kept = cells[is_kept]
    total = kept["n"].sum()
    return [
        ProductCell(
            department=row["department"],
            commodity=row["commodity"],
            category=row["category"],
            brand=row["brand"],
            share=row["n"] / total,
            price_usd=row["usd"] / row["n"],
            price_log_sd=row["price_log_sd"],
            popularity_log_sd=row["popularity_log_sd"],
            n_products=row["n_products"],
        )
        for row in kept.to_dict("records")
    ]


def calendar_facts(
    *, shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> dict[str, list[float]]:
    """Return relative spend by week of the year and by weekday, mean 1."""
    days = pd.date_range(first, last)
    spend = shopping.groupby("date")["spend"].sum().reindex(days, fill_value=0.0)
    values = spend.to_numpy(np.float64)
    weekday = np.array([values[days.day_of_week == d].mean() for d in range(7)]) / values.mean()
    level = values / weekday[days.day_of_week]
    weeks = weeks_of_year(days)
    by_week = np.array(
        [level[weeks == w].mean() if (weeks == w).any() else level.mean() for w in range(53)]
    )
    return {
        "week_of_year": [float(v) for v in by_week / level.mean()],
        "weekday": [float(v) for v in weekday],
    }


def local_hour_shares(timestamps: ir.Table) -> list[float]:
    """Return shares of lines by hour on the stores' clock, from UTC timestamps."""
    hour = timestamps.transaction_timestamp.epoch_seconds().cast("int64") // 3600
    counts = frame_of(timestamps.select(hour=hour).group_by("hour").agg(n=ibis._.count()))
    local = local_hours(counts["hour"].to_numpy(np.int64) * 3600)
    found = np.bincount(local, weights=counts["n"], minlength=24)
    return [float(v) for v in found / found.sum()]


def store_facts(shopping: pd.DataFrame) -> dict[str, Any]:
    """Return how households spread over their usual stores, and the share bought there."""
    counts = shopping.groupby(["household_id", "store_id"]).size()
    home = counts.groupby("household_id").max()
    stores = counts.groupby("household_id").idxmax().map(lambda pair: pair[1])
    shares = stores.value_counts(normalize=True)
    return {
        "store_shares": [float(v) for v in shares],
        "home_store_share": float(home.sum() / counts.sum()),
    }


def line_facts(tables: CanonicalTables) -> dict[str, Any]:
    """Quantities, prices within a product, fuel price and coupons: plain sums over lines."""
    lines = tables.transactions
    merchandise = lines.filter(lines.is_merchandise & (lines.sales_usd > 0) & (lines.quantity > 0))
    quantity = frame_of(
        merchandise.group_by(q=ibis.least(merchandise.quantity, _LARGEST_QUANTITY)).agg(
            n=ibis._.count()
        )
    ).sort_values("q")
    spread = merchandise.group_by("product_id").agg(
        n=ibis._.count(), sd=ibis._.sales_usd.ln().var()
    )
    spread = spread.filter(spread.n >= FEW_BASKETS)
    fuel = lines.filter((lines.line_kind == "fuel") & (lines.quantity > 0))
    coupons = lines.filter(lines.coupon_discount_usd > 0)
    carriers = coupons.filter(coupons.quantity == 0)

    def one(expression: ir.Scalar) -> float:
        return float(expression.to_pyarrow().as_py() or 0.0)

    coupon_usd = one(coupons.coupon_discount_usd.sum())
    return {
        "quantity_shares": [float(v) for v in quantity["n"] / quantity["n"].sum()],
        "line_price_log_sd": float(
            np.sqrt(one((spread.sd * spread.n).sum()) / max(one(spread.n.sum()), 1.0))
        ),
        "fuel_price_usd": 1000.0
        * one(fuel.sales_usd.sum())
        / max(one(fuel.quantity.cast("float64").sum()), 1.0),
        "coupon_carrier_share": one(carriers.coupon_discount_usd.sum()) / max(coupon_usd, 0.01),
        "coupon_match_share": one(coupons.coupon_match_discount_usd.sum()) / max(coupon_usd, 0.01),
    }


def amount_grids(*, tables: CanonicalTables, points: int) -> dict[str, list[float]]:
    """Quantiles of discounts, fuel purchases and coupons, computed by the engine."""
    probabilities = [float(p) for p in grid_probabilities(points)]

    def grid(table: ir.Table, value: ir.FloatingValue) -> list[float]:
        found = table.select(value=value).aggregate(q=ibis._.value.quantile(probabilities))
        values = found.to_pyarrow().column("q")[0].as_py()
        return [0.0, 0.0] if values is None else [float(v) for v in values]

    lines = tables.transactions
    discount = lines.retail_discount_usd
    discounted = lines.filter(lines.is_merchandise & (discount > 0) & (lines.sales_usd > 0))
    fuel = lines.filter((lines.line_kind == "fuel") & (lines.sales_usd > 0))
    coupons = lines.filter(lines.coupon_discount_usd > 0)
    return {
        "discount_depth": grid(
            discounted,
            discounted.retail_discount_usd
            / (discounted.retail_discount_usd + discounted.sales_usd),
        ),
        "fuel_usd": grid(fuel, fuel.sales_usd),
        "coupon_usd": grid(coupons, coupons.coupon_discount_usd),
    }
