"""The effect as a ratio: what parallel trends in percent say instead of parallel trends in USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyfixest

from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts, contrasts
from promo_uplift.effects.panel.fixed_effects import EXPOSED, long_frame
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED, estimate_of
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels


@dataclass(frozen=True, slots=True)
class RatioEffects:
    """Poisson estimates of one outcome.

    Attributes
    ----------
    estimates : tuple of Estimate
        By campaign in the given order, then ``pooled``: first ``att_log_ratio`` (log of the ratio
        of mailed to unmailed outcome), then ``att`` (what that ratio means in the outcome's unit
        per household over the effect window).
    n_silent : tuple of (str, int)
        Households of each valid campaign with nothing in the whole window: a ratio of nothing to
        nothing tells nothing, so they carry no weight.
    """

    estimates: tuple[Estimate, ...]
    n_silent: tuple[tuple[str, int], ...]


def poisson_ratio(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    level: float,
) -> RatioEffects:
    r"""Ratio effect by Poisson pseudo-likelihood with household and week effects (fepois).

    .. math:: E[y_{ict}] = \exp(\alpha_{ic} + \gamma_{ct} + b\, T_{ic} P_t), \qquad
       \hat\tau = W \bar y_{1,post} (1 - e^{-\hat b})

    Where arms differ in level, trends cannot be parallel in USD and in percent at once: this
    estimate beside the linear one shows how much that matters.

    References
    ----------
    Wooldridge (2023), Econometrics Journal 26(3); Correia, Guimaraes & Zylkin (2020), Stata J. 20.
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    reasons |= {
        one.campaign: reason
        for one in valid.panels
        if (reason := _why_no_ratio(panel=one, outcome=outcome, window=window))
    }
    usable = [one for one in panels if one.campaign not in reasons]
    estimates: list[Estimate] = []
    for one in panels:
        if one.campaign in reasons:
            counts = (len(one.households), int(one.treatment.sum()), len(one.households))
            estimates += [
                Estimate.none(label=label, reason=reasons[one.campaign], counts=counts)
                for label in _labels(one.campaign, outcome)
            ]
        else:
            estimates += _fit(
                panels=[one], outcome=outcome, window=window, level=level, campaign=one.campaign
            )
    if usable:
        estimates += _fit(
            panels=usable, outcome=outcome, window=window, level=level, campaign=POOLED
        )
    else:
        estimates += [
            Estimate.none(label=label, reason=NO_VALID_CAMPAIGN)
            for label in _labels(POOLED, outcome)
        ]
    silent = tuple(
        (one.campaign, int((~_is_speaking(one, outcome, window)).sum())) for one in usable
    )
    return RatioEffects(tuple(estimates), silent)


def _labels(campaign: str, outcome: str) -> tuple[Label, Label]:
    ratio = "att_log_ratio" if campaign != POOLED else "variance_weighted_log_ratio"
    return (
        Label("panel", "poisson", ratio, campaign, outcome),
        Label("panel", "poisson", "att", campaign, outcome),
    )


def _in_window(panel: CampaignPanel, outcome: str, window: PanelWindow) -> FloatArray:
    weeks = window.pre(panel.rel_weeks) | window.effect(panel.rel_weeks)
    return panel.values(outcome)[:, weeks]


def _is_speaking(panel: CampaignPanel, outcome: str, window: PanelWindow) -> BoolArray:
    speaks: BoolArray = _in_window(panel, outcome, window).sum(axis=1) > 0.0
    return speaks


def _why_no_ratio(*, panel: CampaignPanel, outcome: str, window: PanelWindow) -> str:
    if (_in_window(panel, outcome, window) < 0.0).any():
        return "negative_outcome"
    values = panel.values(outcome)
    weeks = (window.pre(panel.rel_weeks), window.effect(panel.rel_weeks))
    cells = [
        values[np.ix_(panel.treatment == arm, chosen)].sum() for arm in (0, 1) for chosen in weeks
    ]
    return "" if min(cells) > 0.0 else "nothing_in_a_2x2_cell"


def _fit(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    level: float,
    campaign: str,
) -> list[Estimate]:
    rows = long_frame(panels=panels, outcomes=[outcome], window=window)
    total = rows.groupby("unit")[outcome].transform("sum")
    # a week in which nobody buys anything has no finite effect, and no weight either
    busy = rows.groupby("period")[outcome].transform("sum") > 0.0
    model = pyfixest.fepois(
        f"{outcome} ~ {EXPOSED} | unit + period",
        rows.loc[(total > 0.0) & busy],
        vcov={"CRV1": "household"},
        store_data=False,
    )
    stack = contrasts(panels=panels, outcome=outcome, window=window)
    b, se = float(model.coef()[EXPOSED]), float(model.se()[EXPOSED])
    of_ratio = ratio_influence(stack=stack, log_ratio=b)
    ratio_label, level_label = _labels(campaign, outcome)
    ratio = Estimate.normal(
        label=ratio_label,
        value=b,
        se=se,
        level=level,
        counts=stack.counts,
        influence=pd.Series(of_ratio, index=pd.Index(stack.households, name="household_id")),
    )
    n_treated = stack.treated.sum()
    mean = float((stack.treated * stack.after).sum() / n_treated)
    of_mean = (stack.treated * (stack.after - mean)).sum(axis=1) / n_treated
    gain = -np.expm1(-b)
    scale = window.scale(outcome)
    in_level = estimate_of(
        value=scale * mean * gain,
        influence=scale * (gain * of_mean + mean * np.exp(-b) * of_ratio),
        stack=stack,
        label=level_label,
        level=level,
    )
    return [ratio, in_level]


def ratio_influence(*, stack: Contrasts, log_ratio: float) -> FloatArray:
    """Each household's part of the error of the Poisson log ratio, ``(H,)``.

    With household effects a campaign's likelihood is that of its 2x2 table of totals, so the
    weighted two-way residual of the regressor is one number per cell.
    """
    after, before = stack.after * stack.n_effect, stack.before * stack.n_pre
    both = after + before
    totals = [(arm * both).sum(axis=0) for arm in (stack.treated, stack.control)]
    post = after.sum(axis=0)
    expected = _expected_cell(
        row=totals[0], column=post, total=totals[0] + totals[1], log_ratio=log_ratio
    )
    cells = {
        "treated": (expected, totals[0] - expected),
        "control": (post - expected, totals[1] - post + expected),
    }
    inverse = sum(1.0 / cell for arm in cells.values() for cell in arm)
    information = 1.0 / inverse
    score = np.zeros_like(after)
    for arm, total, sign, of_arm in (
        ("treated", totals[0], 1.0, stack.treated),
        ("control", totals[1], -1.0, stack.control),
    ):
        in_post, in_pre = cells[arm]
        surplus = after - both * in_post / total
        score += sign * of_arm * surplus * (1.0 / in_post + 1.0 / in_pre)
    influence: FloatArray = (score * information).sum(axis=1) / information.sum()
    return influence


def _expected_cell(
    *, row: FloatArray, column: FloatArray, total: FloatArray, log_ratio: float
) -> FloatArray:
    """Treated-after cell of 2x2 tables with these margins and this log odds ratio, ``(C,)``."""
    odds = np.exp(log_ratio)
    linear = total - (1.0 - odds) * (row + column)
    product = odds * row * column
    root = np.sqrt(linear**2 + 4.0 * (1.0 - odds) * product)
    cell: FloatArray = 2.0 * product / (linear + root)
    return cell
