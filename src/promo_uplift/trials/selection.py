"""Which campaigns become trials: only those whose windows the data covers, and why not the rest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import pandas as pd

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.eligibility import eligible_households
from promo_uplift.features.exposure import prior_campaigns
from promo_uplift.features.windows import TimeZero, window_table
from promo_uplift.trials.population import KEYS, with_arms
from promo_uplift.trials.treatments import campaigns_without_coupons, refuse_continuous

#: Counts of the report; NA for a campaign that is left out for its windows.
COUNTS: Final = (
    "n_eligible",
    "n_neither",
    "n_washed_out",
    "n_treated",
    "n_control",
    "n_treated_other_active",
    "n_control_other_active",
)


@dataclass(frozen=True, slots=True)
class ChosenCampaign:
    """A campaign that becomes a trial.

    Attributes
    ----------
    campaign_id : int
    campaign_type : str
    start_date, end_date : date
        First and last day of the campaign itself.
    time_zero : date
        Where the trial's windows meet: ``start_date``, or ``shift_days`` before it for a placebo.
    is_post_covered : bool
        Whether the data covers the ``post_days`` after ``end_date``.
    """

    campaign_id: int
    campaign_type: str
    start_date: dt.date
    end_date: dt.date
    time_zero: dt.date
    is_post_covered: bool


@dataclass(frozen=True, slots=True)
class TrialSelection:
    """The campaigns that become trials, and the report on all that were considered.

    Attributes
    ----------
    campaigns : tuple of ChosenCampaign
        In order of ``campaign_id``; may be empty for a placebo only.
    shift_days : int
        Days by which time zero precedes the campaigns' start: 0, or the placebo's shift.
    first_date, last_date : date
        The dates that the transactions cover.
    report : DataFrame
        One row per campaign considered: ``campaign_id``, ``campaign_type``, ``start_date``,
        ``end_date``, ``time_zero``, ``used``, ``reason``, ``is_post_covered``,
        ``treatment_definition``, ``control_definition``, ``category``, ``n_eligible`` (all of
        them), ``n_neither`` (neither treated nor a control), ``n_washed_out`` (of the rest),
        ``n_treated``, ``n_control`` (what is left), ``n_treated_other_active`` and
        ``n_control_other_active`` (rows with another campaign running at time zero).
    """

    campaigns: tuple[ChosenCampaign, ...]
    shift_days: int
    first_date: dt.date
    last_date: dt.date
    report: pd.DataFrame

    @property
    def time_zeros(self) -> tuple[TimeZero, ...]:
        """The chosen campaigns with their time zeros."""
        return tuple(TimeZero(c.campaign_id, c.time_zero) for c in self.campaigns)


@dataclass(frozen=True, slots=True)
class Window:
    """Days ``[first, end)`` that a trial reads, by the name that messages call them."""

    name: str
    first: dt.date
    end: dt.date

    def lack(self, *, first: dt.date, last: dt.date) -> str:
        """Say what data from ``first`` to ``last`` lacks of the window; empty if covered."""
        if self.first < first:
            return f"{self} starts before the data does, on {first}"
        if self.end > last + dt.timedelta(days=1):
            return f"{self} ends after the data does, on {last}"
        return ""

    def __str__(self) -> str:
        return f"{self.name} window [{self.first}, {self.end})"


def select_trials(
    *, tables: CanonicalTables, parameters: TrialParameters, shift_days: int = 0
) -> TrialSelection:
    """Choose the campaigns whose covariate, history and outcome windows the data covers.

    Parameters
    ----------
    tables : CanonicalTables
        The whole data; its coverage is the first to the last date of ``transactions``.
    parameters : TrialParameters
        Types or names of campaigns, windows, washout, smallest arm. A campaign chosen by its type
        is left out, with the reason, if an arm is small.
    shift_days : int
        0 for the trials. For placebo trials the days by which every window moves to before the
        campaign; they are chosen among the campaigns that are trials without the shift, and one
        whose earlier windows are not covered is left out and reported, named or not.

    Returns
    -------
    TrialSelection
        Chosen campaigns and the report.

    Raises
    ------
    TrialError
        If ``parameters.campaigns`` names a campaign that is unknown, of another type than
        ``campaign_types``, not covered by the data, or without coupons for ``category``; if the
        treatment definition is a dose; if no campaign is left; if an arm is
        empty, or a named campaign has one of fewer than ``min_arm_households`` households; if a
        placebo's outcome window would reach past the campaign's start.
    """
    refuse_continuous(parameters=parameters)
    _refuse_shift(parameters=parameters, shift_days=shift_days)
    first, last = data_coverage(tables=tables)
    considered = _considered(tables=tables, parameters=parameters, first=first, last=last)
    without_coupons = campaigns_without_coupons(
        tables=tables, campaigns=considered["campaign_id"].tolist(), parameters=parameters
    )
    _refuse_without_coupons(campaigns=sorted(without_coupons), parameters=parameters)
    report = considered.assign(
        time_zero=[start - dt.timedelta(days=shift_days) for start in considered["start_date"]],
        reason=[
            _uncovered(
                start=start, shifts={0, shift_days}, parameters=parameters, data=(first, last)
            )
            or without_coupons.get(campaign, "")
            for campaign, start in zip(
                considered["campaign_id"], considered["start_date"], strict=True
            )
        ],
        is_post_covered=[
            shift_days == 0 and end + dt.timedelta(days=parameters.post_days) <= last
            for end in considered["end_date"]
        ],
        treatment_definition=parameters.treatment_definition,
        control_definition=parameters.control_definition,
        category=parameters.category,
    )
    report.insert(5, "used", report["reason"] == "")
    if shift_days == 0:
        _refuse_uncovered(report=report, parameters=parameters, first=first, last=last)
    report = _with_counts(report=report, tables=tables, parameters=parameters)
    if shift_days == 0:
        report = _without_small_arms(report=report, parameters=parameters)
    return TrialSelection(
        campaigns=tuple(
            ChosenCampaign(**{name: row[name] for name in ChosenCampaign.__dataclass_fields__})
            for row in report[report["used"]].to_dict("records")
        ),
        shift_days=shift_days,
        first_date=first,
        last_date=last,
        report=report,
    )


def data_coverage(*, tables: CanonicalTables) -> tuple[dt.date, dt.date]:
    """First and last date of the transactions.

    Raises
    ------
    TrialError
        If there are none.
    """
    dates = tables.transactions.aggregate(
        first=tables.transactions.date.min(), last=tables.transactions.date.max()
    )
    row = dates.to_pyarrow().to_pylist()[0]
    if row["first"] is None:
        raise TrialError("`transactions` must have rows, found none. Check the data source.")
    return row["first"], row["last"]


def _refuse_shift(*, parameters: TrialParameters, shift_days: int) -> None:
    if shift_days < 0:
        raise TrialError(f"`shift_days` must be 0 or more, got {shift_days}.")
    if 0 < shift_days < parameters.outcome_days:
        raise TrialError(
            f"`placebo_shift_days` must be at least `outcome_days` ({parameters.outcome_days}), "
            f"got {shift_days}: the placebo's outcome would reach into the campaign. Raise it."
        )


def _considered(
    *, tables: CanonicalTables, parameters: TrialParameters, first: dt.date, last: dt.date
) -> pd.DataFrame:
    """Campaigns of the chosen types or names, by id, with plain dates."""
    columns = ("campaign_id", "campaign_type", "start_date", "end_date")
    known = pd.DataFrame(
        tables.campaigns.select(*columns).order_by("campaign_id").to_pyarrow().to_pylist(),
        columns=list(columns),
    )
    of_type = known[known["campaign_type"].isin(parameters.campaign_types)]
    if parameters.campaigns is None:
        return of_type.reset_index(drop=True)
    asked = parameters.campaigns
    if repeated := sorted({i for i in asked if asked.count(i) > 1}):
        raise TrialError(f"`campaigns` must name each campaign once, found {repeated} repeated.")
    if unknown := sorted(set(asked) - set(known["campaign_id"])):
        raise TrialError(
            f"`campaigns` must name campaigns of the data; unknown: {unknown}. The data covers "
            f"{first} to {last} and holds campaigns {sorted(known['campaign_id'])}."
        )
    if other := sorted(set(asked) - set(of_type["campaign_id"])):
        types = known.set_index("campaign_id")["campaign_type"]
        found = ", ".join(f"{i} is {types[i]}" for i in other)
        raise TrialError(
            f"`campaigns` must be of `campaign_types` {list(parameters.campaign_types)}; {found}. "
            "Add the type or leave the campaign out."
        )
    return of_type[of_type["campaign_id"].isin(asked)].reset_index(drop=True)


def _uncovered(
    *,
    start: dt.date,
    shifts: set[int],
    parameters: TrialParameters,
    data: tuple[dt.date, dt.date],
) -> str:
    """Why a campaign cannot be a trial; empty if the data covers all of its windows."""
    lacks = []
    for shift in sorted(shifts):
        zero = start - dt.timedelta(days=shift)
        moved = f" (moved {shift} days earlier)" if shift else ""
        for window in (
            Window("covariate", zero - dt.timedelta(days=parameters.pre_days), zero),
            Window("history", zero - dt.timedelta(days=parameters.history_days), zero),
            Window("outcome", zero, zero + dt.timedelta(days=parameters.outcome_days)),
        ):
            if lack := window.lack(first=data[0], last=data[1]):
                lacks.append(lack + moved)
    return "; ".join(lacks)


def _refuse_without_coupons(*, campaigns: list[int], parameters: TrialParameters) -> None:
    if campaigns and parameters.campaigns is not None:
        raise TrialError(
            f"`campaigns` must have coupons for products of `category` {parameters.category!r}; "
            f"{campaigns} have none. Leave them out."
        )


def _refuse_uncovered(
    *, report: pd.DataFrame, parameters: TrialParameters, first: dt.date, last: dt.date
) -> None:
    left_out = report[~report["used"]]
    found = "; ".join(
        f"campaign {row.campaign_id}, start {row.start_date}: {row.reason}"
        for row in left_out.itertuples()
    )
    if parameters.campaigns is not None and not left_out.empty:
        raise TrialError(
            f"`campaigns` must lie inside the data, which covers {first} to {last}; {found}. "
            "Leave the campaign out, or shorten the window that is named."
        )
    if left_out.shape[0] == report.shape[0]:
        raise TrialError(
            f"`campaign_types` {list(parameters.campaign_types)} must leave at least one campaign "
            f"with covered windows, found none; the data covers {first} to {last}; "
            f"{found or 'there is no campaign of these types'}. Choose other types or shorter "
            "windows."
        )


def _with_counts(
    *, report: pd.DataFrame, tables: CanonicalTables, parameters: TrialParameters
) -> pd.DataFrame:
    used = report[report["used"]]
    if used.empty:
        return report.assign(**{name: pd.array([pd.NA] * len(report), "Int64") for name in COUNTS})
    zeros = [TimeZero(*pair) for pair in zip(used["campaign_id"], used["time_zero"], strict=True)]
    rows = with_arms(
        eligible=eligible_households(tables=tables, time_zeros=zeros, pre_days=parameters.pre_days),
        tables=tables,
        time_zeros=zeros,
        parameters=parameters,
    )
    exposure = prior_campaigns(
        tables=tables, windows=window_table(time_zeros=zeros), history_days=parameters.history_days
    ).select(*KEYS, "active_campaigns")
    rows = rows.left_join(exposure, KEYS)
    kept = rows.is_in_arm & ~rows.is_washed_out
    treated, control = kept & (rows.treatment == 1), kept & (rows.treatment == 0)
    active = rows.active_campaigns.fill_null(0) > 0
    counts = (
        rows.group_by("campaign_id")
        .agg(
            n_eligible=rows.count(),
            n_neither=(~rows.is_in_arm).sum(),
            n_washed_out=(rows.is_in_arm & rows.is_washed_out).sum(),
            n_treated=treated.sum(),
            n_control=control.sum(),
            n_treated_other_active=(treated & active).sum(),
            n_control_other_active=(control & active).sum(),
        )
        .to_pyarrow()
        .to_pandas()
    )
    merged = report.merge(counts, on="campaign_id", how="left")
    merged.loc[merged["used"], list(COUNTS)] = merged.loc[merged["used"], list(COUNTS)].fillna(0)
    return merged.astype(dict.fromkeys(COUNTS, "Int64"))


def _without_small_arms(*, report: pd.DataFrame, parameters: TrialParameters) -> pd.DataFrame:
    """Leave out a campaign with a small arm; refuse one that is empty, or that was named."""
    floor = parameters.min_arm_households
    is_small = report["used"] & (report[["n_treated", "n_control"]].min(axis=1) < floor)
    is_empty = report["used"] & (report[["n_treated", "n_control"]].min(axis=1) == 0)
    was_named = parameters.campaigns is not None
    if refused := [
        f"campaign {row.campaign_id}: {row.n_treated} treated and {row.n_control} control of "
        f"{row.n_eligible} eligible households ({row.n_washed_out} washed out)"
        for row in report[is_small if was_named else is_empty].itertuples()
    ]:
        raise TrialError(
            f"Both arms of a trial must have at least `min_arm_households` = {floor} households; "
            f"{'; '.join(refused)}. Leave these campaigns out with `campaigns`, or lower the floor."
        )
    reason = f"an arm has fewer than `min_arm_households` = {floor} households"
    kept = report.assign(
        used=report["used"] & ~is_small, reason=report["reason"].mask(is_small, reason)
    )
    if not kept["used"].any():
        raise TrialError(
            f"`campaign_types` {list(parameters.campaign_types)} must hold a campaign whose arms "
            f"both have at least `min_arm_households` = {floor} households, found none. "
            "Lower the floor or add types."
        )
    return kept
