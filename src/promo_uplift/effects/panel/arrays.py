"""One campaign's panel as balanced arrays: coverage is by campaign, so every household has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.panel import PANEL_KEYS, PANEL_OUTCOMES
from promo_uplift.contracts.results import FloatArray, IntArray

#: log(1 + spend): the outcome whose differences are ratios, with zero weeks kept.
LOG_SPEND: Final = "log1p_spend"


@dataclass(frozen=True, slots=True)
class CampaignPanel:
    """Households x covered weeks around one campaign's start.

    Attributes
    ----------
    campaign, campaign_type : str
        Campaign id as text, and its type.
    households : int64 (n,)
        Household ids, ascending.
    treatment : int64 (n,)
        1 = mailed, 0 = eligible and not mailed by this campaign.
    rel_weeks : int64 (W,)
        Covered weeks, ascending; week 0 starts on the campaign's first day.
    calendar_weeks : int64 (W,)
        Whole weeks from 1 January 1970 to each week's first day: what campaigns share in time.
    outcomes : mapping of str to float64 (n, W)
        Outcome per household and week.
    n_clipped : int
        Negative weekly spends that ``log1p_spend`` took as 0.
    """

    campaign: str
    campaign_type: str
    households: IntArray
    treatment: IntArray
    rel_weeks: IntArray
    calendar_weeks: IntArray
    outcomes: Mapping[str, FloatArray]
    n_clipped: int = 0

    def values(self, outcome: str) -> FloatArray:
        """Outcome matrix ``(n, W)``.

        Raises
        ------
        TrialError
            If the panel does not hold it.
        """
        if outcome not in self.outcomes:
            raise TrialError(
                f"`outcome` must be one of {sorted(self.outcomes)}, found `{outcome}`. Name it "
                "when the panel is made into arrays."
            )
        return self.outcomes[outcome]


def campaign_panels(*, panel: pd.DataFrame, outcomes: Sequence[str]) -> tuple[CampaignPanel, ...]:
    """Return each campaign's covered weeks as balanced arrays, campaigns in ascending order.

    Together they are the pooled stack. A campaign without a covered week stays, with zero weeks.

    Parameters
    ----------
    panel : DataFrame
        Panel that keeps the contract of ``contracts.panel``.
    outcomes : sequence of str
        Outcomes of the contract, and ``log1p_spend`` = log(1 + max(spend, 0)).

    Raises
    ------
    TrialError
        If an outcome is unknown, or a household lacks a week that its campaign covers.
    """
    if unknown := [name for name in outcomes if name not in (*PANEL_OUTCOMES, LOG_SPEND)]:
        raise TrialError(
            f"`outcomes` must come from {[*PANEL_OUTCOMES, LOG_SPEND]}, found {unknown}."
        )
    stored = [name for name in PANEL_OUTCOMES if name in outcomes or name == "spend_usd"]
    ordered = panel.sort_values(list(PANEL_KEYS), kind="stable")
    return tuple(
        _campaign(name=str(name), rows=rows, stored=stored, outcomes=outcomes)
        for name, rows in ordered.groupby("campaign_id", sort=True)
    )


def _campaign(
    *, name: str, rows: pd.DataFrame, stored: Sequence[str], outcomes: Sequence[str]
) -> CampaignPanel:
    arms = rows.drop_duplicates("household_id")
    covered = rows.loc[rows["is_covered"].to_numpy(dtype=bool)]
    weeks = covered.drop_duplicates("rel_week").sort_values("rel_week")
    shape = (len(arms), len(weeks))
    if len(covered) != shape[0] * shape[1]:
        raise TrialError(
            f"`panel` must hold every household in every covered week of campaign {name}: "
            f"{shape[0]} households x {shape[1]} weeks, found {len(covered)} rows. A household "
            "without a purchase has a row with 0."
        )
    values = {key: covered[key].to_numpy(dtype=np.float64).reshape(shape) for key in stored}
    n_clipped = 0
    if LOG_SPEND in outcomes:
        n_clipped = int((values["spend_usd"] < 0.0).sum())
        values[LOG_SPEND] = np.log1p(np.maximum(values["spend_usd"], 0.0))
    starts = pd.to_datetime(weeks["week_start"]).to_numpy(dtype="datetime64[D]")
    return CampaignPanel(
        campaign=name,
        campaign_type=str(arms["campaign_type"].iloc[0]),
        households=arms["household_id"].to_numpy(dtype=np.int64),
        treatment=arms["treatment"].to_numpy(dtype=np.int64),
        rel_weeks=weeks["rel_week"].to_numpy(dtype=np.int64),
        calendar_weeks=starts.astype(np.int64) // 7,
        outcomes={key: values[key] for key in outcomes},
        n_clipped=n_clipped,
    )
