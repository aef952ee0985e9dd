r"""Robust intervals where the difference in trends bends by at most M a period.

:math:`\Delta^{SD}(M)`: :math:`|(\delta_{t+1} - \delta_t) - (\delta_t - \delta_{t-1})| \le M`
(Rambachan & Roth 2023, section 2.3), with their fixed-length interval (section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr, ndtri
from sklearn.linear_model import lars_path_gram

from promo_uplift.contracts.results import FloatArray, Interval
from promo_uplift.effects.panel.event_study_path import EventStudyPath

_POINTS_PER_SEGMENT = 64
_BISECTIONS = 80


@dataclass(frozen=True, slots=True)
class FixedLengthEstimator:
    r"""The affine estimator with the shortest interval that holds for every trend in the set.

    Attributes
    ----------
    estimate : float
        :math:`l'\hat\beta_{post}` less a weighted average of the slopes before treatment.
    se : float
        Its standard error.
    bias : float
        Its largest bias over :math:`\Delta^{SD}(M)`.
    half_length : float
        ``se`` times the quantile of :math:`|N(bias / se, 1)|`.
    """

    estimate: float
    se: float
    bias: float
    half_length: float

    @property
    def interval(self) -> Interval:
        """The estimator with its interval."""
        return Interval(
            self.estimate, self.estimate - self.half_length, self.estimate + self.half_length
        )


@dataclass(frozen=True, slots=True)
class _Frontier:
    """Estimators from the least bias to the least variance, linear between the knots.

    ``knots`` (k, n_pre - 1): cumulated slope weights; ``free``, ``fixed``: their map to the weights
    of the coefficients before treatment; ``constant``: bias at M = 1 that they cannot move.
    """

    knots: FloatArray
    free: FloatArray
    fixed: FloatArray
    constant: float

    def at(self, *, place: FloatArray) -> FloatArray:
        """Cumulated slope weights at places between 0 and ``k - 1``."""
        left = np.minimum(place.astype(int), max(len(self.knots) - 2, 0))
        right = np.minimum(left + 1, len(self.knots) - 1)
        share = (place - left)[:, None]
        return np.asarray((1.0 - share) * self.knots[left] + share * self.knots[right])


def folded_normal_quantile(*, mean: FloatArray, level: float) -> FloatArray:
    r"""Quantile of :math:`|N(mean, 1)|` at ``level``, elementwise, to machine precision."""
    low = np.zeros_like(mean)
    high = mean + ndtri(0.5 + level / 2.0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        is_below = ndtr(middle - mean) - ndtr(-middle - mean) < level
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(0.5 * (low + high))


def fixed_length_estimator(
    *, path: EventStudyPath, weights: FloatArray, m: float, level: float
) -> FixedLengthEstimator:
    r"""Shortest fixed-length interval of :math:`l'\tau_{post}` over :math:`\Delta^{SD}(M)`.

    The estimator takes a linear extrapolation of the pre-trend off the coefficients,
    :math:`\sum_s w_s (\beta_s - \beta_{s-1})` with :math:`\sum_s w_s = \sum_t t\, l_t`. With
    :math:`u` the cumulated :math:`w` its largest bias is :math:`M (c + \sum_s |u_s|)` and its
    variance is quadratic in :math:`u`, so the candidates are a lasso's path: piecewise linear, and
    the search is along one line.

    At M = 0 this is the best *linear extrapolation* of the pre-trend, not the
    difference-in-differences estimate: that one also assumes that the slope is zero.

    Parameters
    ----------
    path : EventStudyPath
        Coefficients and covariance.
    weights : float64 (n_post,)
        :math:`l`, not negative.
    m : float
        Largest change of slope between two periods, in the outcome's unit per period.
    level : float
        Coverage, e.g. 0.95.
    """
    frontier = _frontier(path, weights)
    last = float(len(frontier.knots) - 1)

    def candidates(place: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        u = frontier.at(place=place)
        pre = u @ frontier.free.T + frontier.fixed
        v = np.column_stack([pre, np.tile(weights, (len(u), 1))])
        se = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", v, path.covariance, v), 0.0))
        return v, se, m * (frontier.constant + np.abs(u).sum(axis=1))

    def half_length(place: FloatArray) -> FloatArray:
        _, se, bias = candidates(place)
        return np.asarray(se * folded_normal_quantile(mean=bias / se, level=level))

    def at_one(place: float) -> float:
        return float(half_length(np.array([place]))[0])

    step = 1.0 / _POINTS_PER_SEGMENT
    grid = np.linspace(0.0, last, int(last) * _POINTS_PER_SEGMENT + 1)
    start = last if m == 0.0 else float(grid[int(np.argmin(half_length(grid)))])
    found = minimize_scalar(
        at_one, bounds=(max(start - step, 0.0), min(start + step, last)), method="bounded"
    )
    best = float(found.x) if last > 0.0 and float(found.fun) < at_one(start) else start
    v, se, bias = candidates(np.array([best]))
    return FixedLengthEstimator(
        float(v[0] @ path.estimates), float(se[0]), float(bias[0]), at_one(best)
    )


def _frontier(path: EventStudyPath, weights: FloatArray) -> _Frontier:
    """Solve for the least variance at each bias: a lasso in the cumulated slope weights."""
    n_pre, n_post = path.n_pre, path.n_post
    times = np.arange(1, n_post + 1)
    target = float(times @ weights)
    step = np.eye(n_pre) - np.eye(n_pre, k=-1)
    free, fixed = (step @ step)[:, :-1], (step @ step)[:, -1] * target
    ahead = sum(abs(float(times[:s] @ weights[n_post - s :])) for s in range(1, n_post + 1))
    if n_pre == 1:
        return _Frontier(np.zeros((1, 0)), free, fixed, ahead)
    pre = path.covariance[:n_pre, :n_pre]
    slope = -free.T @ (pre @ fixed + path.covariance[:n_pre, n_pre:] @ weights)
    gram = free.T @ pre @ free
    scale = float(np.diag(gram).max())
    _, _, knots = lars_path_gram(slope / scale, gram / scale, n_samples=1, method="lasso")
    least = np.linalg.lstsq(gram / scale, slope / scale, rcond=None)[0]
    return _Frontier(np.vstack([knots.T, least]), free, fixed, ahead)
