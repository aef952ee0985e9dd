"""PU-ARMS: each household has one arm in each campaign, and its own campaign's."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import UNIT, require, units
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class Arms:
    """Arms of the units (household x campaign) of an analysis.

    Attributes
    ----------
    n_units, n_mixed : int
        Units, and those with both arms.
    n_borrowed : int
        Treated units whose own campaign did not assign them: the arm is another campaign's.
    n_assigned_controls : int
        Controls that their own campaign did assign.
    n_untreated : int
        Units that were neither assigned nor treated.
    """

    n_units: int
    n_mixed: int
    n_borrowed: int
    n_assigned_controls: int
    n_untreated: int

    @classmethod
    def of(cls, *, rows: pd.DataFrame, assigned: pd.DataFrame) -> Arms:
        """Hold the arm of each unit against what its own campaign assigned.

        Parameters
        ----------
        rows : DataFrame
            ``campaign_id``, ``household_id``, ``treatment`` (0 or 1), any number of rows a unit.
        assigned : DataFrame
            ``campaign_id``, ``household_id`` of those that the campaign was sent to (that the
            treatment's definition names, if it is another).

        Raises
        ------
        CheckError
            If ``rows`` is empty or a column is missing.
        """
        require(rows, [*UNIT, "treatment"], name="rows")
        arms = rows.groupby(list(UNIT), sort=False)["treatment"].agg(["min", "max"])
        is_treated = arms["max"] == 1
        is_assigned = arms.index.isin(units(assigned, name="assigned"))
        return cls(
            n_units=len(arms),
            n_mixed=int((arms["min"] != arms["max"]).sum()),
            n_borrowed=int((is_treated & ~is_assigned).sum()),
            n_assigned_controls=int((~is_treated & is_assigned).sum()),
            n_untreated=int((~is_treated & ~is_assigned).sum()),
        )


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """No unit may have both arms or another campaign's, and somebody must be untreated."""
    arms, words = evidence.need(Arms), evidence.wording
    wrong = arms.n_mixed + arms.n_borrowed + arms.n_assigned_controls
    return Finding(
        rule="one arm per household and campaign, its own campaign's, and some without any",
        value=float(wrong),
        threshold=0.0,
        passed=wrong == 0 and arms.n_untreated > 0,
        sentence=(
            f"Of {arms.n_units:,} pairs of {words.subject} and campaign {arms.n_mixed:,} have both "
            f"arms, {arms.n_borrowed:,} count as {words.treated} by another campaign, "
            f"{arms.n_assigned_controls:,} count as controls although their campaign reached "
            f"them; {arms.n_untreated:,} were not {words.treated} at all."
        ),
    )


CHECK = Check(
    code="PU-ARMS",
    title="One arm per household and campaign",
    family="data",
    needs=(Arms,),
    look=_look,
)
