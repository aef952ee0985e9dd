r"""Held-out folds are not independent of each other, and how much wider that makes an interval.

A fold's ranking is learned from the other folds and valued on its own. So the noise of rows
:math:`i` and :math:`j` of two folds meets twice: :math:`j`'s helps to rank :math:`i`, and
:math:`i`'s helps to rank :math:`j`. Where there is nothing to rank by, the two products are the
same random number, and a variance that takes predictions as given counts it half as often as it
occurs. Sequential validation pays for this with data; here the interval pays with width.

For a figure :math:`\frac1n\sum_i g(U_i)\,\Gamma_i`, with :math:`U` the rank of the prediction in
its fold (1 is highest) and a ranking that is the sum of many rows' noise, the variance is

.. math::

    1 + \Big(\int_0^1 g(u)\,\Phi^{-1}(u)\,du\Big)^2 \Big/ \int_0^1 g(u)^2\,du

times the naive one: only the part of the weight that is linear in the others' noise is shared. It
is :math:`1 + 3/\pi` for Qini and 2 for the slope on the prediction itself. With a signal the shared
part fades and the naive variance is right, so the factor is an upper bound.

References
----------
Luedtke & van der Laan (2016), *Annals of Statistics* 44(2), 713-742; Wager (2024), *Sequential
Validation of Treatment Heterogeneity*, arXiv:2405.05534 (the problem, and the price in data).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray

#: Of a figure that weighs by the prediction itself: the slope on it.
SLOPE_FACTOR = math.sqrt(2.0)
#: Of the area between a gain curve and its chord, and of differences between areas.
QINI_FACTOR = math.sqrt(1.0 + 3.0 / math.pi)
#: Of the area under a gain curve, most of which ranks nobody.
AUUC_FACTOR = math.sqrt(1.0 + 3.0 / (4.0 * math.pi))


def dependence_factor(weight: Callable[[float], float]) -> float:
    """Factor on the standard error of a figure with rank weight ``weight``, in [1, sqrt(2)].

    Parameters
    ----------
    weight : callable
        Weight of a row by its rank in (0, 1), 1 = highest prediction.

    Examples
    --------
    >>> round(dependence_factor(lambda rank: rank - 0.5) ** 2, 4)
    1.9549
    """
    shared, _ = quad(lambda z: weight(float(norm.cdf(z))) * z * norm.pdf(z), -8.0, 8.0, limit=200)
    square, _ = quad(lambda z: weight(float(norm.cdf(z))) ** 2 * norm.pdf(z), -8.0, 8.0, limit=200)
    return math.sqrt(1.0 + shared**2 / square)


def _autoc_weight(rank: float) -> float:
    return -math.log(max(1.0 - rank, np.finfo(np.float64).tiny)) - 1.0


def autoc_factor() -> float:
    """Factor of the area under the targeting operator characteristic."""
    return dependence_factor(_autoc_weight)


def group_factor(*, low: float, high: float) -> float:
    r"""Factor of the mean over the rows whose rank lies between ``low`` and ``high``.

    :math:`1 + (\varphi(z_{low}) - \varphi(z_{high}))^2 / (high - low)` of the variance: 1.18 for
    the standard error of an outer quintile, 1 for the middle one.

    Parameters
    ----------
    low, high : float
        Ranks, ``0 <= low < high <= 1``; 1 = highest prediction.

    Examples
    --------
    >>> round(group_factor(low=0.8, high=1.0), 3)
    1.18
    >>> group_factor(low=0.0, high=1.0)
    1.0
    """
    shared = float(norm.pdf(norm.ppf(low)) - norm.pdf(norm.ppf(high)))
    return math.sqrt(1.0 + shared**2 / (high - low))


def contrast_factor(*, share: float) -> float:
    r"""Factor of the mean over the top ``share`` minus the mean over the bottom ``share``.

    :math:`1 + 2 \varphi(z)^2 / share` of the variance, :math:`z = \Phi^{-1}(1 - share)`: 1.34 for
    the standard error between the outer quintiles.

    Parameters
    ----------
    share : float
        Of the rows, at most a half.

    Examples
    --------
    >>> round(contrast_factor(share=0.2), 3)
    1.336
    """
    shared = float(norm.pdf(norm.ppf(1.0 - share)))
    return math.sqrt(1.0 + 2.0 * shared**2 / share)


def top_minus_all_factor(*, share: float) -> float:
    r"""Factor of the mean over the top ``share`` minus the mean over all: a point of the TOC.

    :math:`1 + \varphi(z)^2 / (share (1 - share))` of the variance.

    Parameters
    ----------
    share : float
        Of the rows, strictly between 0 and 1.

    Examples
    --------
    >>> round(top_minus_all_factor(share=0.5), 3)
    1.279
    """
    shared = float(norm.pdf(norm.ppf(1.0 - share)))
    return math.sqrt(1.0 + shared**2 / (share * (1.0 - share)))


def choice_factor(*, n_folds: int) -> float:
    r"""Factor of a value whose rule is chosen for each fold on the others, in [1.15, ...).

    :math:`1 + (K - 1) / (\pi \sqrt{2K - 3})` of the variance, where all rows of a fold are taken or
    none by the sign of the other folds' sum, and there is nothing to choose by: the covariance of
    two folds' terms is :math:`\sigma^4` times the density of their two sums at 0 (Stein's lemma). A
    choice among more rules, or with a signal, shares less or about as much.

    Parameters
    ----------
    n_folds : int
        Number of folds ``K``, at least 2.

    Examples
    --------
    >>> round(choice_factor(n_folds=5), 3)
    1.217
    """
    return math.sqrt(1.0 + (n_folds - 1) / (math.pi * math.sqrt(2 * n_folds - 3)))


def widened(*, values: FloatArray, factor: float) -> FloatArray:
    """Replicates moved away from the figure on the sample (their first entry) by ``factor``."""
    moved: FloatArray = values[0] + factor * (values - values[0])
    return moved
