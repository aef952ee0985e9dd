"""Means whose errors respect that one household appears in several campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval

MIN_CLUSTERS = 2


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean with its sandwich error over household sums, in the values' unit.

    Attributes
    ----------
    estimate : float
        The mean.
    se : float
        Standard error, clustered by household.
    n, n_clusters : int
        Rows and households that carry it.
    """

    estimate: float
    se: float
    n: int
    n_clusters: int

    def interval(self, *, level: float) -> Interval:
        """Return the normal interval at confidence ``level``, in the values' unit."""
        half = float(norm.ppf(0.5 + level / 2.0)) * self.se
        return Interval(self.estimate, self.estimate - half, self.estimate + half)


def clustered_mean(
    *, values: FloatArray, groups: IntArray, weights: FloatArray | None = None
) -> ClusteredMean:
    r"""Mean of ``values``, in their unit, with a household-sum sandwich error.

    .. math:: \hat\theta = \sum_i \psi_i / \sum_i w_i, \qquad
       \widehat{se}^2 = \frac{H}{H - 1}
       \frac{\sum_h \left(\sum_{i \in h} \psi_i - \hat\theta w_i\right)^2}{(\sum_i w_i)^2}

    Without weights :math:`w_i = 1`. With them ``values`` are the numerators :math:`\psi_i`, so
    the ratio's own variance is carried.

    Parameters
    ----------
    values : float64 (n,)
        Values, or numerators of a ratio of means.
    groups : int64 (n,)
        Household of each row: the cluster.
    weights : float64 (n,), optional
        Denominators of a ratio of means.

    Raises
    ------
    MetricError
        If fewer than two households carry the mean, a value is not finite, or the weights add
        up to nothing.

    References
    ----------
    Liang & Zeger (1986), Biometrika 73(1); Cameron & Miller (2015), J. Human Resources 50(2).

    Examples
    --------
    >>> import numpy as np
    >>> clustered_mean(values=np.array([1.0, 3.0]), groups=np.array([7, 8])).se
    1.0
    """
    denominators = np.ones_like(values) if weights is None else weights
    broken = int(np.sum(~np.isfinite(values)) + np.sum(~np.isfinite(denominators)))
    if broken:
        raise MetricError(
            f"`values` must be finite; {broken} of {len(values)} are not. Look for missing "
            "outcomes or nuisances upstream."
        )
    households, code = np.unique(groups, return_inverse=True)
    if len(households) < MIN_CLUSTERS:
        raise MetricError(
            f"`groups` must hold at least {MIN_CLUSTERS} households for a clustered error, "
            f"found {len(households)}."
        )
    total = float(denominators.sum())
    if total <= 0.0:
        raise MetricError(f"`weights` must add up to more than 0, got {total}.")
    estimate = float(values.sum()) / total
    sums = np.bincount(code, weights=values - estimate * denominators, minlength=len(households))
    n_clusters = len(households)
    variance = n_clusters / (n_clusters - 1) * float(np.sum(sums**2)) / total**2
    return ClusteredMean(estimate, float(np.sqrt(variance)), len(values), n_clusters)


def minimum_detectable_effect(*, se: float, level: float, power: float) -> float:
    r"""Smallest effect, in the unit of ``se``, that a two-sided test finds with this ``power``.

    .. math:: MDE = (z_{(1 + level)/2} + z_{power})\, se

    References
    ----------
    Bloom (1995), Evaluation Review 19(5).
    """
    return float(norm.ppf(0.5 + level / 2.0) + norm.ppf(power)) * se
