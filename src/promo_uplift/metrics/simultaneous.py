"""Several figures at once: bands and p-values by the joint distribution of their errors.

Who looks for a star among fourteen learners finds one: with 95 % intervals for each difference,
some interval misses more often than one in twenty times. The largest studentised error of the whole
family decides the width instead (max-t): it knows how alike the learners are, where Bonferroni
counts near copies in full.

References
----------
Romano & Wolf (2005), JASA 100(469), doi:10.1198/016214504000000539; Montiel Olea &
Plagborg-Moller (2019), J. Applied Econometrics 34(1), doi:10.1002/jae.2656.
"""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray


def clustered_covariance(*, influence: FloatArray, groups: IntArray) -> FloatArray:
    r"""Covariance ``(q, q)`` of ``q`` estimates from their influence, summed within households.

    .. math:: \widehat V = \frac{H}{H - 1} \sum_h s_h s_h', \qquad s_h = \sum_{i \in h} \psi_i

    Parameters
    ----------
    influence : float64 (n, q)
        What each row adds to the error of each estimate: its column sums to 0.
    groups : int64 (n,)
        Household of each row.

    Raises
    ------
    MetricError
        If there are fewer than two households.

    References
    ----------
    Liang & Zeger (1986), Biometrika 73(1).
    """
    households, code = np.unique(groups, return_inverse=True)
    size = len(households)
    if size < 2:
        raise MetricError(f"`groups` must hold at least 2 households, found {size}.")
    sums = np.column_stack(
        [np.bincount(code, weights=column, minlength=size) for column in influence.T]
    )
    return np.asarray(size / (size - 1) * (sums.T @ sums), dtype=np.float64)


def standardised_draws(
    *, covariance: FloatArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draw normal numbers ``(draws, q')`` with the covariance's correlation, each of variance 1.

    Estimates without an error (``covariance`` 0) take no part: ``q'`` counts the others.
    """
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0.0
    scale = deviation[varies]
    correlation = covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn: FloatArray = rng.standard_normal((draws, len(scale))) @ root.T
    return drawn


def max_t_quantile(
    *, covariance: FloatArray, level: float, draws: int, rng: np.random.Generator
) -> float:
    """Multiple of the standard errors within which all estimates lie at once (two-sided max-t).

    Parameters
    ----------
    covariance : float64 (q, q)
        Of the estimates.
    level : float
        Probability that every interval holds its truth.
    draws : int
        Gaussian draws.
    rng : Generator
        Their source.

    References
    ----------
    Montiel Olea & Plagborg-Moller (2019), *Journal of Applied Econometrics* 34(1), 1-17.

    Examples
    --------
    >>> import numpy as np
    >>> one = max_t_quantile(
    ...     covariance=np.eye(1), level=0.95, draws=200_000, rng=np.random.default_rng(0)
    ... )
    >>> round(one, 1)
    2.0
    """
    drawn = standardised_draws(covariance=covariance, draws=draws, rng=rng)
    if drawn.shape[1] == 0:
        return 0.0
    return float(np.quantile(np.abs(drawn).max(axis=1), level))


def critical_value_of_draws(*, replicates: FloatArray, level: float) -> float:
    """Critical value for a family of figures from draws that they share.

    Parameters
    ----------
    replicates : float64 (D, 1 + B)
        Each figure on the sample (first) and on each replicate. One without spread is left out.
    level : float
        Probability that all intervals hold.

    Returns
    -------
    float
        Multiple of each figure's own standard deviation over the replicates; 0 where none varies.
    """
    errors = replicates[:, 1:] - replicates[:, :1]
    spread = replicates[:, 1:].std(axis=1, ddof=1)
    varies = spread > 0.0
    if not varies.any():
        return 0.0
    largest = np.abs(errors[varies] / spread[varies, np.newaxis]).max(axis=0)
    return float(np.quantile(largest, level, method="higher"))


def adjusted_p_values(*, statistics: FloatArray, drawn: FloatArray) -> FloatArray:
    """P-value of each statistic among all of them ``(q,)``: how often the largest is as large.

    One-sided for signed ``statistics`` and ``drawn``; two-sided for their absolute values.

    Parameters
    ----------
    statistics : float64 (q,)
        Estimates over their standard errors.
    drawn : float64 (draws, q)
        Of :func:`standardised_draws`.

    References
    ----------
    Westfall & Young (1993), *Resampling-Based Multiple Testing*, single step.
    """
    largest = np.sort(drawn.max(axis=1))
    exceeding = len(largest) - np.searchsorted(largest, statistics, side="left")
    return np.asarray((1.0 + exceeding) / (1.0 + len(largest)), dtype=np.float64)
