"""How many households an experiment takes, and what a given number of them can show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.results import CrossFittedNuisances, FloatArray, TrialData
from promo_uplift.effects import minimum_detectable_effect


@dataclass(frozen=True, slots=True)
class ArmNoise:
    """Spread of the outcome that the covariates leave, USD per household.

    Attributes
    ----------
    control_usd, mailed_usd : float
        Standard deviation of the residual in each arm.
    """

    control_usd: float
    mailed_usd: float

    def unit_variance(self, *, control_share: float) -> float:
        r"""Variance of the arms' difference times the number of households, USD squared.

        :math:`\kappa^2 = \sigma_1^2 / (1 - q) + \sigma_0^2 / q` with :math:`q` the control share:
        an experiment of :math:`n` households has the standard error :math:`\kappa / \sqrt n`.
        """
        return self.mailed_usd**2 / (1.0 - control_share) + self.control_usd**2 / control_share


def residual_sd(*, data: TrialData, nuisances: CrossFittedNuisances) -> float:
    """Return the standard deviation of the outcome after the covariates, USD per household."""
    return float((data.outcome - nuisances.held_out().outcome_mean).std())


def arm_noise(*, data: TrialData, nuisances: CrossFittedNuisances) -> ArmNoise:
    """Residual spread of each arm, had every household been in it, USD per household.

    The ratio of the arms is that of their weighted residuals (weights 1 / P(arm)); the level is
    :func:`residual_sd`, so that equal arms need as many households as the verdict says.

    Raises
    ------
    ExperimentError
        If the covariates leave nothing of the outcome.
    """
    held_out, level = nuisances.held_out(), residual_sd(data=data, nuisances=nuisances)
    mailed = data.treatment == 1
    arms = [
        float(np.average((data.outcome - mean)[rows] ** 2, weights=1.0 / chance[rows]))
        for rows, mean, chance in (
            (~mailed, held_out.mu0, 1.0 - held_out.propensity),
            (mailed, held_out.mu1, held_out.propensity),
        )
    ]
    if not (level > 0.0 and min(arms) > 0.0):
        raise ExperimentError(
            f"`outcome` must vary once the covariates are known; its residual spread is "
            f"{level:.3g}, in the arms {arms[0] ** 0.5:.3g} and {arms[1] ** 0.5:.3g}."
        )
    scale = level / math.sqrt(sum(arms) / 2.0)
    return ArmNoise(control_usd=scale * math.sqrt(arms[0]), mailed_usd=scale * math.sqrt(arms[1]))


def optimal_control_share(
    *, noise: ArmNoise, control_cost_usd: float, mailed_cost_usd: float
) -> float:
    r"""Share of control households with the smallest error for the money, 0 to 1.

    :math:`n_0 / n_1 = (\sigma_0 / \sqrt{c_0}) / (\sigma_1 / \sqrt{c_1})`; with equal costs this is
    Neyman's allocation.

    Parameters
    ----------
    noise : ArmNoise
        Spread of the arms.
    control_cost_usd, mailed_cost_usd : float
        Cost of a household in each arm.

    Raises
    ------
    ExperimentError
        If a cost is not above 0: the best number of free households has no end.

    References
    ----------
    Neyman (1934), J. Royal Statistical Society 97(4); Cochran (1977), Sampling Techniques, 5.5.
    """
    if min(control_cost_usd, mailed_cost_usd) <= 0.0:
        raise ExperimentError(
            f"`experiment.control_share` 'optimal' needs a cost of each household above 0, found "
            f"{control_cost_usd} USD in control and {mailed_cost_usd} USD mailed. Set "
            "`experiment.unit_cost_usd`, or give a share."
        )
    control = noise.control_usd / math.sqrt(control_cost_usd)
    mailed = noise.mailed_usd / math.sqrt(mailed_cost_usd)
    return control / (control + mailed)


def households_needed(
    *, effect_usd: float, unit_variance: float, level: float, power: float
) -> float | None:
    r"""Households that find ``effect_usd`` with this power, not rounded.

    :math:`n = (z_{(1 + level)/2} + z_{power})^2 \kappa^2 / \delta^2`, two-sided.

    Parameters
    ----------
    effect_usd : float
        Effect, or difference of effects, worth finding, USD per household.
    unit_variance : float
        Variance of its estimate times the number of households, USD squared.
    level, power : float
        Confidence level and power.

    Returns
    -------
    float or None
        None where no number of households is enough: the effect is 0 or infinite.

    Raises
    ------
    ExperimentError
        If the variance is not above 0.

    References
    ----------
    Bloom (1995), Evaluation Review 19(5).
    """
    if not unit_variance > 0.0:
        raise ExperimentError(f"`unit_variance` must be above 0, got {unit_variance}.")
    if effect_usd == 0.0 or not math.isfinite(effect_usd):
        return None
    z = float(norm.ppf(0.5 + level / 2.0) + norm.ppf(power))
    return unit_variance * (z / effect_usd) ** 2


def households_per_arm(
    *, effect_usd: float, sd_usd: float, level: float, power: float
) -> int | None:
    r"""Households per arm of an A/B test with equal arms that finds ``effect_usd``.

    :math:`n = 2 (z_{(1 + level)/2} + z_{power})^2 \sigma^2 / \delta^2`, two-sided.

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
        None where no number of households is enough.

    Raises
    ------
    ExperimentError
        If the standard deviation is not above 0.

    Examples
    --------
    >>> households_per_arm(effect_usd=5.0, sd_usd=100.0, level=0.95, power=0.8)
    6280
    """
    if not sd_usd > 0.0:
        raise ExperimentError(f"`sd_usd` must be above 0, got {sd_usd}.")
    needed = households_needed(
        effect_usd=effect_usd, unit_variance=2.0 * sd_usd**2, level=level, power=power
    )
    return None if needed is None else math.ceil(needed)


def power_at(
    *, effect_usd: float, unit_variance: float, households: FloatArray, level: float
) -> FloatArray:
    """Chance that an interval of so many households excludes 0 if this is the effect.

    Parameters
    ----------
    effect_usd : float
        True effect or difference of effects, USD per household.
    unit_variance : float
        Variance of its estimate times the number of households, USD squared.
    households : float64 (m,)
        Sizes of the experiment, both arms together.
    level : float
        Confidence level, two-sided.

    Examples
    --------
    >>> import numpy as np
    >>> n = np.array([2 * 6280.0])
    >>> power_at(effect_usd=5.0, unit_variance=4 * 100.0**2, households=n, level=0.95).round(2)
    array([0.8])
    """
    signal = abs(effect_usd) * np.sqrt(households / unit_variance)
    z = float(norm.ppf(0.5 + level / 2.0))
    power: FloatArray = norm.cdf(signal - z) + norm.cdf(-signal - z)
    return power


def smallest_effect(
    *, unit_variance: float, households: float, level: float, power: float
) -> float:
    """Smallest effect that so many households find with this power, USD; infinite without any."""
    if households <= 0:
        return float("inf")
    se = math.sqrt(unit_variance / households)
    return minimum_detectable_effect(se=se, level=level, power=power)
