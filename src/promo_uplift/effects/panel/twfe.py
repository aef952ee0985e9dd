"""Two-way fixed effects: household and week effects, fitted by pyfixest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import pyfixest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.fixed_effects import EXPOSED, cell_design, long_frame, within
from promo_uplift.effects.panel.rank import RankReport, refuse_rank_deficient
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels

#: Largest distance, in standard errors, between the fit and the closed form of a balanced panel:
#: the fit's fixed effects converge to about 1e-8.
_SAME_FIT: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Twfe:
    """Two-way fixed-effects estimates.

    Attributes
    ----------
    estimates : tuple of Estimate
        By campaign in the given order, then ``pooled``; within each, by outcome.
    rank : RankReport or None
        What the pooled design spans; None where no campaign is valid.
    """

    estimates: tuple[Estimate, ...]
    rank: RankReport | None


def twfe(
    *,
    panels: Sequence[CampaignPanel],
    outcomes: Sequence[str],
    window: PanelWindow,
    rules: PanelRules,
    level: float,
) -> Twfe:
    r"""Two-way fixed-effects coefficient, outcome unit per household over the effect window.

    .. math:: y_{ict} = \alpha_{ic} + \gamma_{ct} + b\, T_{ic} P_t + \varepsilon_{ict}, \qquad
       \hat\tau = W \hat b

    (``log1p_spend``: :math:`\hat b`). Of one campaign it is the 2x2 effect (``att``); the pooled
    one weights campaigns by the variance of the treatment in them, so its estimand is named apart
    (``variance_weighted_att``). Treatment turns on at one date in each campaign and the period
    effects are by campaign: no treated household is another's control. Errors are CRV1 by
    household, as pyfixest computes them.

    Raises
    ------
    MetricError
        If the design lacks rank, or the fit differs from its closed form.

    References
    ----------
    Goodman-Bacon (2021), J. Econometrics 225(2); Cengiz et al. (2019), QJE 134(3) (stacking).
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    estimates: list[Estimate] = []
    for one in panels:
        if reason := reasons.get(one.campaign, ""):
            counts = (len(one.households), int(one.treatment.sum()), len(one.households))
            estimates += [
                Estimate.none(label=_label(one.campaign, name, "att"), reason=reason, counts=counts)
                for name in outcomes
            ]
        else:
            estimates += _fit(
                panels=[one], outcomes=outcomes, window=window, level=level, campaign=one.campaign
            )
    if not valid.panels:
        nothing = [
            Estimate.none(
                label=_label(POOLED, name, "variance_weighted_att"), reason=NO_VALID_CAMPAIGN
            )
            for name in outcomes
        ]
        return Twfe((*estimates, *nothing), None)
    rank = refuse_rank_deficient(cell_design(valid.panels, window))
    pooled = _fit(
        panels=valid.panels, outcomes=outcomes, window=window, level=level, campaign=POOLED
    )
    return Twfe((*estimates, *pooled), rank)


def _label(campaign: str, outcome: str, estimand: str) -> Label:
    return Label("panel", "twfe", estimand, campaign, outcome)


def _fit(
    *,
    panels: Sequence[CampaignPanel],
    outcomes: Sequence[str],
    window: PanelWindow,
    level: float,
    campaign: str,
) -> list[Estimate]:
    refuse_rank_deficient(cell_design(panels, window))
    fit = pyfixest.feols(
        f"{' + '.join(outcomes)} ~ {EXPOSED} | unit + period",
        long_frame(panels=panels, outcomes=outcomes, window=window),
        vcov={"CRV1": "household"},
        copy_data=False,
        store_data=False,
    )
    models = fit.to_list() if len(outcomes) > 1 else [fit]
    estimand = "variance_weighted_att" if campaign == POOLED else "att"
    return [
        _estimate(
            model=model,
            panels=panels,
            window=window,
            label=_label(campaign, name, estimand),
            level=level,
        )
        for name, model in zip(outcomes, models, strict=True)
    ]


def _estimate(
    *,
    model: pyfixest.Feols,
    panels: Sequence[CampaignPanel],
    window: PanelWindow,
    label: Label,
    level: float,
) -> Estimate:
    stack = contrasts(panels=panels, outcome=label.outcome, window=window)
    closed = within(stack)
    value, se = float(model.coef()[EXPOSED]), float(model.se()[EXPOSED])
    if abs(value - closed.coefficient) > _SAME_FIT * max(se, abs(closed.coefficient)):
        raise MetricError(
            f"the fit of {label} must equal its closed form on balanced campaigns: {value} "
            f"against {closed.coefficient}. Look for weeks or households that the fit dropped."
        )
    scale = window.scale(label.outcome)
    return Estimate.normal(
        label=label,
        value=scale * value,
        se=scale * se,
        level=level,
        counts=stack.counts,
        influence=pd.Series(
            scale * closed.influence, index=pd.Index(stack.households, name="household_id")
        ),
    )
