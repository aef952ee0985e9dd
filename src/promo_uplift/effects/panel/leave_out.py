"""The effect without each household in turn, exactly: whether one big basket makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts, contrasts
from promo_uplift.effects.panel.fixed_effects import within
from promo_uplift.effects.panel.two_by_two import (
    NO_VALID_CAMPAIGN,
    POOLED,
    two_by_two_influence,
)
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels

Estimator = Literal["two_by_two", "twfe"]


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Effects without one household each, outcome unit per household over the effect window.

    Attributes
    ----------
    summary : DataFrame
        One row per campaign and ``pooled``: estimate, its least and largest value without a
        household, the quantiles ``low`` and ``high``, the share that keeps the estimate's sign,
        households, and how many of them cannot be left out (the last of an arm).
    influential : DataFrame
        The households that move the estimate most: rank, id, estimate without them, and shift.
    """

    summary: pd.DataFrame
    influential: pd.DataFrame


def leave_one_household_out(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    estimator: Estimator,
    tail_share: float,
    n_top: int,
) -> LeaveOneOut:
    """Effect without each household (all its campaigns), by campaign and pooled.

    Parameters
    ----------
    panels : sequence of CampaignPanel
        The stack.
    outcome : str
        Name of the outcome.
    window, rules : PanelWindow, PanelRules
        Weeks that are compared, and the least that a campaign needs.
    estimator : str
        ``two_by_two`` or ``twfe``.
    tail_share : float
        Share of households outside each end of the band.
    n_top : int
        Most influential households to name, by campaign.
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    summaries: list[dict[str, object]] = []
    tops: list[pd.DataFrame] = []
    stack = contrasts(panels=valid.panels, outcome=outcome, window=window) if valid.panels else None
    for name in (*(one.campaign for one in panels), POOLED):
        row: dict[str, object] = {"campaign": name, "outcome": outcome, "estimator": estimator}
        if stack is None or name in reasons:
            nothing = {"estimate": float("nan")} | _NOTHING | {"n_households": 0, "n_undefined": 0}
            summaries.append(row | nothing | {"reason": reasons.get(name, NO_VALID_CAMPAIGN)})
            continue
        chosen = stack if name == POOLED else stack.only(stack.campaigns.index(name))
        scale = window.scale(outcome)
        value = scale * full_estimate(stack=chosen, estimator=estimator)
        without = scale * estimates_without(stack=chosen, estimator=estimator)
        summaries.append(row | _summary(value, without, tail_share))
        tops.append(_top(row, value, without, chosen, n_top))
    columns = [*("campaign", "outcome", "estimator"), *_TOP_COLUMNS]
    influential = pd.concat(tops, ignore_index=True) if tops else pd.DataFrame(columns=columns)
    return LeaveOneOut(pd.DataFrame(summaries), influential)


_NOTHING = dict.fromkeys(("min", "low", "high", "max", "same_sign_share"), float("nan"))
_TOP_COLUMNS = ("rank", "household_id", "estimate_without", "shift")


def full_estimate(*, stack: Contrasts, estimator: Estimator) -> float:
    """Effect of the whole stack, outcome unit per week."""
    if estimator == "twfe":
        return within(stack).coefficient
    return two_by_two_influence(stack)[0]


def estimates_without(*, stack: Contrasts, estimator: Estimator) -> FloatArray:
    """Effect without each household, outcome unit per week, ``(H,)``.

    NaN where the household is the last of an arm. Sums over households less the household's own,
    campaign by campaign: no refit, no approximation.
    """
    change = stack.change
    n_treated = stack.treated.sum(axis=0) - stack.treated
    n_control = stack.control.sum(axis=0) - stack.control
    treated = (stack.treated * change).sum(axis=0) - stack.treated * change
    control = (stack.control * change).sum(axis=0) - stack.control * change
    with np.errstate(divide="ignore", invalid="ignore"):
        if estimator == "twfe":
            n = n_treated + n_control
            gain = stack.weight * (treated - n_treated * (treated + control) / n)
            size = stack.weight * n_treated * n_control / n
        else:
            gain = treated - n_treated * control / n_control
            size = n_treated
        # a campaign that loses its last mailed household carries no weight
        gain, size = np.where(n_treated > 0, gain, 0.0), np.where(n_treated > 0, size, 0.0)
        without: FloatArray = gain.sum(axis=1) / size.sum(axis=1)
    return np.where(np.isfinite(without), without, np.nan)


def _summary(value: float, without: FloatArray, tail_share: float) -> dict[str, object]:
    defined = without[np.isfinite(without)]
    counts = {"n_households": len(without), "n_undefined": len(without) - len(defined)}
    if not len(defined):
        return {"estimate": value} | _NOTHING | counts | {"reason": "no_household_can_be_left_out"}
    low, high = np.quantile(defined, [tail_share, 1.0 - tail_share])
    return {
        "estimate": value,
        "min": float(defined.min()),
        "low": float(low),
        "high": float(high),
        "max": float(defined.max()),
        "same_sign_share": float((np.sign(defined) == np.sign(value)).mean()),
        **counts,
        "reason": "",
    }


def _top(
    row: dict[str, object], value: float, without: FloatArray, stack: Contrasts, n_top: int
) -> pd.DataFrame:
    shift = without - value
    order = np.argsort(-np.nan_to_num(np.abs(shift), nan=-1.0), kind="stable")[:n_top]
    order = order[np.isfinite(shift[order])]
    figures = (np.arange(1, len(order) + 1), stack.households[order], without[order], shift[order])
    return pd.DataFrame(row | dict(zip(_TOP_COLUMNS, figures, strict=True)))
