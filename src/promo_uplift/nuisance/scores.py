"""Doubly robust scores: one number per household whose mean is the effect of the mailing."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues

#: By how much the probabilities of a row may miss 1 in floating point.
SUM_ROUNDING = 1e-8


def dr_scores(*, treatment: IntArray, outcome: FloatArray, nuisances: NuisanceValues) -> FloatArray:
    r"""Doubly robust (AIPW) score of each household, in the outcome's unit (USD), ``(n,)``.

    .. math::

        \Gamma = \mu_1 - \mu_0 + \frac{T (Y - \mu_1)}{e} - \frac{(1 - T)(Y - \mu_0)}{1 - e}

    Its mean is the average effect, and its regression on covariates is the CATE, if either the
    propensity ``e`` or the outcome models are right. With ``outcome`` = redeemed, ``mu1`` = the
    redemption rate and ``mu0`` = 0 (nobody redeems without a mailing), it is the score of the
    redemption probability.

    Parameters
    ----------
    treatment : int64 (n,)
        1 = mailed, 0 = not.
    outcome : float64 (n,)
        Outcome, USD per household.
    nuisances : NuisanceValues
        Out-of-fold propensity, ``mu0`` and ``mu1`` of the same rows.

    Raises
    ------
    LearnerError
        If lengths differ, or a propensity is not strictly between 0 and 1.

    Notes
    -----
    Scope: binary treatment; observational data under no unmeasured confounding, or an experiment
    with its known propensity. Values of weak overlap are large: clip propensities and count.

    References
    ----------
    Robins, Rotnitzky & Zhao (1994), *JASA* 89(427), 846-866, doi:10.1080/01621459.1994.10476818.
    Chernozhukov et al. (2018), *The Econometrics Journal* 21(1), C1-C68, eq. (5.3),
    doi:10.1111/ectj.12097.

    Examples
    --------
    >>> values = NuisanceValues(np.array([0.5]), np.array([10.0]), np.array([12.0]))
    >>> dr_scores(treatment=np.array([1]), outcome=np.array([13.0]), nuisances=values)
    array([4.])
    """
    e, mu0, mu1 = nuisances.propensity, nuisances.mu0, nuisances.mu1
    lengths = {len(treatment), len(outcome), len(e), len(mu0), len(mu1)}
    if len(lengths) != 1:
        raise LearnerError(
            "`treatment`, `outcome` and `nuisances` must have one entry per row; "
            f"found lengths {sorted(lengths)}. Take the same rows of each."
        )
    outside = ~((e > 0.0) & (e < 1.0))
    if outside.any():
        raise LearnerError(
            f"`propensity` must lie strictly between 0 and 1; {int(outside.sum())} of {len(e)} "
            f"do not, e.g. {e[outside][:3].tolist()}. Clip it with `propensity_clip`."
        )
    treated = treatment == 1
    return np.asarray(
        mu1
        - mu0
        + np.where(treated, (outcome - mu1) / e, 0.0)
        - np.where(treated, 0.0, (outcome - mu0) / (1.0 - e)),
        dtype=np.float64,
    )


def multi_arm_scores(
    *, arm: IntArray, outcome: FloatArray, propensity: FloatArray, mu: FloatArray
) -> FloatArray:
    r"""Doubly robust score of each arm against the control, in the outcome's unit, ``(n, A)``.

    .. math::

        \Gamma_a = \mu_a - \mu_0 + \frac{1[T = a] (Y - \mu_a)}{e_a}
            - \frac{1[T = 0] (Y - \mu_0)}{e_0}

    Every row has a score for every arm, whatever it got: the arms share their controls.

    Parameters
    ----------
    arm : int64 (n,)
        0 = control, 1 to A = the arms.
    outcome : float64 (n,)
    propensity, mu : float64 (n, A + 1)
        Out-of-fold probability of each arm, and expected outcome in it; column 0 is the control.

    Raises
    ------
    LearnerError
        If shapes differ, an arm is none of 0 to A, or a row's probabilities are not above 0 with
        sum 1.

    Notes
    -----
    Scope: as :func:`dr_scores`, for arms that exclude each other.

    References
    ----------
    Robins, Rotnitzky & Zhao (1994), *JASA* 89(427), 846-866; Zhou, Athey & Wager (2023),
    *Operations Research* 71(1), 148-183, arXiv:1810.04778 (several arms).

    Examples
    --------
    >>> multi_arm_scores(
    ...     arm=np.array([2]),
    ...     outcome=np.array([13.0]),
    ...     propensity=np.array([[0.5, 0.25, 0.25]]),
    ...     mu=np.array([[10.0, 11.0, 12.0]]),
    ... )
    array([[1., 6.]])
    """
    shape = (len(outcome), propensity.shape[-1])
    if propensity.shape != shape or mu.shape != shape or arm.shape != shape[:1]:
        raise LearnerError(
            f"`propensity` and `mu` must have one row per outcome and one column per arm, the "
            f"control first; found {propensity.shape} and {mu.shape} for {len(outcome)} outcomes "
            f"and {len(arm)} arms. Take the same rows of each."
        )
    if not np.isin(arm, np.arange(shape[1])).all():
        raise LearnerError(
            f"`arm` must hold 0 (control) to {shape[1] - 1}; found {np.unique(arm).tolist()}."
        )
    off = np.abs(propensity.sum(axis=1) - 1.0) > SUM_ROUNDING
    outside = ~(propensity > 0.0).all(axis=1)
    if off.any() or outside.any():
        raise LearnerError(
            f"`propensity` must be above 0 and add up to 1 in every row; {int(outside.sum())} of "
            f"{len(arm)} rows hold one that is not above 0, {int(off.sum())} add up to something "
            "else. Clip them, and scale the row to 1."
        )
    got = arm[:, np.newaxis] == np.arange(shape[1])
    potential = mu + np.where(got, (outcome[:, np.newaxis] - mu) / propensity, 0.0)
    return np.asarray(potential[:, 1:] - potential[:, :1], dtype=np.float64)
