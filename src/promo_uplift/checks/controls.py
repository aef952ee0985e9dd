"""PU-CONTROLS: controls are chosen by what was known at time zero."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import units
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class ControlRule:
    """What the rule that picks controls looks at.

    Attributes
    ----------
    last_day : int
        Last day that it reads, counted from time zero (-1 is the day before); what the rule says
        of itself.
    n_controls : int
        Controls by what lies before time zero.
    n_changed : int
        Controls that the future adds or takes away.
    """

    last_day: int
    n_controls: int
    n_changed: int = 0

    @classmethod
    def of(cls, *, analysed: pd.DataFrame, before: pd.DataFrame, last_day: int = -1) -> ControlRule:
        """Compare the controls analysed with those that the same rule finds before time zero.

        Parameters
        ----------
        analysed, before : DataFrame
            ``campaign_id``, ``household_id`` of the controls, given the whole data, and given only
            what was known when the campaign started.
        last_day : int
            Last day relative to time zero that the rule says it reads.

        Raises
        ------
        CheckError
            If there is no control before time zero, or a column is missing.
        """
        whole, past = units(analysed, name="analysed"), units(before, name="before")
        if past.empty:
            raise CheckError("`before` must hold controls, found none.")
        return cls(last_day, len(past), len(whole.symmetric_difference(past)))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Look whether the rule reads the future, and whether deleting that changes a control."""
    rule = evidence.need(ControlRule)
    reads = (
        f"ends {-rule.last_day} day{'s' * (rule.last_day < -1)} before the start"
        if rule.last_day < 0
        else f"reads on to day {rule.last_day} from the start"
    )
    return Finding(
        rule="the rule that picks controls reads nothing at or after time zero",
        value=float(rule.n_changed if rule.last_day < 0 else max(rule.last_day, rule.n_changed)),
        threshold=0.0,
        passed=rule.last_day < 0 and rule.n_changed == 0,
        sentence=(
            f"By its own word the rule {reads}; of {rule.n_controls:,} controls known at "
            f"the start, what happened later adds or removes {rule.n_changed:,}."
        ),
    )


CHECK = Check(
    code="PU-CONTROLS",
    title="The past picks the controls",
    family="design",
    needs=(ControlRule,),
    look=_look,
)
