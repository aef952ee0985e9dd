"""Leads and lags of the effect, week by week, with their joint covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels

#: The week that all others are compared with: the last whole one before the mailing.
REFERENCE_WEEK: Final = -1


@dataclass(frozen=True, slots=True)
class EventStudy:
    """Weekly effects relative to week -1, outcome unit per household and week.

    Attributes
    ----------
    campaign, outcome : str
        Campaign id as text or ``pooled``; name of the outcome.
    weeks : int64 (K,)
        Weeks relative to the mailing, ascending, without the reference week.
    coefficients : float64 (K,)
        Effect in each week; before the mailing it should be none.
    covariance : float64 (K, K)
        Joint covariance, clustered by household.
    influence : float64 (H, K)
        Each household's part of the coefficients' errors.
    households : int64 (H,)
        Household ids of those rows.
    n_units, n_treated : int
        Household x campaign units, and those mailed.
    left_out : tuple of (str, str)
        Campaigns that the pooled study does not hold, and why.
    reason : str
        Why there is no study; empty where there is one.
    """

    campaign: str
    outcome: str
    weeks: IntArray
    coefficients: FloatArray
    covariance: FloatArray
    influence: FloatArray
    households: IntArray
    n_units: int
    n_treated: int
    left_out: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def is_pre(self) -> BoolArray:
        """Whether each coefficient is of a week before the mailing, ``(K,)``."""
        before: BoolArray = self.weeks < REFERENCE_WEEK
        return before

    @property
    def se(self) -> FloatArray:
        """Standard errors, ``(K,)``."""
        return np.sqrt(np.diag(self.covariance))

    def effect_weights(self, scale: float) -> FloatArray:
        """Return ``(K,)`` weights that make the 2x2 effect of the coefficients.

        The mean over effect weeks less the mean over weeks before, the reference's 0 among them.
        """
        before = self.is_pre
        n_pre = int(before.sum()) + 1
        return scale * np.where(before, -1.0 / n_pre, 1.0 / (~before).sum())


def event_studies(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
) -> tuple[EventStudy, ...]:
    r"""Event study of each campaign in the given order, then ``pooled``.

    .. math:: \hat\beta_{ck} = (\bar y_{1,k} - \bar y_{1,-1}) - (\bar y_{0,k} - \bar y_{0,-1}),
       \qquad \hat\beta_k = \sum_c n_{1c} \hat\beta_{ck} \Big/ \sum_c n_{1c}

    which two-way fixed effects give on a balanced campaign. The pooled one weights campaigns by
    their mailed households, as the pooled 2x2 effect does, and holds the campaigns that cover
    every week of the window, so that its weeks differ in time only and not in campaigns.

    References
    ----------
    Freyaldenhoven, Hansen, Perez & Shapiro (2021), NBER WP 29170; Sun & Abraham (2021).
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    reasons |= {
        one.campaign: "reference_week_not_covered"
        for one in valid.panels
        if REFERENCE_WEEK not in one.rel_weeks
    }
    studies = [
        _none(campaign=one.campaign, outcome=outcome, reason=reasons[one.campaign])
        if one.campaign in reasons
        else _study(panels=[one], outcome=outcome, window=window, campaign=one.campaign)
        for one in panels
    ]
    n_weeks = window.pre_weeks + window.effect_weeks
    usable = [one for one in panels if one.campaign not in reasons]
    whole = [one for one in usable if len(_weeks(one, window)) == n_weeks - 1]
    held = {one.campaign for one in whole}
    left_out = tuple(
        (one.campaign, reasons.get(one.campaign, "window_not_covered_whole"))
        for one in panels
        if one.campaign not in held
    )
    if not whole:
        pooled = _none(
            campaign=POOLED, outcome=outcome, reason=NO_VALID_CAMPAIGN, left_out=left_out
        )
    else:
        pooled = _study(
            panels=whole, outcome=outcome, window=window, campaign=POOLED, left_out=left_out
        )
    return (*studies, pooled)


def event_study_table(*, studies: Sequence[EventStudy], level: float) -> pd.DataFrame:
    """One row per study and week: estimate, se, pointwise interval; a study without one: why.

    The reference week has no row: its coefficient is 0 by definition.
    """
    critical = float(norm.ppf(0.5 + level / 2.0))
    parts = []
    for one in studies:
        rows: dict[str, object] = {
            "campaign": one.campaign,
            "outcome": one.outcome,
            "rel_week": one.weeks,
            "estimate": one.coefficients,
            "se": one.se,
            "ci_low": one.coefficients - critical * one.se,
            "ci_high": one.coefficients + critical * one.se,
            "n_units": one.n_units,
            "n_treated": one.n_treated,
            "n_households": len(one.households),
            "reason": one.reason,
        }
        if one.reason:
            nothing = [float("nan")]
            rows |= {"rel_week": [REFERENCE_WEEK], "estimate": nothing, "se": nothing}
            rows |= {"ci_low": nothing, "ci_high": nothing}
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def _weeks(panel: CampaignPanel, window: PanelWindow) -> IntArray:
    kept = window.pre(panel.rel_weeks) | window.effect(panel.rel_weeks)
    weeks: IntArray = panel.rel_weeks[kept & (panel.rel_weeks != REFERENCE_WEEK)]
    return weeks


def _study(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    campaign: str,
    left_out: tuple[tuple[str, str], ...] = (),
) -> EventStudy:
    weeks = _weeks(panels[0], window)
    households = np.unique(np.concatenate([one.households for one in panels]))
    n_treated = sum(int(one.treatment.sum()) for one in panels)
    by_campaign = np.zeros((len(panels), len(weeks)))
    influence = np.zeros((len(households), len(weeks)))
    treated = np.zeros((len(households), len(panels)))
    for at, one in enumerate(panels):
        row = np.searchsorted(households, one.households)
        values = one.values(outcome)
        change = (
            values[:, np.searchsorted(one.rel_weeks, weeks)]
            - values[:, [np.searchsorted(one.rel_weeks, REFERENCE_WEEK)]]
        )
        is_treated = one.treatment == 1
        means = (change[is_treated].mean(axis=0), change[~is_treated].mean(axis=0))
        by_campaign[at] = means[0] - means[1]
        share = is_treated.sum() / n_treated
        influence[row] += share * np.where(
            is_treated[:, None],
            (change - means[0]) / is_treated.sum(),
            -(change - means[1]) / (~is_treated).sum(),
        )
        treated[row, at] = one.treatment
    coefficients = treated.sum(axis=0) @ by_campaign / n_treated
    influence += treated @ (by_campaign - coefficients) / n_treated
    n = len(households)
    return EventStudy(
        campaign=campaign,
        outcome=outcome,
        weeks=weeks,
        coefficients=coefficients,
        covariance=n / (n - 1) * influence.T @ influence,
        influence=influence,
        households=households,
        n_units=sum(len(one.households) for one in panels),
        n_treated=n_treated,
        left_out=left_out,
    )


def _none(
    *, campaign: str, outcome: str, reason: str, left_out: tuple[tuple[str, str], ...] = ()
) -> EventStudy:
    empty = np.zeros(0)
    return EventStudy(
        campaign=campaign,
        outcome=outcome,
        weeks=np.zeros(0, dtype=np.int64),
        coefficients=empty,
        covariance=np.zeros((0, 0)),
        influence=np.zeros((0, 0)),
        households=np.zeros(0, dtype=np.int64),
        n_units=0,
        n_treated=0,
        left_out=left_out,
        reason=reason,
    )
