"""The rows of the trials: eligible households, their arm, and who is washed out."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.exposure import mailings
from promo_uplift.features.windows import TimeZero, window_table
from promo_uplift.trials.controls import CONTROL_DEFINITIONS
from promo_uplift.trials.treatments import refuse_continuous

KEYS = ("campaign_id", "household_id")


def with_arms(
    *,
    eligible: ir.Table,
    tables: CanonicalTables,
    time_zeros: Sequence[TimeZero],
    parameters: TrialParameters,
) -> ir.Table:
    """Add ``treatment`` (1 treated, 0 not), ``is_in_arm`` and ``is_washed_out`` to the eligible.

    ``is_in_arm`` is false where a household is neither treated nor a control by the control
    definition. A household is washed out if another campaign of the same type that it was mailed
    started before t0 and was still running in ``[t0 - washout_days, t0)``; the rule looks at both
    arms alike and at nothing after t0.

    Parameters
    ----------
    eligible : Table
        At least ``campaign_id``, ``household_id``; other columns are kept.
    tables : CanonicalTables
        ``campaigns`` and ``campaign_targets`` are read.
    time_zeros : sequence of TimeZero
        Campaigns of ``eligible``.
    parameters : TrialParameters
        Treatment and control definition, washout.

    Raises
    ------
    TrialError
        If the treatment definition is a dose, or its category is no commodity.
    """
    treated = refuse_continuous(parameters=parameters)(tables=tables, parameters=parameters)
    control = CONTROL_DEFINITIONS[parameters.control_definition]
    excluded = control.find_excluded(tables=tables, time_zeros=time_zeros)
    rows = eligible.left_join(
        treated.mutate(is_treated=True), KEYS, rname="{name}_of_treated"
    ).left_join(excluded.mutate(is_excluded=True), KEYS, rname="{name}_of_excluded")
    is_washed_out: ir.BooleanValue = ibis.literal(False)
    if parameters.washout_days > 0:
        exposed = _recently_exposed(
            tables=tables, time_zeros=time_zeros, washout_days=parameters.washout_days
        )
        rows = rows.left_join(exposed, KEYS, rname="{name}_of_exposed")
        is_washed_out = rows.is_exposed.fill_null(False)
    is_treated = rows.is_treated.fill_null(False)
    return rows.select(
        *eligible.columns,
        treatment=is_treated.cast("int64"),
        is_in_arm=is_treated | ~rows.is_excluded.fill_null(False),
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
