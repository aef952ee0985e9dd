"""One critical value for many differences, so that all their intervals hold at once.

Who looks for a star among fourteen learners finds one: with 95 % intervals for each difference,
some interval misses more often than one in twenty times. The largest studentised error of the whole
family decides the width instead (max-t): it knows how alike the learners are, where Bonferroni
counts near copies in full.

References
----------
Romano & Wolf (2005), JASA 100(469), doi:10.1198/016214504000000539; Montiel Olea &
Plagborg-Møller (2019), J. Applied Econometrics 34(1), doi:10.1002/jae.2656.
"""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray

#: Seeded Gaussian draws of the family's errors: the level is met within 0.2 percentage points.
GAUSSIAN_DRAWS = 20_000


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


def critical_value_of_covariance(
    *, covariance: FloatArray, level: float, rng: np.random.Generator
) -> float:
    """Critical value for a family of jointly normal figures.

    Parameters
    ----------
    covariance : float64 (D, D)
        Of the figures, of any scale. One without variance is left out.
    level : float
        Probability that all intervals hold.
    rng : Generator
        Draws the family's errors.

    Returns
    -------
    float
        Multiple of each figure's own standard error; 0 where none varies.
    """
    variance = np.diag(covariance)
    varies = variance > 0.0
    if not varies.any():
        return 0.0
    scale = np.sqrt(variance[varies])
    correlation = covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    spans = values > values[-1] * np.finfo(np.float64).eps * len(values)
    root = vectors[:, spans] * np.sqrt(values[spans])
    draws = rng.standard_normal((GAUSSIAN_DRAWS, root.shape[1])) @ root.T
    return float(np.quantile(np.abs(draws).max(axis=1), level))
