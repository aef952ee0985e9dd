"""Wild cluster bootstrap of the two-way fixed-effects coefficient, by household."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.contrasts import Contrasts
from promo_uplift.effects.panel.fixed_effects import within

#: Relative room in which two t-statistics are the same: far above rounding.
_TIE: Final = 1e-10
#: How often a bracket doubles (from one standard error) before an interval counts as unbounded.
_DOUBLINGS: Final = 30
#: Halvings of a bracket: its end is then exact to 1e-12 of its width.
_HALVINGS: Final = 40


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """Bootstrap test of no effect and the interval that its inversion gives.

    Attributes
    ----------
    coefficient, se : float
        Coefficient per week, and the household-clustered error by which it is studentised
        (without factors for the sample's size: they cancel).
    p_value : float
        Symmetric two-sided p-value of no effect.
    ci_low, ci_high : float
        Values that the test does not reject; infinite where the draws cannot bound them.
    n_clusters, n_draws : int
        Households, and sign patterns that were drawn.
    is_enumerated : bool
        Whether those are all sign patterns that there are.
    """

    coefficient: float
    se: float
    p_value: float
    ci_low: float
    ci_high: float
    n_clusters: int
    n_draws: int
    is_enumerated: bool


def wild_bootstrap(*, stack: Contrasts, reps: int, seed: int, level: float) -> WildBootstrap:
    r"""Wild cluster restricted bootstrap with Rademacher signs, outcome unit per week.

    Residuals are those under the hypothesis that is tested; each draw turns the signs of whole
    households and fits fixed effects, coefficient and clustered error again. On balanced campaigns
    all of that is linear in household sums, so a draw costs a product of small matrices, and a
    draw's t-statistic under another hypothesis b is a ratio of polynomials in b: the interval is
    inverted exactly, without new draws.

    .. math:: p = \frac{1 + \#\{|t^*| \ge |t|\}}{1 + B}

    or, where :math:`2^H \le B`, the share among all :math:`2^H` patterns.

    Parameters
    ----------
    stack : Contrasts
        One campaign or a stack.
    reps : int
        Sign patterns to draw.
    seed : int
        Their seed.
    level : float
        Confidence level.

    Raises
    ------
    MetricError
        If there are fewer than two households or draws, or residuals vanish.

    References
    ----------
    Cameron, Gelbach & Miller (2008), REStat 90(3); Roodman, MacKinnon, Nielsen & Webb (2019),
    Stata J. 19(1); Davison & Hinkley (1997), 4.2.
    """
    n_clusters = len(stack.households)
    if n_clusters < 2 or reps < 2:
        raise MetricError(
            f"`stack` must hold two households and `reps` be at least 2, found {n_clusters} and "
            f"{reps}."
        )
    fit = within(stack)
    norm = float(np.linalg.norm(fit.scores(fit.coefficient)))
    if norm == 0.0:
        raise MetricError("`stack` must leave residuals; the outcome is fitted exactly.")
    is_enumerated = n_clusters < 63 and 2**n_clusters <= reps
    signs = _signs(n_clusters=n_clusters, reps=reps, seed=seed, is_enumerated=is_enumerated)
    statistic = _statistics(stack=stack, signs=signs)

    n_draws = signs.shape[1]

    def p_value(at: float) -> float:
        observed = abs(fit.coefficient - at) * fit.total / norm
        beyond = int((statistic(at) >= observed * (1.0 - _TIE)).sum())
        share = beyond / n_draws if is_enumerated else (1 + beyond) / (1 + n_draws)
        return float(share)

    se = norm / fit.total
    bounds = [
        _bound(p_value=p_value, start=fit.coefficient, step=side * se, size=1.0 - level)
        for side in (-1.0, 1.0)
    ]
    return WildBootstrap(
        coefficient=fit.coefficient,
        se=se,
        p_value=p_value(0.0),
        ci_low=bounds[0],
        ci_high=bounds[1],
        n_clusters=n_clusters,
        n_draws=n_draws,
        is_enumerated=is_enumerated,
    )


def _signs(*, n_clusters: int, reps: int, seed: int, is_enumerated: bool) -> FloatArray:
    """Rademacher signs ``(H, B)``."""
    if is_enumerated:
        return np.array(list(product((-1.0, 1.0), repeat=n_clusters))).T
    drawn = np.random.default_rng(seed).integers(0, 2, size=(n_clusters, reps))
    return (2 * drawn - 1).astype(np.float64)


def _statistics(*, stack: Contrasts, signs: FloatArray) -> Callable[[float], FloatArray]:
    """Return b -> absolute t-statistics ``(B,)`` of all draws under the hypothesis b."""
    fit = within(stack)
    squares = (fit.weighted * fit.treatment).sum(axis=1)

    def drawn(residual: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = (fit.weighted * residual).sum(axis=1)
        gap = scores @ signs / fit.total
        # the draw's own period effects: campaign means of the residuals with turned signs
        means = (residual.T @ signs) / fit.n_units[:, None]
        again = signs * scores[:, None] - fit.weighted @ means - np.outer(squares, gap)
        return gap, again

    gap_y, again_y = drawn(fit.change)
    gap_d, again_d = drawn(fit.treatment)
    constant = np.square(again_y).sum(axis=0)
    linear = (again_y * again_d).sum(axis=0)
    quadratic = np.square(again_d).sum(axis=0)

    def statistic(at: float) -> FloatArray:
        spread = np.sqrt(np.maximum(constant - 2.0 * at * linear + at**2 * quadratic, 0.0))
        gap = np.abs(gap_y - at * gap_d) * fit.total
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = gap / spread
        # a draw without residuals is infinitely far from a hypothesis that it misses
        found: FloatArray = np.where(spread > 0.0, ratio, np.where(gap > 0.0, np.inf, 0.0))
        return found

    return statistic


def _bound(*, p_value: Callable[[float], float], start: float, step: float, size: float) -> float:
    """Return where the p-value falls to ``size`` on one side; infinite if it does not."""
    inside, outside = start, start + step
    for _ in range(_DOUBLINGS):
        if p_value(outside) <= size:
            break
        inside, outside = outside, start + 2.0 * (outside - start)
    else:
        return float(np.copysign(np.inf, step))
    for _ in range(_HALVINGS):
        middle = 0.5 * (inside + outside)
        if p_value(middle) <= size:
            outside = middle
        else:
            inside = middle
    return inside
