"""PU-COVERAGE: no week without data is read as a week without purchases."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import require
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class WeekCoverage:
    """Rows of a weekly panel whose outcome nobody observed.

    Attributes
    ----------
    n_rows, n_invented : int
        Rows, and those with an outcome in a week that does not lie wholly inside the data.
    weeks : tuple of str
        First dates of such weeks.
    first, last : date
        First and last date of the data.
    """

    n_rows: int
    n_invented: int
    weeks: tuple[str, ...]
    first: dt.date
    last: dt.date

    @classmethod
    def of(
        cls, *, panel: pd.DataFrame, first: dt.date, last: dt.date, outcome: str = "spend_usd"
    ) -> WeekCoverage:
        """Count outcomes of ``panel`` (``week_start`` and ``outcome``) outside the data's dates.

        Parameters
        ----------
        panel : DataFrame
            One row per household and week; ``week_start`` is the first of the seven days.
        first, last : date
            First and last date of the receipts.
        outcome : str
            Column that must be missing where the data does not reach.

        Raises
        ------
        CheckError
            If the panel has no rows or lacks a column.
        """
        require(panel, ["week_start", outcome], name="panel")
        start = pd.to_datetime(panel["week_start"])
        is_inside = (start >= pd.Timestamp(first)) & (
            start + pd.Timedelta(days=6) <= pd.Timestamp(last)
        )
        invented = panel[outcome].notna() & ~is_inside
        weeks = sorted({day.date().isoformat() for day in start[invented].unique()})
        return cls(len(panel), int(invented.sum()), tuple(weeks), first, last)


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Outcomes outside the data must be missing."""
    found = evidence.need(WeekCoverage)
    weeks = f", first in the week of {found.weeks[0]}" if found.weeks else ""
    return Finding(
        rule="no outcome in a week that does not lie wholly inside the data",
        value=float(found.n_invented),
        threshold=0.0,
        passed=found.n_invented == 0,
        sentence=(
            f"The data runs from {found.first} to {found.last}; {found.n_invented:,} of "
            f"{found.n_rows:,} rows have an outcome outside it{weeks}."
        ),
    )


CHECK = Check(
    code="PU-COVERAGE",
    title="No invented zeros",
    family="data",
    needs=(WeekCoverage,),
    look=_look,
)
