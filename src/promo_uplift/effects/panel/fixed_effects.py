"""Two-way fixed effects in closed form on balanced campaigns, and the rows that pyfixest takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts
from promo_uplift.effects.panel.window import PanelWindow

#: Treatment in the weeks from the mailing on: the regressor whose coefficient is the effect.
EXPOSED = "treatment_x_post"


@dataclass(frozen=True, slots=True)
class Within:
    r"""One regressor's two-way within problem, reduced to households x campaigns.

    The demeaned regressor is :math:`\tilde D_{it} = (T_i - \bar T_c)(P_t - \bar P)`, so its product
    with any row is ``weight`` x (demeaned treatment) x (demeaned change).

    Attributes
    ----------
    treatment, change : float64 (H, C)
        Treatment and change less their campaign means; 0 where not in the campaign.
    weighted : float64 (H, C)
        ``treatment`` x the campaign's weight.
    total : float
        Sum of squares of the demeaned regressor.
    coefficient : float
        Outcome unit per week.
    n_units : float64 (C,)
        Households of each campaign.
    """

    treatment: FloatArray
    change: FloatArray
    weighted: FloatArray
    total: float
    coefficient: float
    n_units: FloatArray

    def scores(self, at: float) -> FloatArray:
        """Household sums of regressor x residual if the coefficient were ``at``, ``(H,)``."""
        scores: FloatArray = (self.weighted * (self.change - at * self.treatment)).sum(axis=1)
        return scores

    @property
    def influence(self) -> FloatArray:
        """Each household's part of the coefficient's error, ``(H,)``."""
        return self.scores(self.coefficient) / self.total


def within(stack: Contrasts) -> Within:
    r"""Two-way fixed-effects coefficient of a stack of balanced campaigns, in closed form.

    .. math:: \hat b = \frac{\sum_c w_c \sum_{i \in c} (T_i - \bar T_c) \Delta_i}
       {\sum_c w_c \sum_{i \in c} (T_i - \bar T_c)^2}, \qquad
       w_c = \frac{n_{pre} n_{post}}{n_{pre} + n_{post}}

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1(4).
    """
    present = stack.treated + stack.control
    n_units = present.sum(axis=0)
    treatment = (stack.treated - stack.treated.sum(axis=0) / n_units) * present
    change = (stack.change - (stack.change * present).sum(axis=0) / n_units) * present
    weighted = treatment * stack.weight
    total = float((weighted * treatment).sum())
    return Within(
        treatment=treatment,
        change=change,
        weighted=weighted,
        total=total,
        coefficient=float((weighted * change).sum() / total),
        n_units=n_units,
    )


def long_frame(
    *, panels: Sequence[CampaignPanel], outcomes: Sequence[str], window: PanelWindow
) -> pd.DataFrame:
    """One row per campaign, household and week of the window, as regressions take it.

    ``unit`` is household x campaign, ``period`` campaign x week, as codes.
    """
    parts = []
    n_units = n_periods = 0
    for one in panels:
        kept = window.pre(one.rel_weeks) | window.effect(one.rel_weeks)
        n, n_weeks = len(one.households), int(kept.sum())
        exposed = np.outer(one.treatment, window.effect(one.rel_weeks)[kept])
        rows = {
            "household": np.repeat(one.households, n_weeks),
            "unit": np.repeat(np.arange(n) + n_units, n_weeks),
            "period": np.tile(np.arange(n_weeks) + n_periods, n),
            EXPOSED: exposed.ravel().astype(np.float64),
        }
        rows |= {name: one.values(name)[:, kept].ravel() for name in outcomes}
        parts.append(pd.DataFrame(rows))
        n_units, n_periods = n_units + n, n_periods + n_weeks
    return pd.concat(parts, ignore_index=True)


def cell_design(panels: Sequence[CampaignPanel], window: PanelWindow) -> pd.DataFrame:
    """Distinct rows of the two-way design, by arm and period: its rank is the regression's.

    Columns of one campaign are ``constant``, ``treatment``, ``post`` and ``treatment_x_post``; of
    a stack, the first three by campaign.
    """
    rows: list[dict[str, float]] = []
    for one in panels:
        prefix = f"campaign {one.campaign}: " if len(panels) > 1 else ""
        for treatment in np.unique(one.treatment):
            for post, weeks in enumerate((window.pre, window.effect)):
                if weeks(one.rel_weeks).any():
                    rows.append(
                        {
                            f"{prefix}constant": 1.0,
                            f"{prefix}treatment": float(treatment),
                            f"{prefix}post": float(post),
                            EXPOSED: float(treatment * post),
                        }
                    )
    return pd.DataFrame(rows).fillna(0.0)
