"""The household x week panel around each campaign's start, from receipt lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.panel import PANEL_COLUMNS, PANEL_OUTCOMES, validate_panel
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.household_days import (
    CENTS_PER_USD,
    COUPON_COST_KINDS,
    cents,
    lines_between,
)
from promo_uplift.features.windows import (
    MaskedWindows,
    day_number,
    masked_windows,
    refuse_unusable,
)
from promo_uplift.trials.panel_selection import (
    DAYS_PER_WEEK,
    PanelCampaign,
    PanelWeeks,
    covered_weeks,
    panel_arms,
)
from promo_uplift.trials.selection import data_coverage
from promo_uplift.trials.treatments import target_products

UNIT_KEYS: Final = ("campaign_id", "household_id")
KEYS: Final = (*UNIT_KEYS, "rel_week")
#: Sums of a household and day that make the outcomes; money in cents.
DAY_SUMS: Final = (
    "spend",
    "visits",
    "units",
    "retailer_discount",
    "coupon_match_discount",
    "manufacturer_coupon",
)


def household_week_panel(
    *,
    tables: CanonicalTables,
    campaigns: Sequence[PanelCampaign],
    parameters: TrialParameters,
    weeks: PanelWeeks,
) -> pd.DataFrame:
    """Weekly outcomes of every eligible household around each campaign's start.

    Who is eligible, treated, control or washed out is decided as in the trials, by nothing at or
    after time zero (but for a treatment definition that says it of itself).

    Parameters
    ----------
    tables : CanonicalTables
        All but ``households``, ``redemptions`` and ``promotions`` are read.
    campaigns : sequence of PanelCampaign
        From ``select_panel_campaigns`` with the same ``parameters`` and ``weeks``.
    parameters : TrialParameters
        Treatment and control definition, washout.
    weeks : PanelWeeks
        Weeks around time zero.

    Returns
    -------
    DataFrame
        ``contracts.panel.PANEL_COLUMNS``, one row per campaign, household (treated or control, not
        washed out) and week, in this order. Money in USD: merchandise only, but
        ``manufacturer_coupon_usd`` also from coupon lines without quantity, which carry a quarter
        of it. ``visits`` are days with a purchase. A week that does not lie wholly inside the data
        has missing outcomes; a covered one without a purchase has 0.

    Raises
    ------
    TrialError
        If ``campaigns`` is empty or names one twice, or the treatment definition is a dose.
    """
    refuse_unusable(time_zeros=[campaign.time_zero for campaign in campaigns])
    calendar = _calendar(tables=tables, campaigns=campaigns, weeks=weeks)
    arms = panel_arms(tables=tables, campaigns=campaigns, parameters=parameters, weeks=weeks)
    units = arms.filter(arms.is_in_arm & ~arms.is_washed_out).select(*UNIT_KEYS, "treatment")
    sums = _week_sums(tables=tables, campaigns=campaigns, weeks=weeks)
    parts = _spend_parts(tables=tables, campaigns=campaigns, parameters=parameters, weeks=weeks)
    rows = (
        units.join(calendar, "campaign_id")
        .left_join(sums, KEYS, rname="{name}_of_sums")
        .left_join(parts, KEYS, rname="{name}_of_parts")
    )
    panel = _in_usd(rows=rows).order_by(*KEYS).to_pyarrow().to_pandas(date_as_object=False)
    if panel.empty:
        raise TrialError(
            "The panel must hold households, found none. Choose campaigns that "
            "`select_panel_campaigns` uses; its report says why not the others."
        )
    return validate_panel(panel)


def _calendar(
    *, tables: CanonicalTables, campaigns: Sequence[PanelCampaign], weeks: PanelWeeks
) -> ir.Table:
    """One row per campaign and relative week: its first date, and whether the data covers it."""
    first, last = data_coverage(tables=tables)
    rows = [
        (
            campaign.campaign_id,
            campaign.campaign_type,
            week,
            campaign.start_date + dt.timedelta(days=DAYS_PER_WEEK * week),
            week in covered,
        )
        for campaign in campaigns
        for covered in [covered_weeks(campaign=campaign, weeks=weeks, first=first, last=last)]
        for week in weeks.rel_weeks
    ]
    kinds = {
        "campaign_id": pa.int64(),
        "campaign_type": pa.string(),
        "rel_week": pa.int64(),
        "week_start": pa.date32(),
        "is_covered": pa.bool_(),
    }
    values = zip(*rows, strict=True)
    return ibis.memtable(
        pa.table(
            {
                name: pa.array(column, kind)
                for (name, kind), column in zip(kinds.items(), values, strict=True)
            }
        )
    )


def _bounds(campaigns: Sequence[PanelCampaign], weeks: PanelWeeks) -> tuple[dt.date, dt.date]:
    starts = [campaign.start_date for campaign in campaigns]
    return (
        min(starts) - dt.timedelta(days=DAYS_PER_WEEK * weeks.pre_weeks),
        max(starts) + dt.timedelta(days=DAYS_PER_WEEK * (weeks.post_weeks + 1)),
    )


def _starts(campaigns: Sequence[PanelCampaign]) -> ir.Table:
    return ibis.memtable(
        pa.table(
            {
                "campaign_id": pa.array([c.campaign_id for c in campaigns], pa.int64()),
                "time_zero": pa.array([day_number(c.start_date) for c in campaigns], pa.int64()),
            }
        )
    )


def _rel_week(days: ir.IntegerValue) -> ir.IntegerValue:
    """Week of a number of days since time zero, rounded down on every backend."""
    return (days / DAYS_PER_WEEK).floor().cast("int64")


def _week_sums(
    *, tables: CanonicalTables, campaigns: Sequence[PanelCampaign], weeks: PanelWeeks
) -> ir.Table:
    """Add up ``DAY_SUMS`` by campaign, household and week, for whoever bought."""
    first, end = _bounds(campaigns, weeks)
    days = _day_sums(tables=tables, first=first, end=end)
    starts = _starts(campaigns)
    rows = days.join(
        starts,
        [
            days.day >= starts.time_zero - DAYS_PER_WEEK * weeks.pre_weeks,
            days.day < starts.time_zero + DAYS_PER_WEEK * (weeks.post_weeks + 1),
        ],
    )
    rows = rows.select(*UNIT_KEYS, *DAY_SUMS, rel_week=_rel_week(rows.day - rows.time_zero))
    return rows.group_by(*KEYS).agg(**{name: rows[name].sum() for name in DAY_SUMS})


def _day_sums(*, tables: CanonicalTables, first: dt.date, end: dt.date) -> ir.Table:
    lines = lines_between(tables=tables, first=first, end=end)
    bought = lines.is_merchandise
    has_coupon_cost = lines.line_kind.isin(COUPON_COST_KINDS)
    days = lines.group_by("household_id", "date").agg(
        spend=bought.ifelse(cents(lines.sales_usd), 0.0).sum(),
        visits=bought.any().cast("float64"),
        units=bought.ifelse(lines.quantity, 0).cast("float64").sum(),
        retailer_discount=bought.ifelse(cents(lines.retail_discount_usd), 0.0).sum(),
        coupon_match_discount=bought.ifelse(cents(lines.coupon_match_discount_usd), 0.0).sum(),
        manufacturer_coupon=has_coupon_cost.ifelse(cents(lines.coupon_discount_usd), 0.0).sum(),
    )
    return days.select("household_id", *DAY_SUMS, day=days.date.epoch_days())


def _spend_parts(
    *,
    tables: CanonicalTables,
    campaigns: Sequence[PanelCampaign],
    parameters: TrialParameters,
    weeks: PanelWeeks,
) -> ir.Table:
    """Find ``target_spend`` and ``commodity_spend`` (cents; the latter holds the former)."""
    targets = target_products(tables=tables, parameters=parameters)
    parts = [
        _masked_spend(tables=tables, windows=windows, targets=targets)
        for windows in masked_windows(
            time_zeros=[campaign.time_zero for campaign in campaigns],
            begin_days=-DAYS_PER_WEEK * weeks.pre_weeks,
            end_days=DAYS_PER_WEEK * (weeks.post_weeks + 1),
        )
    ]
    days = parts[0] if len(parts) == 1 else ibis.union(*parts)
    days = days.join(_starts(campaigns), "campaign_id")
    rows = days.select(
        *UNIT_KEYS,
        "target_spend",
        "commodity_spend",
        rel_week=_rel_week(days.day - days.time_zero),
    )
    return rows.group_by(*KEYS).agg(
        target_spend=rows.target_spend.sum(), commodity_spend=rows.commodity_spend.sum()
    )


def _masked_spend(
    *, tables: CanonicalTables, windows: MaskedWindows, targets: ir.Table
) -> ir.Table:
    """Add up spend by campaign, household and day on target products and on their commodities."""
    reach = _reach(tables=tables, windows=windows, targets=targets)
    lines = lines_between(tables=tables, first=windows.first, end=windows.end)
    lines = lines.filter(lines.is_merchandise)
    lines = lines.join(windows.calendar, "date").join(reach, "product_id")
    lines = lines.select(
        "household_id",
        day=lines.date.epoch_days(),
        commodities=lines.mask & lines.in_commodity,
        targets=lines.mask & lines.is_target,
        spend=cents(lines.sales_usd),
    )
    sums = (
        lines.filter(lines.commodities != 0)
        .group_by("household_id", "day", "commodities", "targets")
        .agg(spend=lambda t: t.spend.sum())
    )
    rows = sums.join(windows.bits, (sums.commodities & windows.bits.bit) != 0)
    return rows.select(
        *UNIT_KEYS,
        "day",
        commodity_spend=rows.spend,
        target_spend=((rows.targets & rows.bit) != 0).ifelse(rows.spend, 0.0),
    )


def _reach(*, tables: CanonicalTables, windows: MaskedWindows, targets: ir.Table) -> ir.Table:
    """Bits of the campaigns that a product is a target of, and that target its commodity.

    Products without a commodity are targets at most: they have no neighbours.
    """
    bits = targets.join(windows.bits, "campaign_id")
    own = bits.group_by("product_id").agg(is_target=bits.bit.bit_or())
    labels = tables.products.select("product_id", "commodity")
    labelled = own.join(labels, "product_id").drop_null("commodity")
    commodities = labelled.group_by("commodity").agg(of_commodity=labelled.is_target.bit_or())
    rows = labels.left_join(own, "product_id", rname="{name}_of_own").left_join(
        commodities, "commodity", rname="{name}_of_commodity"
    )
    is_target = rows.is_target.fill_null(0)
    reach = rows.select(
        "product_id", is_target=is_target, in_commodity=is_target | rows.of_commodity.fill_null(0)
    )
    return reach.filter(reach.in_commodity != 0)


def _in_usd(*, rows: ir.Table) -> ir.Table:
    spend, target, commodity = (
        rows[name].fill_null(0.0) for name in ("spend", "target_spend", "commodity_spend")
    )
    sums = {
        "spend_usd": spend / CENTS_PER_USD,
        "visits": rows.visits.fill_null(0.0),
        "units": rows.units.fill_null(0.0),
        "target_spend_usd": target / CENTS_PER_USD,
        "category_spend_usd": (commodity - target) / CENTS_PER_USD,
        "other_spend_usd": (spend - commodity) / CENTS_PER_USD,
        **{
            f"{name}_usd": rows[name].fill_null(0.0) / CENTS_PER_USD
            for name in ("retailer_discount", "coupon_match_discount", "manufacturer_coupon")
        },
    }
    missing = ibis.null("float64")
    return rows.select(
        *[
            rows.is_covered.ifelse(sums[name], missing).name(name)
            if name in PANEL_OUTCOMES
            else rows[name]
            for name in PANEL_COLUMNS
        ]
    )
