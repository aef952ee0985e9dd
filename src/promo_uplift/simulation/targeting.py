"""Who is mailed: a logit on what the retailer saw of a household when the list was drawn up."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import expit

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.households import bisected
from promo_uplift.simulation.parameters import TargetingParameters
from promo_uplift.simulation.profile import TARGETING_FEATURES
from promo_uplift.simulation.standardise import standardised

_MOST: Final = 1.0 - 1e-9


def mailing_propensity(
    *,
    features: dict[str, FloatArray],
    slopes: dict[str, float],
    unobserved: FloatArray,
    mailed_share: float,
    parameters: TargetingParameters,
) -> FloatArray:
    """P(mailed) of each household, ``(H,)``, with mean ``mailed_share``.

    ``logit = steepness (base + confounding sum_j slope_j z_j + unobserved_confounding u)``, then
    squeezed into ``[min_propensity, 1 - min_propensity]``. ``base`` is found by bisection, which
    meets the share as far as the squeeze allows.
    """
    score = parameters.unobserved_confounding * unobserved
    for name in TARGETING_FEATURES:
        score = score + parameters.confounding * slopes[name] * standardised(features[name])
    low = parameters.min_propensity

    def propensity(base: float) -> FloatArray:
        free: FloatArray = expit(parameters.steepness * (base + score))
        return low + (1.0 - 2.0 * low) * free

    base = bisected(mean=mailed_share, probability_at=lambda b: float(propensity(b).mean()))
    return np.minimum(propensity(base), _MOST)


def draw_arms(
    *, propensity: FloatArray, shares: FloatArray, rng: np.random.Generator
) -> tuple[BoolArray, IntArray]:
    """Draw who is mailed, and by which of the arms that exclude each other.

    Returns
    -------
    mailed : bool (H,)
    arm : int64 (H,)
        Place of the arm in ``shares``, drawn for everyone.
    """
    uniform = rng.uniform(size=(2, len(propensity)))
    mailed: BoolArray = uniform[0] < propensity
    arm = np.searchsorted(np.cumsum(shares / shares.sum()), uniform[1], side="right")
    return mailed, np.minimum(arm, len(shares) - 1).astype(np.int64)
