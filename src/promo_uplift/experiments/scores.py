"""Scores of an experiment with lots drawn within strata: their means are its effects."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray


def experiment_scores(
    *, outcome: FloatArray, mailed: BoolArray, stratum: IntArray, covariate: FloatArray
) -> FloatArray:
    r"""Score of each household whose means are effects of the lots, ``(m,)``, outcome's unit.

    .. math:: \Gamma_i = m_1(i) - m_0(i) + \frac{T_i (Y_i - m_1(i))}{p_s}
        - \frac{(1 - T_i)(Y_i - m_0(i))}{1 - p_s}

    with :math:`p_s` the share mailed among the stratum's households with an outcome and
    :math:`m_a` least squares in arm :math:`a` on strata and on the covariate: its mean is Lin's
    estimator within strata, whatever the covariate is worth. Residuals are widened by
    :math:`\sqrt{n / (n - 1)}` of their stratum and arm and by the covariate's degree of freedom,
    which moves no mean and keeps small strata honest.

    Parameters
    ----------
    outcome : float64 (m,)
    mailed : bool (m,)
    stratum : int64 (m,)
        Each with at least two households in either arm.
    covariate : float64 (m,)
        Known before the lots; what the plan expects of the household.
    """
    size = int(stratum.max()) + 1
    count = np.bincount(stratum, minlength=size).astype(np.float64)
    centred = covariate - _means(covariate, stratum, count)[stratum]
    effects = np.zeros(len(outcome))
    for arm, sign in ((mailed, 1.0), (~mailed, -1.0)):
        inside = np.bincount(stratum[arm], minlength=size).astype(np.float64)
        x_mean = _means(centred[arm], stratum[arm], inside)
        y_mean = _means(outcome[arm], stratum[arm], inside)
        x = centred[arm] - x_mean[stratum[arm]]
        y = outcome[arm] - y_mean[stratum[arm]]
        square = float(x @ x)
        free = len(y) - np.count_nonzero(inside) - 1
        is_used = square > 0.0 and free > 0
        slope = float(x @ y) / square if is_used else 0.0
        residual = y - slope * x
        widened = inside / np.maximum(inside - 1.0, 1.0) * ((free + 1) / free if is_used else 1.0)
        effects += sign * (y_mean[stratum] + slope * (centred - x_mean[stratum]))
        effects[arm] += (
            sign
            * residual
            * np.sqrt(widened[stratum[arm]])
            * (count / inside.clip(min=1.0))[stratum[arm]]
        )
    return effects


def _means(values: FloatArray, stratum: IntArray, count: FloatArray) -> FloatArray:
    sums = np.bincount(stratum, weights=values, minlength=len(count))
    means: FloatArray = sums / np.maximum(count, 1.0)
    return means


def redemption_scores(*, mailed: BoolArray, redeemed: FloatArray, stratum: IntArray) -> FloatArray:
    r"""Score of each household whose mean is the share that redeems when mailed, ``(m,)``.

    :math:`r_s + T_i (R_i - r_s) / p_s` with :math:`r_s` the share among the stratum's mailed.
    """
    size = int(stratum.max()) + 1
    count = np.bincount(stratum, minlength=size).astype(np.float64)
    inside = np.bincount(stratum[mailed], minlength=size).astype(np.float64)
    mean = _means(redeemed[mailed], stratum[mailed], inside)[stratum]
    scores: FloatArray = mean + mailed * (redeemed - mean) * (count / inside)[stratum]
    return scores
