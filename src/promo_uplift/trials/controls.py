"""Control definitions: which eligible households a trial may compare the treated with.

A household is a control if it is eligible, not treated, and not excluded by the definition. Every
definition reads mailing lists of campaigns that started before time zero and the campaign's own
list, which was drawn before it; nothing at or after time zero decides.

Re-targeting: a household may be mailed by many campaigns, so "not yet" and "never before" speak of
the controls' past only. Treated households may have been mailed before, and a control may be mailed
the day after time zero. "Before" is what the source knows: a campaign that it does not hold (the
package lacks campaign 26) is as if it had not been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import ibis.expr.types as ir

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.exposure import mailings
from promo_uplift.features.windows import TimeZero, window_table
from promo_uplift.trials.definitions import Definition

KEYS: Final = ("campaign_id", "household_id")


class FindExcluded(Protocol):
    """Finds the households that may not be a campaign's controls."""

    def __call__(self, *, tables: CanonicalTables, time_zeros: Sequence[TimeZero]) -> ir.Table:
        """Distinct ``campaign_id``, ``household_id`` of those who are no controls."""
        ...


@dataclass(frozen=True, slots=True)
class ControlDefinition:
    """A definition, and whom it keeps out of the control arm."""

    definition: Definition
    find_excluded: FindExcluded


def targeted(*, tables: CanonicalTables, time_zeros: Sequence[TimeZero]) -> ir.Table:
    """Households on the campaign's own mailing list."""
    return tables.campaign_targets.select(*KEYS).distinct()


def targeted_by_its_type(*, tables: CanonicalTables, time_zeros: Sequence[TimeZero]) -> ir.Table:
    """Households on the campaign's list, or on an earlier one of its type."""
    types = tables.campaigns.select("campaign_id", own_type="campaign_type")
    past = _past(tables=tables, time_zeros=time_zeros).join(types, "campaign_id")
    past = past.filter(past.mailed_type == past.own_type)
    own = targeted(tables=tables, time_zeros=time_zeros)
    return own.union(past.select(*KEYS), distinct=True)


def targeted_at_all(*, tables: CanonicalTables, time_zeros: Sequence[TimeZero]) -> ir.Table:
    """Households on the campaign's list, or on an earlier one of any type."""
    past = _past(tables=tables, time_zeros=time_zeros)
    own = targeted(tables=tables, time_zeros=time_zeros)
    return own.union(past.select(*KEYS), distinct=True)


def _past(*, tables: CanonicalTables, time_zeros: Sequence[TimeZero]) -> ir.Table:
    """Mailings that started before time zero: the campaign at issue, household, type mailed."""
    windows = window_table(time_zeros=time_zeros)
    past = mailings(tables=tables)
    past = past.join(windows, past.first_day < windows.time_zero)
    return past.select(*KEYS, "mailed_type")


def _stated(name: str, sentence: str) -> Definition:
    return Definition(
        name=name,
        kind="binary",
        is_decided_after_time_zero=False,
        outcome="spend_usd",
        sentence=sentence,
    )


CONTROL_DEFINITIONS: Final[Mapping[str, ControlDefinition]] = {
    one.definition.name: one
    for one in (
        ControlDefinition(
            _stated("not_targeted", "Eligible, and not on the campaign's mailing list."),
            targeted,
        ),
        ControlDefinition(
            _stated(
                "not_yet_targeted",
                "Eligible, not on the campaign's list, nor on that of a campaign of the same type "
                "that started before time zero.",
            ),
            targeted_by_its_type,
        ),
        ControlDefinition(
            _stated(
                "never_targeted_before",
                "Eligible, not on the campaign's list, nor on that of any campaign that started "
                "before time zero.",
            ),
            targeted_at_all,
        ),
    )
}
