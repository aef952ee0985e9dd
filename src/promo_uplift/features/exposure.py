"""Campaigns that a household was mailed before time zero."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.tables import CanonicalTables

KEYS = ("campaign_id", "household_id")


def mailings(*, tables: CanonicalTables) -> ir.Table:
    """Every mailing: ``household_id``, ``mailed_campaign``, ``mailed_type``, first and last day."""
    campaigns = tables.campaigns.select(
        "campaign_id",
        mailed_type=tables.campaigns.campaign_type,
        first_day=tables.campaigns.start_date.epoch_days(),
        last_day=tables.campaigns.end_date.epoch_days(),
    )
    return tables.campaign_targets.join(campaigns, "campaign_id").select(
        "household_id", "mailed_type", "first_day", "last_day", mailed_campaign="campaign_id"
    )


def prior_campaigns(*, tables: CanonicalTables, windows: ir.Table, history_days: int) -> ir.Table:
    """Mailings that started in ``[t0 - history_days, t0)``, and those still running at t0.

    Parameters
    ----------
    tables : CanonicalTables
        ``campaigns`` and ``campaign_targets`` are read.
    windows : Table
        ``campaign_id``, ``time_zero``.
    history_days : int
        Length of the history window in days.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id``, counts ``prior_campaigns_type_a`` (``_b``, ``_c``),
        ``prior_days_since_last`` (days; NULL without one in the window) and ``active_campaigns``
        (started before t0, whenever that was, and last day at or after t0). A mailing that starts
        on t0 itself is not prior.
    """
    past = mailings(tables=tables)
    past = past.join(windows, past.first_day < windows.time_zero)
    in_history = past.first_day >= past.time_zero - history_days
    return past.group_by(*KEYS).agg(
        **{
            f"prior_campaigns_type_{letter.lower()}": (
                in_history & (past.mailed_type == f"Type{letter}")
            )
            .cast("int64")
            .sum()
            for letter in "ABC"
        },
        prior_days_since_last=(past.time_zero - past.first_day).min(where=in_history),
        active_campaigns=(past.last_day >= past.time_zero).cast("int64").sum(),
    )


def prior_redemptions(*, tables: CanonicalTables, windows: ir.Table, history_days: int) -> ir.Table:
    """Coupons redeemed in ``[t0 - history_days, t0)``, of any campaign.

    Returns
    -------
    Table
        ``campaign_id``, ``household_id``, ``prior_redemptions`` (rows of ``redemptions``).
    """
    redeemed = tables.redemptions.select("household_id", day=tables.redemptions.date.epoch_days())
    return (
        redeemed.join(
            windows,
            [
                redeemed.day < windows.time_zero,
                redeemed.day >= windows.time_zero - history_days,
            ],
        )
        .group_by(*KEYS)
        .agg(prior_redemptions=ibis._.count())
    )
