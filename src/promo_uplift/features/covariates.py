"""The covariate table: one row per campaign and eligible household, nothing after time zero.

``docs/covariates.md`` states the formula, unit and missing rule of each column.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import ibis.expr.types as ir

from promo_uplift.contracts.columns import COVARIATES, DEMOGRAPHICS, PRIOR_CAMPAIGNS
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.distinct import distinct_counts
from promo_uplift.features.exposure import prior_campaigns, prior_redemptions
from promo_uplift.features.household_days import (
    ADDITIVE,
    CENTS_PER_USD,
    NAMED_CATEGORIES,
    household_days,
    with_neighbours,
)
from promo_uplift.features.windows import TimeZero, window_table

KEYS: Final = ("campaign_id", "household_id")
DAYS_PER_WEEK: Final = 7
#: The windows that ``active_last_4w`` and ``active_last_12w`` name.
FOUR_WEEKS: Final = 4 * DAYS_PER_WEEK
TWELVE_WEEKS: Final = 12 * DAYS_PER_WEEK


def covariates(
    *,
    tables: CanonicalTables,
    time_zeros: Sequence[TimeZero],
    pre_days: int,
    history_days: int,
    days: ir.Table | None = None,
) -> ir.Table:
    """Covariates of every eligible household of each campaign, as one expression for all.

    Whether the data covers a campaign's windows is judged in ``trials.select_trials``, not here.

    Parameters
    ----------
    tables : CanonicalTables
        All but ``coupons`` and ``promotions`` are read.
    time_zeros : sequence of TimeZero
        The campaigns and the dates that their windows end at.
    pre_days, history_days : int
        Lengths in days of the covariate window and of the window of prior campaigns.
    days : Table, optional
        ``household_days`` that cover the covariate windows, where a caller has them already. By
        default they reach past time zero as a trial's do, so that the audit sees the same path.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id`` (eligible: bought merchandise in the covariate window)
        and ``contracts.columns.COVARIATES`` as float64; no order.

    Raises
    ------
    TrialError
        If ``time_zeros`` is empty or names a campaign twice.
    """
    windows = window_table(time_zeros=time_zeros)
    if days is None:
        days = household_days(
            tables=tables,
            first=min(zero.date for zero in time_zeros) - dt.timedelta(days=pre_days),
            end=None,
        )
    sums = _window_sums(days=days, windows=windows, pre_days=pre_days)
    counts = distinct_counts(tables=tables, time_zeros=time_zeros, pre_days=pre_days)
    exposure = prior_campaigns(tables=tables, windows=windows, history_days=history_days)
    redemptions = prior_redemptions(tables=tables, windows=windows, history_days=history_days)
    rows = (
        sums.join(counts, KEYS)
        .left_join(exposure, KEYS, rname="{name}_of_exposure")
        .left_join(redemptions, KEYS, rname="{name}_of_redemptions")
        .left_join(tables.households, "household_id", rname="{name}_of_household")
    )
    values = (
        _base_features(rows=rows, pre_days=pre_days) | _exposure(rows=rows) | _demographics(rows)
    )
    return rows.select(
        "campaign_id",
        "household_id",
        **{name: values[name].cast("float64") for name in COVARIATES},
    )


def _window_sums(*, days: ir.Table, windows: ir.Table, pre_days: int) -> ir.Table:
    begin = windows.time_zero - pre_days
    days = with_neighbours(days=days)
    rows = days.join(windows, [days.day < windows.time_zero, days.day >= begin])
    visit, t0 = rows.is_visit, rows.time_zero
    has_gap = visit & (rows.previous_visit >= t0 - pre_days)
    gap = (rows.day - rows.previous_visit).cast("float64")
    # the last visit of its 7-day block, counted back from t0. The bound at t0 is for backends whose
    # integer division rounds towards 0: they would put the week after t0 into the block before it
    last_of_block = (
        rows.next_visit.isnull()
        | (rows.next_visit >= t0)
        | ((t0 - 1 - rows.next_visit) // DAYS_PER_WEEK != (t0 - 1 - rows.day) // DAYS_PER_WEEK)
    )
    sums = rows.group_by(*KEYS).agg(
        recency=(t0 - rows.day).min(where=visit),
        tenure=(t0 - rows.day).max(where=visit),
        visits=visit.cast("float64").sum(),
        gap_squared=has_gap.ifelse(gap * gap, 0.0).sum(),
        active_weeks=(visit & last_of_block).cast("float64").sum(),
        **{name: rows[name].sum() for name in ADDITIVE},
    )
    return sums.filter(sums.visits > 0)


def _sample_std(*, n: ir.Value, total: ir.Value, squares: ir.Value) -> ir.Value:
    """Sample standard deviation from exact sums; NULL with fewer than two values."""
    return ((n * squares - total * total) / (n * (n - 1)).nullif(0)).sqrt()


def _base_features(*, rows: ir.Table, pre_days: int) -> dict[str, ir.Value]:
    blocks = -(-pre_days // DAYS_PER_WEEK)
    weeks = pre_days / DAYS_PER_WEEK
    spend = rows.spend / CENTS_PER_USD
    paid = (rows.spend - rows.coupon) / CENTS_PER_USD
    gaps = (rows.visits - 1).nullif(0)
    span = (rows.tenure - rows.recency).cast("float64")
    gap_mean = span / gaps
    gap_std = _sample_std(n=gaps, total=span, squares=rows.gap_squared)
    basket_std = _sample_std(n=rows.baskets, total=rows.spend, squares=rows.spend_squared)
    total = rows.spend.nullif(0)
    shelf_value = (rows.spend + rows.retailer_discount).nullif(0)
    other = rows.spend - sum((rows[name] for name in NAMED_CATEGORIES), start=0.0)
    return {
        "pre_recency_days": rows.recency,
        "pre_active_last_4w": rows.recency <= FOUR_WEEKS,
        "pre_active_last_12w": rows.recency <= TWELVE_WEEKS,
        "pre_days_between_visits_mean": gap_mean,
        "pre_days_between_visits_std": gap_std,
        "pre_tenure_days": rows.tenure,
        "pre_visits": rows.visits,
        "pre_visits_per_week": rows.visits / weeks,
        "pre_baskets": rows.baskets,
        "pre_active_weeks": rows.active_weeks,
        "pre_purchase_regularity": 1.0 / (1.0 + gap_std / gap_mean),
        "pre_lines": rows.lines,
        "pre_spend_usd": spend,
        "pre_spend_per_week": spend / weeks,
        "pre_basket_spend_mean": spend / rows.baskets,
        "pre_basket_spend_std": basket_std / CENTS_PER_USD,
        "pre_paid_usd": paid,
        "pre_basket_paid_mean": paid / rows.baskets,
        "pre_coupon_saving_share": rows.coupon / total,
        "pre_discount_rate": rows.retailer_discount / shelf_value,
        "pre_discounted_line_share": rows.discounted_lines / rows.lines,
        "pre_private_label_share": rows.private_label / total,
        "pre_n_departments": rows.n_departments,
        "pre_n_products": rows.n_products,
        "pre_items_per_basket": rows["items"] / rows.baskets,
        "pre_products_per_basket": rows.lines / rows.baskets,
        **{f"pre_share_{name}": rows[name] / total for name in NAMED_CATEGORIES},
        "pre_share_other": other / total,
        "pre_week_coverage": rows.active_weeks / blocks,
    }


def _exposure(*, rows: ir.Table) -> dict[str, ir.Value]:
    """No row is no campaign: counts are 0, only the days since the last one stay NULL."""
    return {
        name: rows[name] if name == "prior_days_since_last" else rows[name].fill_null(0)
        for name in PRIOR_CAMPAIGNS
    }


def _demographics(rows: ir.Table) -> dict[str, ir.Value]:
    codes = {name: rows[name] for name in DEMOGRAPHICS if name != "demo_missing"}
    return codes | {"demo_missing": ~rows.has_demographics.fill_null(False)}
