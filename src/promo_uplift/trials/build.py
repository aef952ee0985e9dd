"""The trial table: arms, outcomes and covariates, one row per household and campaign.

Each campaign start is the emulation of a randomised trial (Hernan and Robins 2016): eligibility,
arms, time zero and all windows are fixed relative to one date, alike for both arms.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.covariates import covariates
from promo_uplift.features.household_days import CENTS_PER_USD, household_days
from promo_uplift.trials.outcomes import (
    KEYS,
    PRE_SALES_DAYS,
    campaign_table,
    redeemers,
    target_spend,
    window_outcomes,
)
from promo_uplift.trials.population import with_arms
from promo_uplift.trials.selection import TrialSelection

#: Columns of the trial table before the covariates.
LEADING: Final = (
    "household_id",
    "campaign_id",
    "campaign_type",
    "start_date",
    "treatment",
    "redeemed",
    "spend_usd",
    "all_sales_usd",
    "pre_28d_sales_usd",
    "visits",
    "target_spend_usd",
    "other_spend_usd",
    "retailer_discount_usd",
    "margin_usd",
    "post_spend_usd",
)


def build_trials(
    *,
    tables: CanonicalTables,
    selection: TrialSelection,
    parameters: TrialParameters,
    margin_rate: float,
) -> ir.Table:
    """Stack the chosen trials into one table, as one expression.

    Parameters
    ----------
    tables : CanonicalTables
        The whole data.
    selection : TrialSelection
        From ``select_trials`` with the same ``parameters``; carries the placebo's shift.
    parameters : TrialParameters
        Windows, treatment definition, washout.
    margin_rate : float
        Share of spend that is margin before the retailer's own discounts, in [0, 1].

    Returns
    -------
    Table
        ``LEADING`` and ``contracts.columns.COVARIATES``, in order of campaign and household.
        ``start_date`` is time zero: the day from which the outcome window counts (for a placebo
        ``shift_days`` before the campaign). No purchase in a covered window is a spend of 0;
        ``post_spend_usd`` is NULL where the data does not cover its window.

    Raises
    ------
    TrialError
        If ``selection`` is empty or ``margin_rate`` is not a share.

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a
    randomized trial is not available. American Journal of Epidemiology 183(8).
    """
    if not selection.campaigns:
        raise TrialError(
            "`selection` must hold at least one campaign, found none; its report says why."
        )
    if not 0.0 <= margin_rate <= 1.0:
        raise TrialError(f"`margin_rate` must be in [0, 1], got {margin_rate}.")
    days = _days_around(tables=tables, selection=selection, parameters=parameters)
    rows = covariates(
        tables=tables,
        time_zeros=selection.time_zeros,
        pre_days=parameters.pre_days,
        history_days=parameters.history_days,
        days=days,
    )
    rows = with_arms(
        eligible=rows, tables=tables, time_zeros=selection.time_zeros, parameters=parameters
    )
    rows = rows.filter(rows.is_in_arm & ~rows.is_washed_out)
    campaigns = campaign_table(campaigns=selection.campaigns)
    outcomes = window_outcomes(days=days, campaigns=campaigns, parameters=parameters)
    targets = target_spend(tables=tables, selection=selection, parameters=parameters)
    redeemed = redeemers(tables=tables).mutate(redeemed=ibis.literal(1, "int64"))
    rows = (
        rows.join(campaigns, "campaign_id")
        .left_join(outcomes, KEYS, rname="{name}_of_outcomes")
        .left_join(targets, KEYS, rname="{name}_of_targets")
        .left_join(redeemed, KEYS, rname="{name}_of_redeemed")
    )
    return _in_usd(rows=rows, margin_rate=margin_rate).order_by("campaign_id", "household_id")


def _days_around(
    *, tables: CanonicalTables, selection: TrialSelection, parameters: TrialParameters
) -> ir.Table:
    zeros = [c.time_zero for c in selection.campaigns]
    before = max(parameters.pre_days, PRE_SALES_DAYS)
    ends = [zero + dt.timedelta(days=parameters.outcome_days) for zero in zeros] + [
        c.end_date + dt.timedelta(days=parameters.post_days + 1)
        for c in selection.campaigns
        if c.is_post_covered
    ]
    return household_days(
        tables=tables, first=min(zeros) - dt.timedelta(days=before), end=max(ends)
    )


def _in_usd(*, rows: ir.Table, margin_rate: float) -> ir.Table:
    def usd(name: str) -> ir.Value:
        return rows[name].fill_null(0.0) / CENTS_PER_USD

    spend, discount = rows.spend.fill_null(0.0), rows.retailer_discount.fill_null(0.0)
    target = rows.target_spend.fill_null(0.0)
    values = {
        "redeemed": rows.redeemed.fill_null(0),
        "spend_usd": usd("spend"),
        "all_sales_usd": usd("all_sales"),
        "pre_28d_sales_usd": usd("pre_sales"),
        "visits": rows.visits.fill_null(0).cast("int64"),
        "target_spend_usd": usd("target_spend"),
        "other_spend_usd": (spend - target) / CENTS_PER_USD,
        "retailer_discount_usd": usd("retailer_discount"),
        "margin_usd": (margin_rate * spend - discount) / CENTS_PER_USD,
        "post_spend_usd": rows.is_post_covered.ifelse(usd("post_spend"), ibis.null("float64")),
    }
    return rows.select(*[values[n].name(n) if n in values else n for n in LEADING], *COVARIATES)
