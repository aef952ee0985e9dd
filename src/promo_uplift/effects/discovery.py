"""How many of many findings are false: p-values adjusted for the false discovery rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import false_discovery_control

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray

#: ``bh`` holds for independent or positively dependent tests, ``by`` for any dependence.
DiscoveryMethod = Literal["bh", "by"]


@dataclass(frozen=True, slots=True)
class DiscoveryControl:
    """P-values adjusted for the false discovery rate of their family.

    Attributes
    ----------
    adjusted : float64 (q,)
        Smallest rate of false discoveries at which each test is a discovery; NaN where there was
        no p-value.
    n_tested, n_missing : int
        Tests in the family, and p-values that were missing and are not in it.
    method : str
        ``bh`` or ``by``.
    """

    adjusted: FloatArray
    n_tested: int
    n_missing: int
    method: DiscoveryMethod


def control_discoveries(*, p_values: FloatArray, method: DiscoveryMethod) -> DiscoveryControl:
    r"""Adjust p-values so that at most a share ``q`` of those below ``q`` is false on average.

    Benjamini-Hochberg: :math:`\tilde p_{(i)} = \min_{j \ge i} \min(1, m p_{(j)} / j)`;
    Benjamini-Yekutieli multiplies by :math:`\sum_{j=1}^m 1 / j`.

    Parameters
    ----------
    p_values : float64 (q,)
        NaN where a test gave none: left out of the family, counted, and NaN in the result.
    method : {"bh", "by"}
        See :data:`DiscoveryMethod`.

    Raises
    ------
    MetricError
        If a p-value is not between 0 and 1, or the method is unknown.

    References
    ----------
    Benjamini & Hochberg (1995), JRSS B 57(1); Benjamini & Yekutieli (2001), Annals of Statistics
    29(4).

    Examples
    --------
    >>> import numpy as np
    >>> control_discoveries(p_values=np.array([0.02, np.nan, 0.03]), method="bh").adjusted
    array([0.03,  nan, 0.03])
    """
    if method not in ("bh", "by"):
        raise MetricError(f"`method` must be 'bh' or 'by', found {method!r}.")
    tested = ~np.isnan(p_values)
    outside = int(np.sum((p_values[tested] < 0.0) | (p_values[tested] > 1.0)))
    if outside:
        raise MetricError(
            f"`p_values` must be between 0 and 1; {outside} of {len(p_values)} are not. Give the "
            "p-values of the tests, not their statistics."
        )
    adjusted = np.full(len(p_values), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], method=method)
    n_tested = int(tested.sum())
    return DiscoveryControl(adjusted, n_tested, len(p_values) - n_tested, method)
