"""PU-WEEK: week numbers follow the publisher's formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class WeekNumbers:
    """Weeks that do not follow from their day.

    Attributes
    ----------
    mismatch_share : float
        Share of lines whose week is not ``ceil((DAY + 2) / 7)``.
    usual_shift : int
        Most frequent difference among those, in weeks; 0 without any.
    n_lines : int
        Lines.
    """

    mismatch_share: float
    usual_shift: int
    n_lines: int

    @classmethod
    def of(cls, *, day: ArrayLike, week_no: ArrayLike) -> WeekNumbers:
        """Compare the week of each line with that of its day, both as the publisher counts.

        Raises
        ------
        CheckError
            If a value is missing, or the lengths differ.
        """
        days = numbers(day, name="day")
        weeks = numbers(week_no, name="week_no", n=len(days))
        shift = weeks - np.ceil((days + 2.0) / 7.0)
        off = shift[shift != 0.0]
        values, counts = np.unique(off, return_counts=True)
        usual = int(values[counts.argmax()]) if len(off) else 0
        return cls(len(off) / len(days), usual, len(days))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the share of wrong weeks against its bound."""
    weeks, most = evidence.need(WeekNumbers), parameters.max_week_mismatch_share
    shift = f", mostly by {weeks.usual_shift:+d} week" if weeks.usual_shift else ""
    return Finding(
        rule=f"share of lines whose week is not ceil((DAY + 2) / 7) <= {most:g}",
        value=weeks.mismatch_share,
        threshold=most,
        passed=weeks.mismatch_share <= most,
        sentence=(
            f"{weeks.mismatch_share:.2%} of {weeks.n_lines:,} lines stand in another week than "
            f"their day{shift}; a window cut by such weeks starts on the wrong day."
        ),
    )


CHECK = Check(
    code="PU-WEEK",
    title="Weeks follow the publisher's calendar",
    family="data",
    needs=(WeekNumbers,),
    look=_look,
)
