"""One row per household as of a date: the trials' covariates, for households that are decided on.

The date takes the place of a campaign's start, so that a model meets what it was trained on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis.expr.types as ir

from promo_uplift.contracts.columns import COVARIATES, HOUSEHOLD_ID
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.covariates import covariates
from promo_uplift.features.household_days import household_days
from promo_uplift.features.windows import TimeZero
from promo_uplift.trials.selection import Window, data_coverage

#: Stands for the campaign to come, in expressions that are about campaigns.
TO_COME = 0


@dataclass(frozen=True, slots=True)
class HouseholdCut:
    """Households and their covariates as of a date.

    Attributes
    ----------
    households : Table
        ``household_id`` and ``contracts.columns.COVARIATES``, one row per eligible household, in
        order of the id; an expression that nothing has run yet.
    as_of : date
        The first day that is not looked at.
    first_date, last_date : date
        What the transactions cover.
    """

    households: ir.Table
    as_of: dt.date
    first_date: dt.date
    last_date: dt.date


def households_as_of(
    *, tables: CanonicalTables, as_of: dt.date, pre_days: int, history_days: int
) -> HouseholdCut:
    """Cut the tables as of a date: covariates of the households that bought in the window.

    Nothing on or after ``as_of`` is read: no purchase, mailing or redemption. Of a campaign that
    started before it, the planned last day is used, as in the trials.

    Parameters
    ----------
    tables : CanonicalTables
        All but ``coupons`` and ``promotions`` are read.
    as_of : date
        Where the windows end: the day on which the households would be mailed.
    pre_days, history_days : int
        Lengths in days of the covariate window, which also decides who is eligible, and of the
        window of prior campaigns.

    Raises
    ------
    TrialError
        If the transactions do not cover both windows, naming which and what they cover.
    """
    first, last = data_coverage(tables=tables)
    windows = (
        Window("covariate", as_of - dt.timedelta(days=pre_days), as_of),
        Window("history", as_of - dt.timedelta(days=history_days), as_of),
    )
    lacks = [lack for window in windows if (lack := window.lack(first=first, last=last))]
    if lacks:
        earliest = first + dt.timedelta(days=max(pre_days, history_days))
        raise TrialError(
            f"`scoring.as_of` {as_of} must have its windows inside the data, which covers {first} "
            f"to {last}; the {'; the '.join(lacks)}. Choose a date from {earliest} to "
            f"{last + dt.timedelta(days=1)}."
        )
    rows = covariates(
        tables=tables,
        time_zeros=[TimeZero(TO_COME, as_of)],
        pre_days=pre_days,
        history_days=history_days,
        days=household_days(tables=tables, first=as_of - dt.timedelta(days=pre_days), end=as_of),
    )
    return HouseholdCut(
        households=rows.select(HOUSEHOLD_ID, *COVARIATES).order_by(HOUSEHOLD_ID),
        as_of=as_of,
        first_date=first,
        last_date=last,
    )
