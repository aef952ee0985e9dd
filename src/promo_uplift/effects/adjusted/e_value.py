"""How strong a confounder would have to be to explain the effect away, as a risk ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.estimate import Estimate

#: Log risk ratio per standard deviation of effect (VanderWeele & Ding 2017, Table 2).
LOG_RISK_RATIO_PER_SD = 0.91


@dataclass(frozen=True, slots=True)
class EValue:
    """Smallest risk ratio of a confounder with treatment and outcome that explains an effect.

    Attributes
    ----------
    standardised : float
        The effect in standard deviations of the outcome.
    risk_ratio : float
        The risk ratio that stands for it.
    point, limit : float
        E-value of the estimate, and of the end of its interval that is nearer to nothing; 1: no
        confounder is needed. NaN where there is no estimate.
    reason : str
        Why there is none.
    """

    standardised: float
    risk_ratio: float
    point: float
    limit: float
    reason: str = ""


def e_value_of_risk_ratio(risk_ratio: float) -> float:
    r"""Return :math:`RR + \sqrt{RR (RR - 1)}`, the E-value of a risk ratio (below 1: its inverse).

    References
    ----------
    VanderWeele & Ding (2017), Annals of Internal Medicine 167(4).

    Examples
    --------
    >>> round(e_value_of_risk_ratio(3.9), 2)
    7.26
    """
    if not (np.isfinite(risk_ratio) and risk_ratio > 0.0):
        raise MetricError(f"`risk_ratio` must be finite and above 0, found {risk_ratio}.")
    above = max(risk_ratio, 1.0 / risk_ratio)
    return float(above + np.sqrt(above * (above - 1.0)))


def e_value(*, estimate: Estimate, outcome_sd: float) -> EValue:
    r"""Return the E-value of an effect on a continuous outcome, through :math:`RR = \exp(0.91 d)`.

    ``d`` is the effect over the outcome's standard deviation; an interval that holds 0 has the
    limit 1.

    Raises
    ------
    MetricError
        If ``outcome_sd`` is not above 0.

    References
    ----------
    VanderWeele & Ding (2017), Annals of Internal Medicine 167(4); Chinn (2000), Statistics in
    Medicine 19(22).
    """
    if not (np.isfinite(outcome_sd) and outcome_sd > 0.0):
        raise MetricError(f"`outcome_sd` must be finite and above 0, found {outcome_sd}.")
    if not estimate.is_valid:
        nan = float("nan")
        return EValue(nan, nan, nan, nan, estimate.reason)
    ratio = [
        float(np.exp(LOG_RISK_RATIO_PER_SD * value / outcome_sd))
        for value in (estimate.value, estimate.ci_low, estimate.ci_high)
    ]
    crosses = estimate.ci_low <= 0.0 <= estimate.ci_high
    near = ratio[1] if estimate.value > 0.0 else ratio[2]
    return EValue(
        standardised=estimate.value / outcome_sd,
        risk_ratio=ratio[0],
        point=e_value_of_risk_ratio(ratio[0]),
        limit=1.0 if crosses else e_value_of_risk_ratio(near),
    )
