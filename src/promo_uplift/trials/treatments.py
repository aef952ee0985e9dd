"""Treatment definitions: which households a campaign's trial counts as treated.

A new definition is one function here and its name in ``TrialParameters``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import ibis.expr.types as ir

from promo_uplift.contracts.tables import CanonicalTables


class TreatmentDefinition(Protocol):
    """Finds the treated households of every campaign."""

    def __call__(self, *, tables: CanonicalTables) -> ir.Table:
        """Distinct ``campaign_id``, ``household_id`` of the treated."""
        ...


def campaign_targeted(*, tables: CanonicalTables) -> ir.Table:
    """Households that were mailed the campaign (intention to treat), decided before time zero."""
    return tables.campaign_targets.select("campaign_id", "household_id").distinct()


TREATMENT_DEFINITIONS: Final[Mapping[str, TreatmentDefinition]] = {
    "campaign_targeted": campaign_targeted,
}
