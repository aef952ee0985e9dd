"""What it is worth to know more before deciding: the expected value of sample information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of the mean profit of contacting a household, USD per household.

    Attributes
    ----------
    mean_usd, sd_usd : float
        Of a normal distribution.
    """

    mean_usd: float
    sd_usd: float


def unit_normal_loss(distance: FloatArray) -> FloatArray:
    r"""Return the unit normal loss integral :math:`L(d) = \phi(d) - d\,(1 - \Phi(d))`, ``(m,)``.

    Examples
    --------
    >>> import numpy as np
    >>> unit_normal_loss(np.array([0.0, 1.0])).round(4)
    array([0.3989, 0.0833])
    """
    loss: FloatArray = norm.pdf(distance) - distance * norm.sf(distance)
    return loss


def value_of_information(*, prior: Prior, sampling_variance: FloatArray) -> FloatArray:
    r"""Return the expected gain of seeing an estimate before contacting all or none, USD.

    The profit of contacting, :math:`\pi \sim N(\mu, \sigma^2)`, is estimated with variance
    :math:`v`. The mean that is then believed is normal about :math:`\mu` with standard deviation
    :math:`s = \sigma^2 / \sqrt{\sigma^2 + v}`, and

    .. math:: E[\max(0, E[\pi \mid data])] - \max(0, \mu) = s\, L(|\mu| / s).

    With :math:`v = 0` it is the expected value of perfect information.

    Parameters
    ----------
    prior : Prior
        Belief before the experiment.
    sampling_variance : float64 (m,)
        Variance of the experiment's estimate of mean profit, USD squared; infinite: no experiment.

    References
    ----------
    Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, 5.4-5.5.

    Examples
    --------
    >>> import numpy as np
    >>> value_of_information(prior=Prior(0.0, 2.0), sampling_variance=np.array([0.0])).round(4)
    array([0.7979])
    """
    spread = np.sqrt(prior.sd_usd**2 + sampling_variance)
    learnt = prior.sd_usd**2 / np.where(spread > 0.0, spread, np.inf)
    moves = learnt > 0.0
    distance = abs(prior.mean_usd) / np.where(moves, learnt, 1.0)
    value: FloatArray = np.where(moves, learnt * unit_normal_loss(distance), 0.0)
    return value
