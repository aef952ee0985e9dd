"""Calibration of frozen predictions on the campaigns after them: level, slope, and their trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.simultaneous import clustered_covariance


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predicted against found effects of one campaign, or of all.

    Attributes
    ----------
    predicted : float
        Mean prediction, USD per household.
    found : Interval
        Mean doubly robust score: the average effect, USD per household.
    gap : Interval
        Found minus predicted; 0 is calibrated.
    slope : Interval
        Slope of the scores on the prediction, USD per USD; 1 is calibrated. NaN where one effect is
        predicted for all.
    intercept : Interval
        Found effect where 0 is predicted, USD; 0 is calibrated. NaN as the slope.
    n, n_households : int
        Rows and households.
    """

    predicted: float
    found: Interval
    gap: Interval
    slope: Interval
    intercept: Interval
    n: int
    n_households: int


@dataclass(frozen=True, slots=True)
class CalibrationDrift:
    """Calibration of each campaign in the order of time, of all, and its trend.

    Attributes
    ----------
    campaigns : tuple of int
        In the order of time.
    each : tuple of Calibration
        Of each campaign.
    pooled : Calibration
        Of all; one slope for all, on the prediction centred within its campaign.
    gap_trend, slope_trend : Interval
        Change of gap and slope from one campaign to the next; NaN with fewer than two campaigns in
        which they are defined.
    p_values : dict of float
        ``level`` (pooled gap is 0), ``slope`` (pooled slope is 1), ``level_trend``,
        ``slope_trend`` (no change); those that are undefined are left out.
    level : float
        Confidence level of the intervals.
    """

    campaigns: tuple[int, ...]
    each: tuple[Calibration, ...]
    pooled: Calibration
    gap_trend: Interval
    slope_trend: Interval
    p_values: dict[str, float]
    level: float


@dataclass(frozen=True, slots=True)
class _Figures:
    """Estimates ``(q,)`` and what each row adds to the error of each, ``(n, q)``."""

    estimates: FloatArray
    influence: FloatArray


#: Figures of one part, in the order of their columns.
_FOUND, _GAP, _SLOPE, _INTERCEPT = range(4)


def calibration_drift(
    *,
    scores: FloatArray,
    predicted: FloatArray,
    campaign: IntArray,
    order: Sequence[int],
    groups: IntArray,
    level: float,
) -> CalibrationDrift:
    r"""Calibration of predictions that were made before each campaign, and its change over time.

    Per campaign, :math:`\Gamma = \alpha + \beta \hat\tau + \epsilon`, with the household sandwich.
    Pooled, :math:`\beta = \sum \tilde\tau\,\Gamma / \sum \tilde\tau^2` with
    :math:`\tilde\tau` centred within its campaign, and the gap is the mean of
    :math:`\Gamma - \hat\tau` over all rows. A trend is the slope of the campaigns' figures on their
    position in time, weighted by inverse variance; its error carries the covariance between
    campaigns, which share households.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores, USD per household, of nuisances that did not see the row.
    predicted : float64 (n,)
        Effect predicted before the row's campaign, USD per household.
    campaign : int64 (n,)
        Campaign of each row.
    order : sequence of int
        The campaigns in the order of time.
    groups : int64 (n,)
        Household of each row.
    level : float
        Confidence level.

    Raises
    ------
    MetricError
        If an input is not finite, ``order`` names other campaigns than ``campaign``, or there are
        fewer than two households.

    Notes
    -----
    Scope: predictions are frozen, so nothing is learnt from the scores; intervals are normal and
    conditional on the predictions. Valid as far as the scores are.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4) (the best linear
    predictor); Liang & Zeger (1986), Biometrika 73(1).
    """
    _validate(scores=scores, predicted=predicted, campaign=campaign, order=order)
    parts = [np.flatnonzero(campaign == one) for one in order]
    centred = np.empty_like(predicted)
    for rows in parts:
        centred[rows] = predicted[rows] - predicted[rows].mean()
        if np.ptp(predicted[rows]) == 0.0:
            centred[rows] = 0.0
    figures = [
        _figures(scores=scores, predicted=predicted, centred=centred, parts=within)
        for within in ([rows] for rows in parts)
    ]
    pooled = _figures(scores=scores, predicted=predicted, centred=centred, parts=parts)
    estimates = np.concatenate([one.estimates for one in (*figures, pooled)])
    covariance = clustered_covariance(
        influence=np.column_stack([one.influence for one in (*figures, pooled)]), groups=groups
    )
    errors = np.sqrt(np.diag(covariance)).reshape(-1, 4)
    half = float(norm.ppf(0.5 + level / 2.0))
    everyone = np.arange(len(scores))
    calibrations = [
        _calibration(values, error, half, predicted[rows], groups[rows])
        for values, error, rows in zip(
            estimates.reshape(-1, 4), errors, (*parts, everyone), strict=True
        )
    ]
    size = 4 * len(parts)
    each, joint = estimates[:size].reshape(-1, 4), covariance[:size, :size]
    gap_trend = _trend(values=each[:, _GAP], covariance=joint[_GAP::4, _GAP::4])
    slope_trend = _trend(values=each[:, _SLOPE], covariance=joint[_SLOPE::4, _SLOPE::4])
    tested = {
        "level": (pooled.estimates[_GAP], errors[-1, _GAP]),
        "slope": (pooled.estimates[_SLOPE] - 1.0, errors[-1, _SLOPE]),
        "level_trend": gap_trend,
        "slope_trend": slope_trend,
    }
    return CalibrationDrift(
        campaigns=tuple(int(one) for one in order),
        each=tuple(calibrations[:-1]),
        pooled=calibrations[-1],
        gap_trend=_interval(*gap_trend, half),
        slope_trend=_interval(*slope_trend, half),
        p_values={
            name: float(2.0 * norm.sf(abs(value) / error))
            for name, (value, error) in tested.items()
            if np.isfinite(value) and error > 0.0
        },
        level=level,
    )


def _validate(
    *, scores: FloatArray, predicted: FloatArray, campaign: IntArray, order: Sequence[int]
) -> None:
    for name, values in (("scores", scores), ("predicted", predicted)):
        n_bad = int(np.sum(~np.isfinite(values)))
        if n_bad or len(values) != len(campaign):
            raise MetricError(
                f"`{name}` must hold a finite number for each of the {len(campaign)} rows; found "
                f"{len(values)}, of which {n_bad} are not finite."
            )
    found = np.unique(campaign).tolist()
    if sorted(order) != found:
        raise MetricError(
            f"`order` must name each campaign of the rows once, found {list(order)} for rows of "
            f"{found}."
        )


def _figures(
    *,
    scores: FloatArray,
    predicted: FloatArray,
    centred: FloatArray,
    parts: Sequence[IntArray],
) -> _Figures:
    """Mean, gap, slope and intercept of the rows of ``parts``, one slope for all of them."""
    rows = np.concatenate(parts)
    n = len(rows)
    own, effect, spread = scores[rows], predicted[rows], centred[rows]
    around = np.concatenate([scores[part] - scores[part].mean() for part in parts])
    found, gap = own.mean(), (own - effect).mean()
    slope = intercept = np.nan
    influence = np.zeros((len(scores), 4))
    influence[rows, _FOUND] = (own - found) / n
    influence[rows, _GAP] = (own - effect - gap) / n
    square = float((spread * spread).sum())
    if square > 0.0:
        slope = float((spread * around).sum()) / square
        intercept = found - slope * effect.mean()
        bent = spread * (around - slope * spread) / square
        influence[rows, _SLOPE] = bent
        influence[rows, _INTERCEPT] = (own - slope * effect - intercept) / n - effect.mean() * bent
    return _Figures(np.array([found, gap, slope, intercept]), influence)


def _calibration(
    values: FloatArray, error: FloatArray, half: float, predicted: FloatArray, groups: IntArray
) -> Calibration:
    found, gap, slope, intercept = (
        _interval(float(value), float(se), half) for value, se in zip(values, error, strict=True)
    )
    return Calibration(
        predicted=float(predicted.mean()),
        found=found,
        gap=gap,
        slope=slope,
        intercept=intercept,
        n=len(predicted),
        n_households=len(np.unique(groups)),
    )


def _interval(value: float, error: float, half: float) -> Interval:
    return Interval(value, value - half * error, value + half * error)


def _trend(*, values: FloatArray, covariance: FloatArray) -> tuple[float, float]:
    """Weighted slope on the position in time, and its error; NaN with fewer than two values."""
    variance = np.diag(covariance)
    place = np.flatnonzero(np.isfinite(values) & (variance > 0.0))
    if len(place) < 2:
        return float("nan"), float("nan")
    weight = 1.0 / variance[place]
    away = place - np.average(place, weights=weight)
    contrast = weight * away / (weight * away**2).sum()
    error = np.sqrt(contrast @ covariance[np.ix_(place, place)] @ contrast)
    return float(contrast @ values[place]), float(error)
