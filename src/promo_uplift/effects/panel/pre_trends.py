"""Whether arms moved in parallel before the mailing, and what a test of it could have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.event_study import REFERENCE_WEEK, EventStudy

#: Smallest eigenvalue of a correlation matrix that is taken as one: below it, weeks repeat others.
_SINGULAR: Final = 1e-10


@dataclass(frozen=True, slots=True)
class DetectableTrend:
    """The linear drift between arms that the test finds with this power.

    Attributes
    ----------
    power : float
        Probability that the test rejects.
    slope : float
        Drift of mailed against unmailed, outcome unit per week and week.
    bias : float
        What it would add to the 2x2 effect, outcome unit per household over the effect window.
    bias_if_passed : float
        The same where the test did not reject: those who passed by luck are not a fair sample.
    """

    power: float
    slope: float
    bias: float
    bias_if_passed: float


@dataclass(frozen=True, slots=True)
class PreTrend:
    """Joint test of no effect before the mailing, and its power against a linear drift.

    Attributes
    ----------
    campaign, outcome : str
        Campaign id as text or ``pooled``; name of the outcome.
    statistic, p_value : float
        Wald statistic and its chi-square p-value.
    n_coefficients : int
        Its degrees of freedom.
    detectable : tuple of DetectableTrend
        One per power that was asked for.
    effect : float
        2x2 effect, outcome unit per household over the effect window.
    slope_of_effect : float
        Drift that alone would make an effect of this size.
    power_at_effect : float
        Probability that the test finds that drift: if it is low, passing says little.
    reason : str
        Why there is no test; empty where there is one.
    """

    campaign: str
    outcome: str
    statistic: float
    p_value: float
    n_coefficients: int
    detectable: tuple[DetectableTrend, ...]
    effect: float
    slope_of_effect: float
    power_at_effect: float
    reason: str = ""


def pre_trend(
    *, study: EventStudy, scale: float, level: float, powers: Sequence[float]
) -> PreTrend:
    r"""Wald test of the coefficients before the mailing, and what it could have detected.

    A drift of slope :math:`\gamma` moves coefficient k by :math:`\delta_k = \gamma (k + 1)`. The
    test rejects with probability :math:`P(\chi^2_K(\delta' \Sigma^{-1} \delta) > c)`; of those that
    pass, :math:`E[\hat\beta_{pre} \mid pass] = \delta\,
    P(\chi^2_{K+2} \le c) / P(\chi^2_K \le c)` with the same noncentrality, from which the bias of
    the effect follows by its covariance with the coefficients before.

    Parameters
    ----------
    study : EventStudy
        Coefficients and covariance.
    scale : float
        Weekly difference -> effect (:meth:`PanelWindow.scale`).
    level : float
        1 less the size of the test.
    powers : sequence of float
        Powers at which the detectable drift is wanted.

    Raises
    ------
    MetricError
        If a power does not lie between the test's size and 1.

    References
    ----------
    Roth (2022), AER: Insights 4(3) (power of pre-trend tests, bias after passing one).
    """
    if wrong := [power for power in powers if not 1.0 - level < power < 1.0]:
        raise MetricError(
            f"`powers` must lie between the test's size {1.0 - level:.3g} and 1, found {wrong}."
        )
    before = study.is_pre
    n = int(before.sum())
    if study.reason or n == 0:
        return _none(study=study, reason=study.reason or "no_coefficient_before_the_mailing")
    sigma = study.covariance[np.ix_(before, before)]
    if _is_singular(sigma):
        return _none(study=study, reason="covariance_not_positive_definite")
    beta = study.coefficients[before]
    statistic = float(beta @ np.linalg.solve(sigma, beta))
    drift = (study.weeks - REFERENCE_WEEK).astype(np.float64)
    per_slope = float(drift[before] @ np.linalg.solve(sigma, drift[before]))
    critical = float(chi2.ppf(level, n))
    weights = study.effect_weights(scale)
    bias = float(weights @ drift)
    by_selection = float(
        weights @ study.covariance[:, before] @ np.linalg.solve(sigma, drift[before])
    )
    effect = float(weights @ study.coefficients)
    slope_of_effect = abs(effect / bias)
    detectable = []
    for power in powers:
        noncentrality = _noncentrality(power=power, n=n, critical=critical)
        slope = float(np.sqrt(noncentrality / per_slope))
        passed = ncx2.cdf(critical, n + 2, noncentrality) / ncx2.cdf(critical, n, noncentrality)
        detectable.append(
            DetectableTrend(
                power,
                slope,
                slope * bias,
                slope * (bias + by_selection * float(passed - 1.0)),
            )
        )
    at_effect = slope_of_effect**2 * per_slope
    return PreTrend(
        campaign=study.campaign,
        outcome=study.outcome,
        statistic=statistic,
        p_value=float(chi2.sf(statistic, n)),
        n_coefficients=n,
        detectable=tuple(detectable),
        effect=effect,
        slope_of_effect=slope_of_effect,
        power_at_effect=float(ncx2.sf(critical, n, at_effect)) if at_effect > 0.0 else 1.0 - level,
    )


def pre_trends_table(tests: Sequence[PreTrend]) -> pd.DataFrame:
    """One row per test; detectable drifts in columns named by their power in percent."""
    rows = []
    for one in tests:
        row: dict[str, object] = {
            "campaign": one.campaign,
            "outcome": one.outcome,
            "statistic": one.statistic,
            "n_coefficients": one.n_coefficients,
            "p_value": one.p_value,
            "effect": one.effect,
            "slope_of_effect": one.slope_of_effect,
            "power_at_effect": one.power_at_effect,
        }
        for drift in one.detectable:
            percent = f"{100.0 * drift.power:.0f}"
            row[f"slope_{percent}"] = drift.slope
            row[f"bias_{percent}"] = drift.bias
            row[f"bias_if_passed_{percent}"] = drift.bias_if_passed
        rows.append(row | {"reason": one.reason})
    table = pd.DataFrame(rows)
    return table[[*table.columns.drop("reason"), "reason"]]


def _noncentrality(*, power: float, n: int, critical: float) -> float:
    """Noncentrality at which a chi-square with ``n`` degrees exceeds ``critical`` that often."""
    high = 1.0
    while ncx2.sf(critical, n, high) < power:
        high *= 2.0
    return float(brentq(lambda value: ncx2.sf(critical, n, value) - power, 1e-12, high))


def _is_singular(sigma: FloatArray) -> bool:
    variance = np.diag(sigma)
    if not (np.isfinite(sigma).all() and (variance > 0.0).all()):
        return True
    correlation = sigma / np.sqrt(np.outer(variance, variance))
    return bool(np.linalg.eigvalsh(correlation)[0] < _SINGULAR)


def _none(*, study: EventStudy, reason: str) -> PreTrend:
    nan = float("nan")
    return PreTrend(study.campaign, study.outcome, nan, nan, 0, (), nan, nan, nan, reason)
