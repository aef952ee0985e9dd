"""The experiment that would settle what observed data cannot."""

from __future__ import annotations

import math

from scipy.stats import norm

from promo_uplift.contracts.errors import PolicyError


def households_per_arm(
    *, effect_usd: float, sd_usd: float, level: float, power: float
) -> int | None:
    r"""Households per arm of an A/B test that finds ``effect_usd`` with this power.

    :math:`n = 2 (z_{(1 + level)/2} + z_{power})^2 \sigma^2 / \delta^2`, two-sided, equal arms.

    Parameters
    ----------
    effect_usd : float
        Effect worth finding, USD per household; usually break-even.
    sd_usd : float
        Standard deviation of the outcome, USD per household; of its residual after the covariates
        where the test is analysed with them.
    level, power : float
        Confidence level and power.

    Returns
    -------
    int or None
        None where no number of households is enough: the effect is 0 or infinite.

    Raises
    ------
    PolicyError
        If the standard deviation is not above 0.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5).

    Examples
    --------
    >>> households_per_arm(effect_usd=5.0, sd_usd=100.0, level=0.95, power=0.8)
    6280
    """
    if not sd_usd > 0.0:
        raise PolicyError(f"`sd_usd` must be above 0, got {sd_usd}.")
    if effect_usd == 0.0 or not math.isfinite(effect_usd):
        return None
    z = float(norm.ppf(0.5 + level / 2.0) + norm.ppf(power))
    return math.ceil(2.0 * (z * sd_usd / effect_usd) ** 2)
