"""Which campaigns are judged by which past: only outcomes that were known on the first day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import CAMPAIGN_ID
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.prospective_parameters import ProspectiveParameters
from promo_uplift.contracts.results import BoolArray, TrialData


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """One campaign and its past.

    Attributes
    ----------
    campaign : int
    time_zero : date
        Its first day.
    rows : bool (n,)
        Its rows.
    training : tuple of int
        Earlier campaigns whose outcome window ended before ``time_zero``, in the order of time.
    overlapping : tuple of int
        Earlier campaigns that are left out, since their outcomes were not yet known.
    training_rows, overlapping_rows : bool (n,)
        Rows of both.
    trained_until : date or None
        Last day whose outcomes train; None without a past.
    reason : str
        Why the campaign is not judged; empty where it is.
    """

    campaign: int
    time_zero: dt.date
    rows: BoolArray
    training: tuple[int, ...]
    overlapping: tuple[int, ...]
    training_rows: BoolArray
    overlapping_rows: BoolArray
    trained_until: dt.date | None
    reason: str

    def without(self, reason: str) -> CampaignPlan:
        """Return the plan of a campaign that is not judged after all, and why."""
        return replace(self, reason=reason)


def time_zeros(*, trials: pd.DataFrame) -> dict[int, dt.date]:
    """First day of each campaign, from the trial table.

    Raises
    ------
    TrialError
        If a campaign has several.
    """
    days = trials[[CAMPAIGN_ID, "start_date"]].drop_duplicates()
    if days[CAMPAIGN_ID].duplicated().any():
        several = days.loc[days[CAMPAIGN_ID].duplicated(), CAMPAIGN_ID].tolist()
        raise TrialError(f"`start_date` must be one per campaign; {several} have several.")
    dates = pd.to_datetime(days["start_date"]).dt.date
    return {int(one): day for one, day in zip(days[CAMPAIGN_ID], dates, strict=True)}


def plan_campaigns(
    *,
    data: TrialData,
    zeros: Mapping[int, dt.date],
    outcome_days: int,
    parameters: ProspectiveParameters,
) -> tuple[CampaignPlan, ...]:
    """Past of each campaign, in the order of their first days.

    An earlier campaign trains only if its outcome window ``[start, start + outcome_days)`` ended
    before the first day of the later one: what was not known then cannot have decided.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    zeros : mapping of date
        First day of each campaign.
    outcome_days : int
        Length of the outcome window.
    parameters : ProspectiveParameters

    Raises
    ------
    TrialError
        If a campaign of the rows has no date, or one that is to be judged has no rows.
    """
    present = np.unique(data.campaign).tolist()
    if lacking := [one for one in present if one not in zeros]:
        raise TrialError(
            f"`zeros` must date every campaign of the trials; {lacking} lack one. Rebuild the "
            "trials: `kedro run --pipelines data_engineering`."
        )
    judged = present if parameters.campaigns is None else parameters.campaigns
    if unknown := sorted(set(judged) - set(present)):
        raise TrialError(
            f"`prospective.campaigns` must be trials of the run {present}, found {unknown}. Add "
            "them to `trials.campaigns`, or their type to `trials.campaign_types`."
        )
    ordered = sorted(present, key=lambda one: (zeros[one], one))
    return tuple(
        _plan(one, ordered, data, zeros, outcome_days, parameters, is_wanted=one in judged)
        for one in ordered
    )


def _plan(
    campaign: int,
    ordered: list[int],
    data: TrialData,
    zeros: Mapping[int, dt.date],
    outcome_days: int,
    parameters: ProspectiveParameters,
    *,
    is_wanted: bool,
) -> CampaignPlan:
    start = zeros[campaign]
    last = {one: zeros[one] + dt.timedelta(days=outcome_days - 1) for one in ordered}
    training = tuple(one for one in ordered if last[one] < start)
    overlapping = tuple(one for one in ordered if zeros[one] < start <= last[one])
    plan = CampaignPlan(
        campaign=campaign,
        time_zero=start,
        rows=data.campaign == campaign,
        training=training,
        overlapping=overlapping,
        training_rows=np.isin(data.campaign, training),
        overlapping_rows=np.isin(data.campaign, overlapping),
        trained_until=max((last[one] for one in training), default=None),
        reason="",
    )
    return plan.without(_reason(plan, data, parameters) if is_wanted else "not asked for")


def _reason(plan: CampaignPlan, data: TrialData, parameters: ProspectiveParameters) -> str:
    if len(plan.training) < parameters.min_training_campaigns:
        return (
            f"{len(plan.training)} earlier campaigns with known outcomes, "
            f"{parameters.min_training_campaigns} needed"
        )
    for who, rows, least in (
        ("earlier campaigns", plan.training_rows, parameters.min_training_rows),
        ("the campaign", plan.rows, parameters.min_rows),
    ):
        n = int(rows.sum())
        if n < least:
            return f"{n} rows of {who}, {least} needed"
        arm = int(min(data.treatment[rows].sum(), n - data.treatment[rows].sum()))
        if arm < parameters.min_arm_rows:
            return f"{arm} rows in an arm of {who}, {parameters.min_arm_rows} needed"
    return ""
