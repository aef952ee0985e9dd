"""Distinct products and departments bought in each campaign's window."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.household_days import lines_between
from promo_uplift.features.windows import MaskedWindows, TimeZero, masked_windows


def distinct_counts(
    *, tables: CanonicalTables, time_zeros: Sequence[TimeZero], pre_days: int
) -> ir.Table:
    """Count the distinct products and departments of the merchandise in ``[t0 - pre_days, t0)``.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id``, ``n_products``, ``n_departments``; a product without a
        department counts as a product only. Households without merchandise have no row.
    """
    parts = [
        _counts(tables=tables, windows=windows)
        for windows in masked_windows(time_zeros=time_zeros, begin_days=-pre_days, end_days=0)
    ]
    return parts[0] if len(parts) == 1 else ibis.union(*parts)


def _counts(*, tables: CanonicalTables, windows: MaskedWindows) -> ir.Table:
    lines = lines_between(tables=tables, first=windows.first, end=windows.end)
    lines = lines.filter(lines.is_merchandise)
    bought = (
        lines.join(windows.calendar, "date")
        .group_by("household_id", "product_id")
        .agg(mask=lambda t: t.mask.bit_or())
    )
    products = (
        bought.group_by("household_id", "mask")
        .agg(n_products=lambda t: t.count())
        .mutate(n_departments=ibis.literal(0, "int64"))
    )
    departments = tables.products.select("product_id", "department")
    departments = departments.filter(departments.department.notnull())
    departments = (
        bought.join(departments, "product_id")
        .group_by("household_id", "department")
        .agg(mask=lambda t: t.mask.bit_or())
        .group_by("household_id", "mask")
        .agg(n_products=ibis.literal(0, "int64"), n_departments=lambda t: t.count())
    )
    counts = products.union(departments)
    return (
        counts.join(windows.bits, (counts.mask & windows.bits.bit) != 0)
        .group_by("campaign_id", "household_id")
        .agg(n_products=lambda t: t.n_products.sum(), n_departments=lambda t: t.n_departments.sum())
    )
