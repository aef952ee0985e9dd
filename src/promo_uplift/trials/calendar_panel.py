"""The household x calendar-period panel: who was first mailed when, for staggered adoption.

Periods are runs of whole calendar weeks (the publisher's: Monday to Sunday), numbered from 1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.tables import CAMPAIGN_TYPES, CanonicalTables
from promo_uplift.features.exposure import mailings
from promo_uplift.features.household_days import CENTS_PER_USD, cents, lines_between
from promo_uplift.features.windows import day_number
from promo_uplift.trials.selection import data_coverage

DAYS_PER_WEEK: Final = 7
#: ``cohort`` of a household that no campaign mailed by the end of the panel.
NEVER: Final = 0
CALENDAR_COLUMNS: Final = (
    "household_id",
    "period",
    "period_start",
    "cohort",
    "spend_usd",
    "visits",
    "units",
)


@dataclass(frozen=True, slots=True)
class CalendarPanel:
    """A balanced panel of households and calendar periods.

    Attributes
    ----------
    panel : DataFrame (n_households * n_periods, 7)
        ``CALENDAR_COLUMNS``, by household and period: ``period`` from 1, ``period_start`` its first
        date, ``cohort`` the period in which the household was first mailed (0: not by the end of
        the last period), ``spend_usd`` and ``units`` of merchandise, ``visits`` in days. No
        purchase is a real 0: every period lies wholly inside the data.
    cohorts : DataFrame
        ``cohort``, ``period_start`` (missing for 0), ``n_households`` of the panel and
        ``n_first_mailed`` (of all households with a receipt, those left out included; missing for
        0), one row per cohort.
    report : DataFrame
        ``quantity``, ``value``, ``meaning``: dates, periods, and the households left out, by why.
    """

    panel: pd.DataFrame
    cohorts: pd.DataFrame
    report: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Periods:
    """Whole weeks of the data cut into ``n`` periods of ``days`` days from ``start`` on."""

    first_date: dt.date
    last_date: dt.date
    start: dt.date
    n: int
    days: int

    @property
    def end(self) -> dt.date:
        """The date after the last period."""
        return self.start + dt.timedelta(days=self.n * self.days)

    def of(self, day: ir.IntegerValue) -> ir.IntegerValue:
        """Period of a day number: 1 to ``n`` inside, at most 0 before, above ``n`` after."""
        return ((day - day_number(self.start)) / self.days).floor().cast("int64") + 1


def calendar_panel(
    *, tables: CanonicalTables, campaign_types: Sequence[str], period_weeks: int
) -> CalendarPanel:
    """Outcomes by household and calendar period, with the period of the first mailing.

    Households are those with a purchase of merchandise in the baseline: the periods before the
    first one in which any household is first mailed. Nothing later decides who is in. Households
    first mailed before the first period are already treated throughout: left out and counted. So
    far as the source knows: the package lacks campaign 26, whose 332 recipients count as not yet
    mailed there.

    A campaign that starts within a period makes that period its cohort, treated in part.

    Parameters
    ----------
    tables : CanonicalTables
        ``transactions``, ``campaigns`` and ``campaign_targets`` are read.
    campaign_types : sequence of str
        Types whose mailings count.
    period_weeks : int
        Length of a period in calendar weeks.

    Returns
    -------
    CalendarPanel
        The panel, the sizes of its cohorts and what was left out.

    Raises
    ------
    TrialError
        If a type is unknown, the data holds fewer than two periods, nobody is first mailed within
        them, or the first mailing is in the first period, so that there is no baseline.
    """
    if odd := sorted(set(campaign_types) - set(CAMPAIGN_TYPES)):
        raise TrialError(f"`campaign_types` must be of {list(CAMPAIGN_TYPES)}, found {odd}.")
    periods = _periods(tables=tables, period_weeks=period_weeks)
    first_mailed = _first_mailed(tables=tables, campaign_types=campaign_types, periods=periods)
    starting = first_mailed.filter(
        (first_mailed.first_period >= 1) & (first_mailed.first_period <= periods.n)
    )
    first_cohort = starting.aggregate(first=starting.first_period.min()).to_pyarrow()
    base_end = first_cohort.column("first").to_pylist()[0]
    _refuse_no_baseline(base_end=base_end, campaign_types=campaign_types)
    outcomes = _outcomes(tables=tables, periods=periods)
    before = outcomes.filter(
        (outcomes.period >= 1) & (outcomes.period < base_end) & (outcomes.visits > 0)
    )
    seen = tables.transactions.select("household_id").distinct()
    everyone = (
        seen.left_join(first_mailed, "household_id", rname="{name}_of_mailed")
        .left_join(
            before.select("household_id").distinct().mutate(is_in_baseline=True),
            "household_id",
            rname="{name}_of_baseline",
        )
        .select(
            "household_id",
            first_period=ibis._.first_period,
            is_in_baseline=ibis._.is_in_baseline.fill_null(False),
        )
        .order_by("household_id")
        .to_pyarrow()
        .to_pandas()
    )
    kept = _cohorts(everyone=everyone, periods=periods)
    panel = _balanced(kept=kept, outcomes=outcomes, periods=periods)
    return CalendarPanel(
        panel=panel,
        cohorts=_cohort_sizes(kept=kept, everyone=everyone, periods=periods),
        report=_report(everyone=everyone, periods=periods, base_end=base_end),
    )


def _periods(*, tables: CanonicalTables, period_weeks: int) -> _Periods:
    if period_weeks < 1:
        raise TrialError(f"`period_weeks` must be at least 1, got {period_weeks}.")
    first, last = data_coverage(tables=tables)
    start = first + dt.timedelta(days=-first.weekday() % DAYS_PER_WEEK)
    days = DAYS_PER_WEEK * period_weeks
    n = ((last - start).days + 1) // days
    if n < 2:
        raise TrialError(
            f"`period_weeks` must leave at least two periods inside the data, {first} to {last}; "
            f"{period_weeks} leaves {max(n, 0)}. Choose shorter periods."
        )
    return _Periods(first_date=first, last_date=last, start=start, n=n, days=days)


def _first_mailed(
    *, tables: CanonicalTables, campaign_types: Sequence[str], periods: _Periods
) -> ir.Table:
    past = mailings(tables=tables)
    past = past.filter(past.mailed_type.isin(list(campaign_types)))
    first = past.group_by("household_id").agg(first_day=past.first_day.min())
    return first.select("household_id", first_period=periods.of(first.first_day))


def _refuse_no_baseline(*, base_end: int | None, campaign_types: Sequence[str]) -> None:
    types = list(campaign_types)
    if base_end is None:
        raise TrialError(
            f"`campaign_types` {types} must first mail a household within the periods; none does. "
            "Choose other types, or data with more campaigns."
        )
    if base_end == 1:
        raise TrialError(
            f"The first mailing of `campaign_types` {types} must leave a period before it; it is "
            "in the first one. Choose shorter periods."
        )


def _outcomes(*, tables: CanonicalTables, periods: _Periods) -> ir.Table:
    """Add up merchandise by household and period, cents and counts, for whoever bought."""
    lines = lines_between(tables=tables, first=periods.start, end=periods.end)
    lines = lines.filter(lines.is_merchandise)
    days = lines.group_by("household_id", "date").agg(
        spend=cents(lines.sales_usd).sum(), units=lines.quantity.cast("float64").sum()
    )
    days = days.select("household_id", "spend", "units", period=periods.of(days.date.epoch_days()))
    return days.group_by("household_id", "period").agg(
        spend=days.spend.sum(), visits=days.count().cast("float64"), units=days.units.sum()
    )


def _cohorts(*, everyone: pd.DataFrame, periods: _Periods) -> pd.DataFrame:
    is_treated_before = everyone["first_period"] < 1
    kept = everyone[everyone["is_in_baseline"] & ~is_treated_before]
    is_mailed = kept["first_period"].le(periods.n)
    cohort = kept["first_period"].where(is_mailed, NEVER).astype("int64")
    return kept[["household_id"]].assign(cohort=cohort).reset_index(drop=True)


def _balanced(*, kept: pd.DataFrame, outcomes: ir.Table, periods: _Periods) -> pd.DataFrame:
    households = ibis.memtable(pa.Table.from_pandas(kept, preserve_index=False))
    numbers = range(1, periods.n + 1)
    calendar = ibis.memtable(
        pa.table(
            {
                "period": pa.array(list(numbers), pa.int64()),
                "period_start": pa.array(
                    [periods.start + dt.timedelta(days=periods.days * (i - 1)) for i in numbers],
                    pa.date32(),
                ),
            }
        )
    )
    rows = households.cross_join(calendar).left_join(
        outcomes, ["household_id", "period"], rname="{name}_of_outcomes"
    )
    rows = rows.select(
        "household_id",
        "period",
        "period_start",
        "cohort",
        spend_usd=rows.spend.fill_null(0.0) / CENTS_PER_USD,
        visits=rows.visits.fill_null(0.0),
        units=rows.units.fill_null(0.0),
    )
    ordered = rows.select(*CALENDAR_COLUMNS).order_by("household_id", "period")
    panel: pd.DataFrame = ordered.to_pyarrow().to_pandas(date_as_object=False)
    return panel


def _cohort_sizes(*, kept: pd.DataFrame, everyone: pd.DataFrame, periods: _Periods) -> pd.DataFrame:
    mailed = everyone.loc[everyone["first_period"].between(1, periods.n), "first_period"]
    first_mailed = mailed.astype("int64").value_counts()
    sizes = kept["cohort"].value_counts()
    cohorts = first_mailed.index.union(sizes.index).sort_values()
    days = pd.to_timedelta((cohorts - 1) * periods.days, unit="D")
    starts = pd.Series(pd.Timestamp(periods.start) + days)
    return pd.DataFrame(
        {
            "cohort": cohorts.to_numpy(),
            "period_start": starts.where(cohorts != NEVER),
            "n_households": sizes.reindex(cohorts, fill_value=0).to_numpy(),
            "n_first_mailed": first_mailed.reindex(cohorts).astype("Int64").array,
        }
    )


def _report(*, everyone: pd.DataFrame, periods: _Periods, base_end: int) -> pd.DataFrame:
    before = everyone["first_period"] < 1
    idle = ~before & ~everyone["is_in_baseline"]
    late = ~before & ~idle & (everyone["first_period"] > periods.n)
    n_kept = len(everyone) - int(before.sum()) - int(idle.sum())
    lines: list[tuple[str, object, str]] = [
        ("first_date", periods.first_date, "first date of the data"),
        ("last_date", periods.last_date, "last date of the data"),
        ("period_days", periods.days, "length of a period"),
        ("n_periods", periods.n, "periods wholly inside the data"),
        (
            "n_days_left_out_before",
            (periods.start - periods.first_date).days,
            "days of the partial week at the data's start",
        ),
        (
            "n_days_left_out_after",
            (periods.last_date - periods.end).days + 1,
            "days at the data's end that fill no period",
        ),
        ("n_baseline_periods", base_end - 1, "periods before the first cohort"),
        ("n_households_of_data", len(everyone), "households with a receipt"),
        ("n_already_treated", int(before.sum()), "left out: first mailed before the first period"),
        ("n_without_baseline", int(idle.sum()), "left out: no purchase in the baseline"),
        ("n_households", n_kept, "households of the panel"),
        ("n_mailed_after", int(late.sum()), "of them first mailed after the last period: cohort 0"),
    ]
    return pd.DataFrame(lines, columns=["quantity", "value", "meaning"])
