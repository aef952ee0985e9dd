"""PU-ELIGIBILITY: nothing at or after time zero decides who is in."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import units
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class EligibilityAudit:
    """Who is in with the whole data, and who with the data before time zero only.

    Attributes
    ----------
    n_eligible : int
        Units that are in by the data before time zero.
    n_added, n_removed : int
        Units that only the future lets in, and those that it keeps out.
    """

    n_eligible: int
    n_added: int
    n_removed: int

    @classmethod
    def of(cls, *, analysed: pd.DataFrame, before: pd.DataFrame) -> EligibilityAudit:
        """Compare the units analysed with those found by the same rule before time zero.

        Parameters
        ----------
        analysed, before : DataFrame
            ``campaign_id``, ``household_id`` of the units that the rule lets in, given the whole
            data, and given only what lies before each campaign's time zero.

        Raises
        ------
        CheckError
            If nobody is eligible before time zero, or a column is missing.
        """
        whole, past = units(analysed, name="analysed"), units(before, name="before")
        if past.empty:
            raise CheckError("`before` must hold units, found none.")
        return cls(len(past), len(whole.difference(past)), len(past.difference(whole)))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Count whom deleting the future lets in or out."""
    audit = evidence.need(EligibilityAudit)
    changed = audit.n_added + audit.n_removed
    return Finding(
        rule="the same units are in when everything at or after time zero is deleted",
        value=float(changed),
        threshold=0.0,
        passed=changed == 0,
        sentence=(
            f"{audit.n_eligible:,} pairs of {evidence.wording.subject} and campaign qualify by "
            f"what was known at the start; what happened later adds {audit.n_added:,} and removes "
            f"{audit.n_removed:,}."
        ),
    )


CHECK = Check(
    code="PU-ELIGIBILITY",
    title="The past decides who is in",
    family="design",
    needs=(EligibilityAudit,),
    look=_look,
)
