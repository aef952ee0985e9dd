"""One row per household and day: what every window's sums are made of.

The receipt lines are read once; windows that overlap then add up some hundred thousand
household-days instead of millions of lines each. Money is in whole cents held as floats: sums of
whole numbers below 2**53 are exact, so a result depends neither on the order of rows nor on the
number of threads, and an audit may compare with ``==``.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.tables import CATEGORIES, CanonicalTables

CENTS_PER_USD: Final = 100.0

#: ``other`` is what the named categories leave of the spend.
NAMED_CATEGORIES: Final = tuple(name for name in CATEGORIES if name != "other")

#: Lines that carry coupon cost: merchandise, and the coupon lines without quantity or sales.
COUPON_COST_KINDS: Final = ("merchandise", "coupon")

#: Columns of a household-day that add up over a window.
ADDITIVE: Final = (
    "spend",
    "spend_squared",
    "baskets",
    "lines",
    "items",
    "discounted_lines",
    "retailer_discount",
    "coupon",
    "private_label",
    *NAMED_CATEGORIES,
)


def cents(amount_usd: ir.FloatingColumn) -> ir.FloatingColumn:
    """Whole cents of an amount in USD."""
    return (amount_usd * CENTS_PER_USD).round().cast("float64")


def lines_between(*, tables: CanonicalTables, first: dt.date, end: dt.date | None) -> ir.Table:
    """Receipt lines with ``first <= date < end``; no upper bound where ``end`` is None."""
    date = tables.transactions.date
    lines = tables.transactions.filter(date >= ibis.literal(first))
    return lines if end is None else lines.filter(date < ibis.literal(end))


def _baskets(*, tables: CanonicalTables, first: dt.date, end: dt.date | None) -> ir.Table:
    lines = lines_between(tables=tables, first=first, end=end)
    products = tables.products.select("product_id", "brand", "category")
    lines = lines.left_join(products, "product_id")
    bought = lines.is_merchandise
    sales = cents(lines.sales_usd)
    spend = bought.ifelse(sales, 0.0)
    discount = cents(lines.retail_discount_usd + lines.coupon_match_discount_usd)
    has_coupon_cost = lines.line_kind.isin(COUPON_COST_KINDS)
    return lines.group_by("household_id", "date", "basket_id").agg(
        all_sales=sales.sum(),
        spend=spend.sum(),
        lines=bought.cast("float64").sum(),
        items=bought.ifelse(lines.quantity, 0).cast("float64").sum(),
        discounted_lines=(bought & (discount > 0)).cast("float64").sum(),
        retailer_discount=bought.ifelse(discount, 0.0).sum(),
        coupon=has_coupon_cost.ifelse(cents(lines.coupon_discount_usd), 0.0).sum(),
        private_label=(lines.brand == "Private").ifelse(spend, 0.0).sum(),
        **{name: (lines.category == name).ifelse(spend, 0.0).sum() for name in NAMED_CATEGORIES},
    )


def household_days(*, tables: CanonicalTables, first: dt.date, end: dt.date | None) -> ir.Table:
    """Sum up each household and day, in cents and counts.

    Parameters
    ----------
    tables : CanonicalTables
        ``transactions`` and ``products`` are read.
    first, end : date
        Lines with ``first <= date < end`` are read; to the end of the data where ``end`` is None.

    Returns
    -------
    Table
        ``household_id``, ``day`` (days since 1970-01-01), ``is_visit`` (merchandise was bought),
        ``all_sales`` (every line, cents) and the columns of ``ADDITIVE``: money in cents over
        merchandise lines, ``coupon`` also over coupon lines, ``spend_squared`` the sum over the
        day's baskets of squared spend.
    """
    baskets = _baskets(tables=tables, first=first, end=end)
    days = baskets.group_by("household_id", "date").agg(
        all_sales=baskets.all_sales.sum(),
        spend_squared=(baskets.spend * baskets.spend).sum(),
        baskets=(baskets.lines > 0).cast("float64").sum(),
        **{
            name: baskets[name].sum()
            for name in ADDITIVE
            if name not in ("spend_squared", "baskets")
        },
    )
    # select, not drop: Ibis shares a Select among its uses as one CTE, but not a DropColumns
    return days.select(
        "household_id",
        "all_sales",
        *ADDITIVE,
        day=days.date.epoch_days(),
        is_visit=days.lines > 0,
    )


def with_neighbours(*, days: ir.Table) -> ir.Table:
    """Add ``previous_visit`` and ``next_visit``: day numbers, meaningful on visits only."""
    visits = ibis.window(group_by=["household_id", "is_visit"], order_by="day")
    return days.mutate(
        previous_visit=days.day.lag().over(visits), next_visit=days.day.lead().over(visits)
    )
