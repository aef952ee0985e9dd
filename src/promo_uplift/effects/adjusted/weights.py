"""Weights that make the arms comparable, one set per target population."""

from __future__ import annotations

from typing import Final

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray

#: Ways to weigh the arms, by name.
SCHEMES: Final = ("unweighted", "ipw_ate", "ipw_att", "ato")


def balancing_weights(*, scheme: str, treated: BoolArray, propensity: FloatArray) -> FloatArray:
    r"""Weight of each row within its arm, without unit, ``(n,)``.

    ``unweighted``: 1. ``ipw_ate``: :math:`1/e` and :math:`1/(1-e)`. ``ipw_att``: 1 and
    :math:`e/(1-e)`. ``ato``: :math:`1-e` and :math:`e`.

    Raises
    ------
    MetricError
        If the scheme is unknown.

    References
    ----------
    Hirano & Imbens (2001), Health Services and Outcomes Research Methodology 2; Li, Morgan &
    Zaslavsky (2018), JASA 113(521).
    """
    e = propensity
    both = {
        "unweighted": (np.ones_like(e), np.ones_like(e)),
        "ipw_ate": (1.0 / e, 1.0 / (1.0 - e)),
        "ipw_att": (np.ones_like(e), e / (1.0 - e)),
        "ato": (1.0 - e, e),
    }
    if scheme not in both:
        raise MetricError(f"`scheme` must be one of {list(both)}, found {scheme!r}.")
    return np.where(treated, *both[scheme])


def weighted_difference(
    *, treated: BoolArray, outcome: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    r"""Difference of the arms' weighted means, and each row's part of its error ``(n,)``.

    Weights are scaled to add up to 1 in each arm (Hájek), and taken as given: the error does not
    know that a propensity was estimated. For the ATE of all rows that makes it too wide, not too
    narrow.

    References
    ----------
    Hájek (1971), in: Foundations of Statistical Inference; Lunceford & Davidian (2004), Statistics
    in Medicine 23(19).
    """
    value, contributions = 0.0, np.zeros_like(outcome)
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        share = np.where(arm, weights, 0.0) / weights[arm].sum()
        mean = float(share @ outcome)
        value += sign * mean
        contributions += sign * share * (outcome - mean)
    return value, contributions
