"""Difference in differences of means: mailed against not, after against before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts, contrasts
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels

POOLED = "pooled"
NO_VALID_CAMPAIGN = "no_valid_campaign"


@dataclass(frozen=True, slots=True)
class TwoByTwo:
    """Effects of one outcome by campaign and pooled, and the means that they come from.

    Attributes
    ----------
    estimates : tuple of Estimate
        One per campaign in the given order, then ``pooled``; per household over the effect window.
    cells : DataFrame
        One row per campaign, arm and period: mean, sd (of household-weeks), n_units, n_rows.
    """

    estimates: tuple[Estimate, ...]
    cells: pd.DataFrame


def two_by_two(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    level: float,
) -> TwoByTwo:
    r"""Effect on the mailed (ATT), outcome unit per household over the effect window.

    .. math:: \hat\tau_c = W \left[(\bar y_{1,post} - \bar y_{1,pre})
       - (\bar y_{0,post} - \bar y_{0,pre})\right], \qquad
       \hat\tau = \sum_c n_{1c} \hat\tau_c \Big/ \sum_c n_{1c}

    with weekly means and :math:`W` effect weeks (``log1p_spend``: 1, a mean of weekly log points).
    Pooled weights are the campaigns' mailed households, so that it is the effect on a mailed
    household of the stack; its error carries the weights' own.

    Scope: observational; the arms' outcomes would have moved in parallel without the mailing.

    Parameters
    ----------
    panels : sequence of CampaignPanel
        The stack.
    outcome : str
        Name of the outcome.
    window, rules : PanelWindow, PanelRules
        Weeks that are compared, and the least that a campaign needs.
    level : float
        Confidence level.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), QJE 119(1) (collapse to two periods).
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    cells = cell_means(panels=panels, outcome=outcome, window=window)
    label = Label("panel", "two_by_two", "att", POOLED, outcome)
    if not valid.panels:
        found: dict[str, Estimate] = {}
        pooled = Estimate.none(label=label, reason=NO_VALID_CAMPAIGN)
    else:
        stack = contrasts(panels=valid.panels, outcome=outcome, window=window)
        scale = window.scale(outcome)
        found = {
            name: two_by_two_estimate(
                stack=stack.only(at), label=replace(label, campaign=name), scale=scale, level=level
            )
            for at, name in enumerate(stack.campaigns)
        }
        pooled = two_by_two_estimate(stack=stack, label=label, scale=scale, level=level)
    reasons = dict(valid.reasons)
    by_campaign = [
        found.get(one.campaign)
        or Estimate.none(
            label=replace(label, campaign=one.campaign),
            reason=reasons[one.campaign],
            counts=(len(one.households), int(one.treatment.sum()), len(one.households)),
        )
        for one in panels
    ]
    return TwoByTwo((*by_campaign, pooled), cells)


def two_by_two_estimate(*, stack: Contrasts, label: Label, scale: float, level: float) -> Estimate:
    """Effect on the mailed of this stack, weekly difference x ``scale``."""
    value, influence = two_by_two_influence(stack)
    return estimate_of(
        value=scale * value, influence=scale * influence, stack=stack, label=label, level=level
    )


def two_by_two_influence(stack: Contrasts) -> tuple[float, FloatArray]:
    """Weekly effect on the mailed and each household's part of its error, ``(H,)``."""
    change = stack.change
    n_treated, n_control = stack.treated.sum(axis=0), stack.control.sum(axis=0)
    mean_treated = (stack.treated * change).sum(axis=0) / n_treated
    mean_control = (stack.control * change).sum(axis=0) / n_control
    by_campaign = mean_treated - mean_control
    share = n_treated / n_treated.sum()
    value = float(share @ by_campaign)
    parts = (
        stack.treated * (change - mean_treated) / n_treated
        - stack.control * (change - mean_control) / n_control
    )
    of_weights = stack.treated @ (by_campaign - value) / n_treated.sum()
    return value, parts @ share + of_weights


def estimate_of(
    *, value: float, influence: FloatArray, stack: Contrasts, label: Label, level: float
) -> Estimate:
    """Return an estimate from household influences that are already in the estimate's unit."""
    n = len(influence)
    if n < 2:
        return Estimate.none(label=label, reason="too_few_clusters", counts=stack.counts)
    return Estimate.normal(
        label=label,
        value=value,
        se=float(np.sqrt(n / (n - 1) * np.square(influence).sum())),
        level=level,
        counts=stack.counts,
        influence=pd.Series(influence, index=pd.Index(stack.households, name="household_id")),
    )


def cell_means(
    *, panels: Sequence[CampaignPanel], outcome: str, window: PanelWindow
) -> pd.DataFrame:
    """Mean, sd, units and rows of each campaign x arm x period, outcome unit per week.

    A cell without rows has 0 rows and no mean.
    """
    rows = []
    for one in panels:
        values = one.values(outcome)
        for arm, is_treated in (("treated", True), ("control", False)):
            units = (one.treatment == 1) == is_treated
            for period, weeks in (
                ("pre", window.pre(one.rel_weeks)),
                ("effect", window.effect(one.rel_weeks)),
            ):
                cell = values[np.ix_(units, weeks)].ravel()
                rows.append(
                    {
                        "campaign": one.campaign,
                        "outcome": outcome,
                        "arm": arm,
                        "period": period,
                        "mean": float(cell.mean()) if cell.size else float("nan"),
                        "sd": float(cell.std(ddof=1)) if cell.size > 1 else float("nan"),
                        "n_units": int(units.sum()),
                        "n_rows": int(cell.size),
                    }
                )
    return pd.DataFrame(rows)
