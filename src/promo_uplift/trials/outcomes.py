"""What households did in each campaign's outcome window, and what they redeemed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.household_days import cents, lines_between
from promo_uplift.features.windows import MaskedWindows, day_number, masked_windows
from promo_uplift.trials.selection import ChosenCampaign, TrialSelection
from promo_uplift.trials.treatments import target_products

KEYS: Final = ("campaign_id", "household_id")
#: The window that ``pre_28d_sales_usd`` names.
PRE_SALES_DAYS: Final = 28


def campaign_table(*, campaigns: Sequence[ChosenCampaign]) -> ir.Table:
    """One row per trial: id, type, ``start_date`` (its time zero) and the bounds as day numbers."""
    return ibis.memtable(
        pa.table(
            {
                "campaign_id": pa.array([c.campaign_id for c in campaigns], pa.int64()),
                "campaign_type": pa.array([c.campaign_type for c in campaigns], pa.string()),
                "start_date": pa.array([c.time_zero for c in campaigns], pa.date32()),
                "time_zero": pa.array([day_number(c.time_zero) for c in campaigns], pa.int64()),
                "last_day": pa.array([day_number(c.end_date) for c in campaigns], pa.int64()),
                "is_post_covered": pa.array([c.is_post_covered for c in campaigns], pa.bool_()),
            }
        )
    )


def window_outcomes(
    *, days: ir.Table, campaigns: ir.Table, parameters: TrialParameters
) -> ir.Table:
    """Sum up household-days around time zero, in cents and counts.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id``, ``spend``, ``all_sales``, ``visits``,
        ``retailer_discount`` over ``[t0, t0 + outcome_days)``, ``pre_sales`` over the 28 days
        before t0 and ``post_spend`` over the ``post_days`` after the campaign's last day. A
        household without a purchase in any of them has no row.
    """
    t0, last = campaigns.time_zero, campaigns.last_day
    end = ibis.greatest(t0 + parameters.outcome_days, last + 1 + parameters.post_days)
    rows = days.join(campaigns, [days.day >= t0 - PRE_SALES_DAYS, days.day < end])
    inside = (rows.day >= rows.time_zero) & (rows.day < rows.time_zero + parameters.outcome_days)
    after = (rows.day > rows.last_day) & (rows.day <= rows.last_day + parameters.post_days)
    return rows.group_by(*KEYS).agg(
        spend=inside.ifelse(rows.spend, 0.0).sum(),
        all_sales=inside.ifelse(rows.all_sales, 0.0).sum(),
        visits=(inside & rows.is_visit).cast("int64").sum(),
        retailer_discount=inside.ifelse(rows.retailer_discount, 0.0).sum(),
        pre_sales=(rows.day < rows.time_zero).ifelse(rows.all_sales, 0.0).sum(),
        post_spend=after.ifelse(rows.spend, 0.0).sum(),
    )


def target_spend(
    *, tables: CanonicalTables, selection: TrialSelection, parameters: TrialParameters
) -> ir.Table:
    """Merchandise spend on the products of each campaign's coupons, in the outcome window.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id``, ``target_spend`` in cents; no row where it is nothing.
    """
    products = target_products(tables=tables, parameters=parameters)
    parts = [
        _target_spend(tables=tables, windows=windows, products=products)
        for windows in masked_windows(
            time_zeros=selection.time_zeros, begin_days=0, end_days=parameters.outcome_days
        )
    ]
    return parts[0] if len(parts) == 1 else ibis.union(*parts)


def _target_spend(
    *, tables: CanonicalTables, windows: MaskedWindows, products: ir.Table
) -> ir.Table:
    covered = (
        products.join(windows.bits, "campaign_id")
        .group_by("product_id")
        .agg(covering=lambda t: t.bit.bit_or())
    )
    lines = lines_between(tables=tables, first=windows.first, end=windows.end)
    lines = lines.filter(lines.is_merchandise)
    lines = lines.join(windows.calendar, "date").join(covered, "product_id")
    lines = lines.select(
        "household_id", mask=lines.mask & lines.covering, spend=cents(lines.sales_usd)
    )
    sums = (
        lines.filter(lines.mask != 0)
        .group_by("household_id", "mask")
        .agg(spend=lambda t: t.spend.sum())
    )
    return (
        sums.join(windows.bits, (sums.mask & windows.bits.bit) != 0)
        .group_by(*KEYS)
        .agg(target_spend=lambda t: t.spend.sum())
    )


def redeemers(*, tables: CanonicalTables) -> ir.Table:
    """Distinct ``campaign_id``, ``household_id`` of those who redeemed a coupon of the campaign."""
    return tables.redemptions.select(*KEYS).distinct()
