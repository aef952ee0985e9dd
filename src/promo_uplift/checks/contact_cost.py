"""PU-COST: a cost that every contact is charged was measured over every contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray


@dataclass(frozen=True, slots=True)
class ContactCost:
    """What each contact is charged, and what contacts cost, USD.

    Attributes
    ----------
    charged_usd : float
        Cost charged to each contact.
    total_usd : float
        What the contacts of the past cost together.
    n_contacts : int
        Contacts of the past, whether or not they cost anything.
    n_costing : int
        Those that cost something, e.g. redeemers.
    """

    charged_usd: float
    total_usd: float
    n_contacts: int
    n_costing: int

    @classmethod
    def of(cls, *, charged_usd: float, cost_usd: FloatArray) -> ContactCost:
        """Hold the charge against the cost of each contact of the past.

        Parameters
        ----------
        charged_usd : float
            Cost that the policy charges each contact.
        cost_usd : float64 (n,)
            What each contacted household cost; 0 for one that cost nothing.

        Raises
        ------
        CheckError
            If nobody was contacted or a cost is missing: a missing cost would make it one per
            redeemer.
        """
        cost = np.asarray(cost_usd, dtype=np.float64)
        if not len(cost) or not np.isfinite(cost).all():
            raise CheckError(
                f"`cost_usd` must have a finite cost for every contact, 0 where it cost nothing; "
                f"found {int((~np.isfinite(cost)).sum())} of {len(cost)} missing."
            )
        return cls(charged_usd, float(cost.sum()), len(cost), int((cost > 0.0).sum()))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Relative departure of the charge from the cost per contact."""
    limit = parameters.max_cost_departure
    words, cost = evidence.wording, evidence.need(ContactCost)
    per_contact = cost.total_usd / cost.n_contacts
    gap = abs(cost.charged_usd - per_contact)
    departure = gap / per_contact if per_contact > 0.0 else float("inf") if gap else 0.0
    is_per_costing = cost.n_costing > 0 and np.isclose(
        cost.charged_usd, cost.total_usd / cost.n_costing, rtol=limit
    )
    cause = (
        f"; it is the cost of each of the {cost.n_costing:,} that cost something"
        if departure > limit and is_per_costing
        else ""
    )
    return Finding(
        rule=f"the cost charged to a contact departs from the cost per contact by <= {limit:.0%}",
        value=departure,
        threshold=limit,
        passed=departure <= limit,
        sentence=(
            f"Each contact is charged {cost.charged_usd:.2f} USD; {cost.n_contacts:,} "
            f"{words.subjects} {words.treated} cost {per_contact:.2f} each{cause}."
        ),
    )


CHECK = Check(
    code="PU-COST",
    title="A contact's cost is per contact",
    family="policy",
    needs=(ContactCost,),
    look=_look,
)
