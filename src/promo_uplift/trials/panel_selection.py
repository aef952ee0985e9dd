"""Which campaigns enter the household x week panel, and why not the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis.expr.types as ir
import pandas as pd

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.eligibility import eligible_households
from promo_uplift.features.windows import TimeZero
from promo_uplift.trials.population import with_arms
from promo_uplift.trials.selection import data_coverage
from promo_uplift.trials.treatments import campaigns_without_coupons

DAYS_PER_WEEK: Final = 7
COUNTS: Final = ("n_eligible", "n_treated", "n_control", "n_washed_out", "n_neither")


@dataclass(frozen=True, slots=True)
class PanelWeeks:
    """Weeks of the panel relative to time zero.

    Attributes
    ----------
    pre_weeks, post_weeks : int
        The panel holds the weeks -``pre_weeks`` to +``post_weeks``; week w covers the days
        ``[t0 + 7 w, t0 + 7 w + 7)``.
    eligibility_days : int
        Eligible: bought merchandise in ``[t0 - eligibility_days, t0)``, or in what the data holds
        of it.
    min_pre_weeks : int
        A campaign with fewer covered weeks before time zero is left out.
    """

    pre_weeks: int
    post_weeks: int
    eligibility_days: int
    min_pre_weeks: int

    def __post_init__(self) -> None:
        """Refuse weeks that make no panel.

        Raises
        ------
        TrialError
            If a field is out of range.
        """
        for name, least in (
            ("pre_weeks", 1),
            ("post_weeks", 0),
            ("eligibility_days", 1),
            ("min_pre_weeks", 1),
        ):
            if getattr(self, name) < least:
                raise TrialError(f"`{name}` must be at least {least}, got {getattr(self, name)}.")
        if self.min_pre_weeks > self.pre_weeks:
            raise TrialError(
                f"`min_pre_weeks` must be at most `pre_weeks` ({self.pre_weeks}), got "
                f"{self.min_pre_weeks}."
            )

    @property
    def rel_weeks(self) -> range:
        """The weeks, first to last."""
        return range(-self.pre_weeks, self.post_weeks + 1)


@dataclass(frozen=True, slots=True)
class PanelCampaign:
    """A campaign of the panel; ``start_date`` is time zero, ``end_date`` its last day."""

    campaign_id: int
    campaign_type: str
    start_date: dt.date
    end_date: dt.date

    @property
    def time_zero(self) -> TimeZero:
        """The date that its weeks count from."""
        return TimeZero(self.campaign_id, self.start_date)


@dataclass(frozen=True, slots=True)
class PanelSelection:
    """The campaigns of the panel, and the report on all that the data knows.

    Attributes
    ----------
    campaigns : tuple of PanelCampaign
        In order of ``campaign_id``; may be empty.
    report : DataFrame
        One row per campaign: ``campaign_id``, ``campaign_type``, ``start_date``, ``end_date``,
        ``treatment_definition``, ``control_definition``, ``category``, ``used``, ``reason`` (empty
        where used), ``n_eligible``, ``n_treated``, ``n_control``, ``n_washed_out``, ``n_neither``
        (neither treated nor a control; the last four add up to ``n_eligible``),
        ``first_covered_week``, ``last_covered_week`` (relative to time zero; NA where the data
        covers none), ``n_covered_pre_weeks``, ``n_covered_post_weeks`` (week 0 on).
    """

    campaigns: tuple[PanelCampaign, ...]
    report: pd.DataFrame


def select_panel_campaigns(
    *, tables: CanonicalTables, parameters: TrialParameters, weeks: PanelWeeks
) -> PanelSelection:
    """Choose the campaigns of which the data holds enough weeks and households.

    Parameters
    ----------
    tables : CanonicalTables
        The whole data; its coverage is the first to the last date of ``transactions``.
    parameters : TrialParameters
        Types or names of campaigns, treatment and control definition, washout, smallest arm.
    weeks : PanelWeeks
        Weeks around time zero.

    Returns
    -------
    PanelSelection
        Chosen campaigns, and one line for each campaign of the data.

    Raises
    ------
    TrialError
        If ``parameters.campaigns`` names an unknown campaign, the treatment definition is a dose,
        or its category no commodity.
    """
    known = _campaigns(tables=tables)
    if parameters.campaigns is not None and (
        unknown := sorted(set(parameters.campaigns) - {c.campaign_id for c in known})
    ):
        raise TrialError(
            f"`campaigns` must name campaigns of the data; unknown: {unknown}. It holds "
            f"{[c.campaign_id for c in known]}."
        )
    counts = _counts(tables=tables, campaigns=known, parameters=parameters, weeks=weeks)
    without_coupons = campaigns_without_coupons(
        tables=tables, campaigns=[c.campaign_id for c in known], parameters=parameters
    )
    first, last = data_coverage(tables=tables)
    rows = []
    for campaign in known:
        covered = covered_weeks(campaign=campaign, weeks=weeks, first=first, last=last)
        arms = counts.get(campaign.campaign_id, dict.fromkeys(COUNTS, 0))
        reason = (
            _not_chosen(campaign, parameters)
            or without_coupons.get(campaign.campaign_id)
            or _too_little(covered=covered, arms=arms, parameters=parameters, weeks=weeks)
        )
        rows.append(
            {
                **{name: getattr(campaign, name) for name in PanelCampaign.__dataclass_fields__},
                "treatment_definition": parameters.treatment_definition,
                "control_definition": parameters.control_definition,
                "category": parameters.category,
                "used": not reason,
                "reason": reason,
                **arms,
                "first_covered_week": covered[0] if covered else pd.NA,
                "last_covered_week": covered[-1] if covered else pd.NA,
                "n_covered_pre_weeks": sum(week < 0 for week in covered),
                "n_covered_post_weeks": sum(week >= 0 for week in covered),
            }
        )
    report = pd.DataFrame(rows).astype(
        {"first_covered_week": "Int64", "last_covered_week": "Int64"}
    )
    return PanelSelection(
        campaigns=tuple(one for one, used in zip(known, report["used"], strict=True) if bool(used)),
        report=report,
    )


def covered_weeks(
    *, campaign: PanelCampaign, weeks: PanelWeeks, first: dt.date, last: dt.date
) -> list[int]:
    """Relative weeks that lie wholly within ``first`` to ``last``, both included."""
    inside = []
    for week in weeks.rel_weeks:
        start = campaign.start_date + dt.timedelta(days=DAYS_PER_WEEK * week)
        if first <= start and start + dt.timedelta(days=DAYS_PER_WEEK - 1) <= last:
            inside.append(week)
    return inside


def panel_arms(
    *,
    tables: CanonicalTables,
    campaigns: Sequence[PanelCampaign],
    parameters: TrialParameters,
    weeks: PanelWeeks,
) -> ir.Table:
    """Eligible households of each campaign with ``treatment``, ``is_in_arm``, ``is_washed_out``."""
    zeros = [campaign.time_zero for campaign in campaigns]
    return with_arms(
        eligible=eligible_households(
            tables=tables, time_zeros=zeros, pre_days=weeks.eligibility_days
        ),
        tables=tables,
        time_zeros=zeros,
        parameters=parameters,
    )


def _campaigns(*, tables: CanonicalTables) -> list[PanelCampaign]:
    columns = tuple(PanelCampaign.__dataclass_fields__)
    rows = tables.campaigns.select(*columns).order_by("campaign_id").to_pyarrow().to_pylist()
    if not rows:
        raise TrialError("`campaigns` must have rows, found none. Check the data source.")
    return [PanelCampaign(**row) for row in rows]


def _counts(
    *,
    tables: CanonicalTables,
    campaigns: Sequence[PanelCampaign],
    parameters: TrialParameters,
    weeks: PanelWeeks,
) -> dict[int, dict[str, int]]:
    """Count each campaign's households; one that has no eligible household is absent."""
    rows = panel_arms(tables=tables, campaigns=campaigns, parameters=parameters, weeks=weeks)
    kept = rows.is_in_arm & ~rows.is_washed_out
    counts = rows.group_by("campaign_id").agg(
        n_eligible=rows.count(),
        n_treated=(kept & (rows.treatment == 1)).sum(),
        n_control=(kept & (rows.treatment == 0)).sum(),
        n_washed_out=(rows.is_in_arm & rows.is_washed_out).sum(),
        n_neither=(~rows.is_in_arm).sum(),
    )
    found = counts.to_pyarrow().to_pylist()
    return {row["campaign_id"]: {name: row[name] for name in COUNTS} for row in found}


def _not_chosen(campaign: PanelCampaign, parameters: TrialParameters) -> str:
    if parameters.campaigns is not None:
        return "" if campaign.campaign_id in parameters.campaigns else "not among `campaigns`"
    if campaign.campaign_type not in parameters.campaign_types:
        return f"its type is not among `campaign_types` {list(parameters.campaign_types)}"
    return ""


def _too_little(
    *, covered: list[int], arms: Mapping[str, int], parameters: TrialParameters, weeks: PanelWeeks
) -> str:
    """Why the data holds too little of a campaign; empty if it holds enough."""
    reasons = []
    n_pre = sum(week < 0 for week in covered)
    if n_pre < weeks.min_pre_weeks:
        reasons.append(
            f"the data covers {n_pre} of the {weeks.pre_weeks} weeks before time zero, fewer than "
            f"`min_pre_weeks` = {weeks.min_pre_weeks}"
        )
    if n_pre == len(covered):
        reasons.append("the data covers no week from time zero on")
    floor = parameters.min_arm_households
    if min(arms["n_treated"], arms["n_control"]) < floor:
        reasons.append(
            f"{arms['n_treated']} treated and {arms['n_control']} control households of "
            f"{arms['n_eligible']} eligible; each arm needs `min_arm_households` = {floor}"
        )
    return "; ".join(reasons)
