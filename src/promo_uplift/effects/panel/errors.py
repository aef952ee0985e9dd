"""One coefficient under several standard errors: how much rests on the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import t as student

from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts, contrasts
from promo_uplift.effects.panel.fixed_effects import Within, within
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED
from promo_uplift.effects.panel.wild import wild_bootstrap
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels

METHODS: Final = ("cluster_household", "hc1", "hc3", "two_way_household_week", "wild_cluster")
#: A leverage this near 1 leaves HC3 without a residual to weigh.
_FULL_LEVERAGE: Final = 1.0 - 1e-8


@dataclass(frozen=True, slots=True)
class ErrorSettings:
    """How errors are computed.

    Attributes
    ----------
    level : float
        Confidence level.
    min_clusters : int
        Fewest clusters, in each direction, for a clustered error.
    reps, seed : int
        Draws of the wild bootstrap and their seed.
    """

    level: float
    min_clusters: int
    reps: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Meat:
    """Sums of squares of regressor x residual, by how rows are grouped."""

    rows: float
    rows_hc3: float
    weeks: float
    household_weeks: float
    n_rows: int
    n_parameters: int
    n_periods: int
    n_weeks: int
    leverage: float


@dataclass(frozen=True, slots=True)
class _Row:
    """Variance of the weekly coefficient under one method."""

    variance: float
    df: int
    n_clusters: int
    reason: str = ""


def error_table(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    settings: ErrorSettings,
) -> pd.DataFrame:
    r"""Return the two-way fixed-effects effect under each standard error, by campaign and pooled.

    One row per campaign (in the given order, then ``pooled``) and method, outcome unit per
    household over the effect window:

    * ``cluster_household``: CRV1, factor :math:`\frac{H}{H-1} \frac{N-1}{N-k}` (k without household
      effects, which are nested in clusters);
    * ``hc1``, ``hc3``: rows as if independent, leverage of the fixed effects included;
    * ``two_way_household_week``: household and calendar week, V_h + V_w - V_hw, factor
      :math:`\frac{G}{G-1} \frac{N-1}{N-2}` of the smaller count G (both effects are nested);
    * ``wild_cluster``: p-value and inverted interval of :func:`wild_bootstrap`; its ``se`` is that
      of ``cluster_household``.

    Intervals of the first four use t with clusters - 1 (rows - k) degrees. A method that cannot
    be had has a reason instead of figures; a wild interval that draws cannot bound is infinite.

    References
    ----------
    Cameron, Gelbach & Miller (2011), JBES 29(2); MacKinnon & White (1985), J. Econometrics 29(3).
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    parts: list[dict[str, object]] = []
    for one in panels:
        if reason := reasons.get(one.campaign, ""):
            parts += _refused(campaign=one.campaign, outcome=outcome, reason=reason)
        else:
            parts += _rows([one], outcome, window, settings, one.campaign)
    if valid.panels:
        parts += _rows(valid.panels, outcome, window, settings, POOLED)
    else:
        parts += _refused(campaign=POOLED, outcome=outcome, reason=NO_VALID_CAMPAIGN)
    return pd.DataFrame(parts)


def _refused(*, campaign: str, outcome: str, reason: str) -> list[dict[str, object]]:
    return [
        _cells(campaign=campaign, outcome=outcome, method=method, reason=reason)
        for method in METHODS
    ]


def _cells(
    *,
    campaign: str,
    outcome: str,
    method: str,
    figures: Mapping[str, float] | None = None,
    counts: tuple[int, int] = (0, 0),
    reason: str = "",
) -> dict[str, object]:
    names = ("estimate", "se", "ci_low", "ci_high", "p_value")
    found = figures or {}
    return {
        "campaign": campaign,
        "outcome": outcome,
        "method": method,
        **{name: found.get(name, float("nan")) for name in names},
        "n_clusters": counts[0],
        "n_draws": counts[1],
        "reason": reason,
    }


def _rows(
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    settings: ErrorSettings,
    campaign: str,
) -> list[dict[str, object]]:
    stack = contrasts(panels=panels, outcome=outcome, window=window)
    fit = within(stack)
    meat = _meat(panels=panels, outcome=outcome, window=window, stack=stack, fit=fit)
    rows = _variances(stack=stack, fit=fit, meat=meat, min_clusters=settings.min_clusters)
    scale = window.scale(outcome)
    value = scale * fit.coefficient
    found = []
    for method, row in rows.items():
        reason = row.reason or ("" if row.variance > 0.0 else "covariance_not_psd")
        figures = None
        if not reason:
            se = scale * float(np.sqrt(row.variance))
            half = float(student.ppf(0.5 + settings.level / 2.0, row.df)) * se
            figures = {
                "estimate": value,
                "se": se,
                "ci_low": value - half,
                "ci_high": value + half,
                "p_value": float(2.0 * student.sf(abs(value) / se, row.df)),
            }
        found.append(
            _cells(
                campaign=campaign,
                outcome=outcome,
                method=method,
                figures=figures,
                counts=(row.n_clusters, 0),
                reason=reason,
            )
        )
    se = scale * float(np.sqrt(rows["cluster_household"].variance))
    found.append(_wild(stack, settings, campaign, outcome, (scale, se)))
    return found


def _wild(
    stack: Contrasts,
    settings: ErrorSettings,
    campaign: str,
    outcome: str,
    scale_and_se: tuple[float, float],
) -> dict[str, object]:
    scale, se = scale_and_se
    n = len(stack.households)
    if n < 2 or se == 0.0:
        reason = "too_few_clusters" if n < 2 else "no_residual"
        return _cells(campaign=campaign, outcome=outcome, method="wild_cluster", reason=reason)
    draw = wild_bootstrap(stack=stack, reps=settings.reps, seed=settings.seed, level=settings.level)
    figures = {
        "estimate": scale * draw.coefficient,
        "se": se,
        "ci_low": scale * draw.ci_low,
        "ci_high": scale * draw.ci_high,
        "p_value": draw.p_value,
    }
    return _cells(
        campaign=campaign,
        outcome=outcome,
        method="wild_cluster",
        figures=figures,
        counts=(draw.n_clusters, draw.n_draws),
    )


def _meat(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    stack: Contrasts,
    fit: Within,
) -> _Meat:
    calendar = np.unique(np.concatenate([one.calendar_weeks[_in(one, window)] for one in panels]))
    crossed = np.zeros((len(stack.households), len(calendar)))
    rows = rows_hc3 = leverage = 0.0
    n_rows = n_units = n_periods = 0
    for column, one in enumerate(panels):
        weeks = _in(one, window)
        row = np.searchsorted(stack.households, one.households)
        post = window.effect(one.rel_weeks)[weeks].astype(np.float64)
        regressor = np.outer(fit.treatment[row, column], post - post.mean())
        residual = _two_way(one.values(outcome)[:, weeks]) - fit.coefficient * regressor
        score = regressor * residual
        n, n_weeks = score.shape
        hat = 1.0 / n + 1.0 / n_weeks - 1.0 / (n * n_weeks) + regressor**2 / fit.total
        leverage = max(leverage, float(hat.max()))
        rows += float(np.square(score).sum())
        if leverage < _FULL_LEVERAGE:
            rows_hc3 += float(np.square(score / (1.0 - hat)).sum())
        at = np.searchsorted(calendar, one.calendar_weeks[weeks])
        crossed[np.ix_(row, at)] += score
        n_rows, n_units, n_periods = n_rows + score.size, n_units + n, n_periods + n_weeks
    return _Meat(
        rows=rows,
        rows_hc3=rows_hc3,
        weeks=float(np.square(crossed.sum(axis=0)).sum()),
        household_weeks=float(np.square(crossed).sum()),
        n_rows=n_rows,
        n_parameters=1 + n_units + n_periods - len(panels),
        n_periods=n_periods,
        n_weeks=len(calendar),
        leverage=leverage,
    )


def _in(panel: CampaignPanel, window: PanelWindow) -> np.ndarray:
    return window.pre(panel.rel_weeks) | window.effect(panel.rel_weeks)


def _two_way(values: FloatArray) -> FloatArray:
    demeaned: FloatArray = (
        values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    )
    return demeaned


def _variances(*, stack: Contrasts, fit: Within, meat: _Meat, min_clusters: int) -> dict[str, _Row]:
    bread = fit.total**-2
    n_households = len(stack.households)
    households = float(np.square(fit.scores(fit.coefficient)).sum())
    fewest = min(n_households, meat.n_weeks)
    small = (meat.n_rows - 1) / (meat.n_rows - 1 - meat.n_periods)
    df_rows = meat.n_rows - meat.n_parameters
    two_way = households + meat.weeks - meat.household_weeks
    return {
        "cluster_household": _Row(
            bread * households * small * _cluster_factor(n_households),
            n_households - 1,
            n_households,
            "too_few_clusters" if n_households < min_clusters else "",
        ),
        "hc1": _Row(bread * meat.rows * meat.n_rows / df_rows, df_rows, meat.n_rows),
        "hc3": _Row(
            bread * meat.rows_hc3,
            df_rows,
            meat.n_rows,
            "full_leverage" if meat.leverage >= _FULL_LEVERAGE else "",
        ),
        "two_way_household_week": _Row(
            bread * two_way * _cluster_factor(fewest) * (meat.n_rows - 1) / (meat.n_rows - 2),
            fewest - 1,
            fewest,
            "too_few_clusters" if fewest < min_clusters else "",
        ),
    }


def _cluster_factor(n: int) -> float:
    return n / (n - 1) if n > 1 else float("nan")
