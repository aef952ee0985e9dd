"""Who is in a trial: decided before time zero, by the same rule for both arms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis.expr.types as ir

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.household_days import lines_between
from promo_uplift.features.windows import TimeZero, window_table


def eligible_households(
    *, tables: CanonicalTables, time_zeros: Sequence[TimeZero], pre_days: int
) -> ir.Table:
    """Households that bought merchandise at least once in ``[t0 - pre_days, t0)``.

    Returns
    -------
    Table
        Distinct ``campaign_id``, ``household_id``. The rows of ``covariates`` are the same ones.
    """
    windows = window_table(time_zeros=time_zeros)
    first = min(zero.date for zero in time_zeros) - dt.timedelta(days=pre_days)
    end = max(zero.date for zero in time_zeros)
    lines = lines_between(tables=tables, first=first, end=end)
    visits = lines.filter(lines.is_merchandise).select("household_id", "date").distinct()
    visits = visits.select("household_id", day=visits.date.epoch_days())
    return (
        visits.join(
            windows,
            [visits.day < windows.time_zero, visits.day >= windows.time_zero - pre_days],
        )
        .select("campaign_id", "household_id")
        .distinct()
    )
