r"""Robust intervals where trends diverge after treatment at most Mbar times as fast as before.

:math:`\Delta^{RM}(\bar M)`: no step :math:`|\delta_{t+1} - \delta_t|` after treatment exceeds
:math:`\bar M` times the largest step before it (Rambachan & Roth 2023, section 2.4.1). The set is a
union of polyhedra, one per pre-treatment step and sign; the interval is the union of theirs, each
found by inverting the hybrid conditional test of Andrews, Roth & Pakes (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr

from promo_uplift.contracts.results import BoolArray, FloatArray, Interval
from promo_uplift.effects.panel.event_study_path import EventStudyPath

_GRID = 1_001
_SEARCH_SE = 20.0
_ANGLES = 1_024
_BISECTIONS = 40
_PARALLEL = 1e-10


@dataclass(frozen=True, slots=True)
class _Polyhedron:
    r"""Vertices of the dual of the test's linear program, as functions of the estimates.

    The test statistic at :math:`\theta` is the largest of ``values + slopes * theta``.
    ``values``, ``slopes`` (k,); ``covariance`` (k, k) of the values; ``critical``: the first
    stage's least favourable critical value.
    """

    values: FloatArray
    slopes: FloatArray
    covariance: FloatArray
    critical: float


def relative_magnitude_interval(
    *,
    path: EventStudyPath,
    weights: FloatArray,
    m: float,
    level: float,
    first_stage_share: float,
) -> Interval:
    r"""Robust interval of :math:`l'\tau_{post}` over :math:`\Delta^{RM}(\bar M)`.

    The conditional test with a least favourable first stage ("C-LF"), on the moments that hold a
    coefficient after treatment. The dual's vertices are known in closed form here, so that the
    statistic, its truncation points and the first stage's critical value need neither a linear
    program nor draws. At :math:`\bar M = 0` the interval is the estimate's own normal interval.

    Parameters
    ----------
    path : EventStudyPath
        Coefficients and covariance.
    weights : float64 (n_post,)
        :math:`l`, not negative.
    m : float
        :math:`\bar M`, not negative.
    level : float
        Coverage, e.g. 0.95.
    first_stage_share : float
        Share of the test's size that its first stage spends (the authors' default: 0.1).

    Returns
    -------
    Interval
        The estimate :math:`l'\hat\beta_{post}`, and the outermost values that are not rejected.
    """
    alpha = 1.0 - level
    first_stage = first_stage_share * alpha
    polyhedra = _polyhedra(path, weights, m, first_stage)
    size = (alpha - first_stage) / (1.0 - first_stage)

    def accepts(theta: FloatArray) -> BoolArray:
        taken = np.zeros(theta.shape, dtype=bool)
        for one in polyhedra:
            taken |= ~_rejects(one, theta, size)
        return taken

    estimate = float(weights @ path.post)
    reach = _reach(path, weights, m)
    grid = np.linspace(estimate - reach, estimate + reach, _GRID)
    inside = np.flatnonzero(accepts(grid))
    low, high = grid[inside[0]], grid[inside[-1]]
    step = grid[1] - grid[0]
    return Interval(
        estimate,
        _boundary(accepts, inner=low, outer=low - step),
        _boundary(accepts, inner=high, outer=high + step),
    )


def _reach(path: EventStudyPath, weights: FloatArray, m: float) -> float:
    """Half the width of the search: the largest bias of the estimates, and far into the tails."""
    largest = float(np.abs(np.diff(np.append(path.pre, 0.0))).max())
    se = float(np.sqrt(weights @ path.covariance[path.n_pre :, path.n_pre :] @ weights))
    times = np.arange(1, path.n_post + 1)
    return m * float(times @ weights) * largest + _SEARCH_SE * se


def _boundary(accepts: Callable[[FloatArray], BoolArray], *, inner: float, outer: float) -> float:
    """Where acceptance ends between an accepted and a rejected value."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (inner + outer)
        if accepts(np.array([middle]))[0]:
            inner = middle
        else:
            outer = middle
    return float(inner)


def _polyhedra(
    path: EventStudyPath, weights: FloatArray, m: float, first_stage: float
) -> list[_Polyhedron]:
    r"""Build the test of each pre-treatment step and sign.

    The moments are :math:`\pm\Delta_t - \bar M v \le 0` with :math:`\Delta_t` the steps after
    treatment and :math:`v` the signed step before it. With :math:`w_t = \sum_{s \ge t} l_s` the
    extreme rays of the dual cone are both signs of one step :math:`t` (which say :math:`v \ge 0`),
    and :math:`\pm w` (which bound :math:`\theta`), each scaled to unit sum of the moments' errors.
    """
    n_pre, k = path.n_pre, len(path.estimates)
    post_steps = np.zeros((path.n_post, k))
    post_steps[:, n_pre:] = np.eye(path.n_post) - np.eye(path.n_post, k=-1)
    pre_steps = np.zeros((n_pre, k))
    pre_steps[:, :n_pre] = np.eye(n_pre, k=1) - np.eye(n_pre)
    ahead = np.cumsum(weights[::-1])[::-1]
    target = np.concatenate([np.zeros(n_pre), weights])
    built = []
    for step in np.vstack([pre_steps, -pre_steps]):
        upper, lower = post_steps - m * step, -post_steps - m * step
        se_upper = np.sqrt(np.einsum("ij,jk,ik->i", upper, path.covariance, upper))
        se_lower = np.sqrt(np.einsum("ij,jk,ik->i", lower, path.covariance, lower))
        sign = -2.0 * m / (se_upper + se_lower)[:, None] * step
        bias = m * ahead.sum() * step
        above, below = 1.0 / (ahead @ se_upper), 1.0 / (ahead @ se_lower)
        rays = np.vstack([sign, above * (target - bias), below * (-target - bias)])
        covariance = rays @ path.covariance @ rays.T
        slopes = np.concatenate([np.zeros(path.n_post), [-above, below]])
        critical = _least_favourable(covariance, first_stage)
        built.append(_Polyhedron(rays @ path.estimates, slopes, covariance, critical))
    return built


def _least_favourable(covariance: FloatArray, size: float) -> float:
    r"""Value that the largest of the vertices' normal errors exceeds with probability ``size``.

    All vertices are functions of two normals (the estimate and the step), so with
    :math:`h(\phi)` the largest at angle :math:`\phi`,
    :math:`P(\max > c) = \frac{1}{2\pi} \int_{h > 0} \exp(-c^2 / 2 h(\phi)^2)\, d\phi`.
    """
    values, vectors = np.linalg.eigh(covariance)
    loadings = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0))
    angle = 2.0 * np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
    radius = np.max(loadings @ np.vstack([np.cos(angle), np.sin(angle)]), axis=0)
    radius = radius[radius > 0.0]

    def excess(c: float) -> float:
        return float(np.exp(-0.5 * (c / radius) ** 2).sum() / _ANGLES - size)

    return float(brentq(excess, 0.0, 10.0 * float(radius.max()), xtol=1e-12))


def _rejects(one: _Polyhedron, theta: FloatArray, size: float) -> BoolArray:
    """Hybrid conditional test of each value: first stage, then the truncated normal."""
    values = one.values[:, None] + one.slopes[:, None] * theta
    best = values.argmax(axis=0)
    eta = values[best, np.arange(len(theta))]
    variance = np.maximum(one.covariance[best, best], np.finfo(float).tiny)
    share = one.covariance[:, best] / variance
    gap = 1.0 - share
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (values - share * eta) / gap
    lower = np.where(gap > _PARALLEL, bound, -np.inf).max(axis=0)
    upper = np.where(gap < -_PARALLEL, bound, np.inf).min(axis=0)
    upper = np.minimum(upper, one.critical)
    se = np.sqrt(variance)
    is_rare = _upper_tail(eta / se, np.minimum(lower, eta) / se, upper / se) < size
    return np.asarray((eta > one.critical) | ((eta > 0.0) & is_rare))


def _upper_tail(x: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """P(Z > x) of a standard normal between ``low`` and ``high``, far in the tails as well."""

    def log_mass(a: FloatArray) -> FloatArray:
        from_a, beyond = log_ndtr(-a), log_ndtr(-high)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(from_a + np.log1p(-np.exp(np.minimum(beyond - from_a, 0.0))))

    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.exp(log_mass(np.minimum(x, high)) - log_mass(low)))
