"""The rows of the trials: eligible households, their arm, and who is washed out."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.exposure import mailings
from promo_uplift.features.windows import TimeZero, window_table
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

KEYS = ("campaign_id", "household_id")


def with_arms(
    *,
    eligible: ir.Table,
    tables: CanonicalTables,
    time_zeros: Sequence[TimeZero],
    parameters: TrialParameters,
) -> ir.Table:
    """Add ``treatment`` (1 treated, 0 control) and ``is_washed_out`` to the eligible households.

    A household is washed out if another campaign of the same type that it was mailed started
    before t0 and was still running in ``[t0 - washout_days, t0)``; the rule looks at both arms
    alike and at nothing after t0.

    Parameters
    ----------
    eligible : Table
        At least ``campaign_id``, ``household_id``; other columns are kept.
    tables : CanonicalTables
        ``campaigns`` and ``campaign_targets`` are read.
    time_zeros : sequence of TimeZero
        Campaigns of ``eligible``.
    parameters : TrialParameters
        Treatment definition and washout.
    """
    treated = TREATMENT_DEFINITIONS[parameters.treatment_definition](tables=tables)
    rows = eligible.left_join(treated.mutate(is_treated=True), KEYS, rname="{name}_of_treated")
    is_washed_out: ir.BooleanValue = ibis.literal(False)
    if parameters.washout_days > 0:
        exposed = _recently_exposed(
            tables=tables, time_zeros=time_zeros, washout_days=parameters.washout_days
        )
        rows = rows.left_join(exposed, KEYS, rname="{name}_of_exposed")
        is_washed_out = rows.is_exposed.fill_null(False)
    return rows.select(
        *eligible.columns,
        treatment=rows.is_treated.fill_null(False).cast("int64"),
        is_washed_out=is_washed_out,
    )


def _recently_exposed(
    *, tables: CanonicalTables, time_zeros: Sequence[TimeZero], washout_days: int
) -> ir.Table:
    windows = window_table(time_zeros=time_zeros)
    types = tables.campaigns.select("campaign_id", "campaign_type")
    windows = windows.join(types, "campaign_id")
    past = mailings(tables=tables)
    return (
        past.join(
            windows,
            [
                past.mailed_type == windows.campaign_type,
                past.mailed_campaign != windows.campaign_id,
                past.first_day < windows.time_zero,
                past.last_day >= windows.time_zero - washout_days,
            ],
        )
        .select(*KEYS)
        .distinct()
        .mutate(is_exposed=True)
    )
