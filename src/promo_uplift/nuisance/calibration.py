"""Calibrated propensities: a test whether they are needed, beta and isotonic calibrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2
from sklearn.isotonic import IsotonicRegression

from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray

Method = Literal["none", "beta", "isotonic"]
METHODS: tuple[Method, ...] = ("none", "beta", "isotonic")

_SMALLEST = float(np.finfo(np.float64).eps)
#: Directions of the test whose share of the largest variance is below this are rounding.
_RANK_TOLERANCE = 1e-9


class Calibrator(Protocol):
    """Maps predicted probabilities to calibrated ones, in the same order."""

    def predict(self, *, propensity: FloatArray) -> FloatArray:
        """Calibrated probabilities, ``(m,)``."""
        ...


@dataclass(frozen=True, slots=True)
class BetaCalibrator:
    r"""Beta calibration, :math:`\mathrm{logit}\,q = a \ln p - b \ln(1 - p) + c`.

    Attributes
    ----------
    a, b : float
        Slopes, at least 0, so that the order of the propensities is kept; 1 and 1 change nothing.
    c : float
        Intercept; 0 changes nothing.
    """

    a: float
    b: float
    c: float

    def predict(self, *, propensity: FloatArray) -> FloatArray:
        """Calibrated probabilities, ``(m,)``."""
        log_p, minus_log_q = _logs(propensity)
        return np.asarray(expit(self.a * log_p + self.b * minus_log_q + self.c), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class IsotonicCalibrator:
    """Non-decreasing steps, joined by lines between their knots.

    Attributes
    ----------
    knots, values : float64 (s,)
        Predicted probabilities, ascending, and the calibrated ones there; constant outside.
    """

    knots: FloatArray
    values: FloatArray

    def predict(self, *, propensity: FloatArray) -> FloatArray:
        """Calibrated probabilities, ``(m,)``; 0 and 1 are possible."""
        return np.asarray(np.interp(propensity, self.knots, self.values), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CalibrationTest:
    """Test that propensities are right.

    Attributes
    ----------
    statistic : float
        Chi-squared.
    degrees : int
        Its degrees of freedom.
    p_value : float
        Chance of a statistic as large where they are right.
    """

    statistic: float
    degrees: int
    p_value: float


def _logs(propensity: FloatArray) -> tuple[FloatArray, FloatArray]:
    inside = np.clip(propensity, _SMALLEST, 1.0 - _SMALLEST)
    return np.log(inside), -np.log1p(-inside)


def fit_beta(*, propensity: FloatArray, treatment: IntArray) -> BetaCalibrator:
    r"""Fit beta calibration by maximum likelihood with slopes of at least 0.

    Parameters
    ----------
    propensity : float64 (n,)
        Out-of-fold propensities.
    treatment : int64 (n,)
        0 or 1.

    Notes
    -----
    The likelihood is concave, so where an unconstrained slope is negative its constrained maximum
    is the fit without that term, as the authors prescribe.

    References
    ----------
    Kull, Silva Filho & Flach (2017), *Electronic Journal of Statistics* 11(2), 5052-5080,
    doi:10.1214/17-EJS1338SI.
    """
    design = np.column_stack([*_logs(propensity), np.ones(len(propensity))])
    target = treatment.astype(np.float64)

    def loss(coefficients: FloatArray) -> tuple[float, FloatArray]:
        score = design @ coefficients
        value = float(np.mean(np.logaddexp(0.0, score) - target * score))
        return value, np.asarray(design.T @ (expit(score) - target) / len(target))

    found = minimize(
        loss,
        x0=np.array([1.0, 1.0, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None), (0.0, None), (None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1_000},
    )
    a, b, c = (float(value) for value in found.x)
    return BetaCalibrator(a, b, c)


def fit_isotonic(*, propensity: FloatArray, treatment: IntArray) -> IsotonicCalibrator:
    """Fit isotonic calibration by pooling adjacent violators (scikit-learn).

    References
    ----------
    Zadrozny & Elkan (2002), *KDD*, 694-699, doi:10.1145/775047.775151.
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
        propensity, treatment.astype(np.float64)
    )
    return IsotonicCalibrator(
        np.asarray(fitted.X_thresholds_, dtype=np.float64),
        np.asarray(fitted.y_thresholds_, dtype=np.float64),
    )


def fit_calibrator(
    *, method: Literal["beta", "isotonic"], propensity: FloatArray, treatment: IntArray
) -> Calibrator:
    """Fit the named calibrator."""
    fit = fit_beta if method == "beta" else fit_isotonic
    return fit(propensity=propensity, treatment=treatment)


def calibration_test(
    *, propensity: FloatArray, treatment: IntArray, groups: IntArray
) -> CalibrationTest:
    r"""Score test that beta calibration would change nothing, robust to households.

    .. math:: S = \sum_h s_h, \quad s_h = \sum_{i \in h} (T_i - p_i)
        (1, \ln p_i, -\ln(1 - p_i))', \quad S' \Big(\sum_h s_h s_h'\Big)^{-1} S \sim \chi^2_3

    The score of the three parameters at ``a = b = 1, c = 0``: no fit is needed, and Cox's
    recalibration (intercept and slope of the logit) is the part of it with ``a = b``. Directions
    without variance (a constant propensity) lower the degrees of freedom. Held-out propensities of
    several folds make it conservative: their mean error is near zero by construction.

    Parameters
    ----------
    propensity : float64 (n,)
        Out-of-fold propensities.
    treatment : int64 (n,)
        0 or 1.
    groups : int64 (n,)
        Household of each row: the cluster.

    References
    ----------
    Cox (1958), *Biometrika* 45(3/4), 562-565; Kull, Silva Filho & Flach (2017), *EJS* 11(2);
    Liang & Zeger (1986), *Biometrika* 73(1).
    """
    basis = np.column_stack([np.ones(len(propensity)), *_logs(propensity)])
    spread = basis[:, 1:].std(axis=0)
    basis[:, 1:] = (basis[:, 1:] - basis[:, 1:].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    terms = (treatment - propensity)[:, None] * basis
    _, code = np.unique(groups, return_inverse=True)
    sums = np.column_stack([np.bincount(code, weights=column) for column in terms.T])
    total = sums.sum(axis=0)
    variance, directions = np.linalg.eigh(sums.T @ sums)
    used = variance > _RANK_TOLERANCE * variance.max()
    projected = directions[:, used].T @ total
    statistic = float(np.sum(projected**2 / variance[used]))
    degrees = int(used.sum())
    return CalibrationTest(statistic, degrees, float(chi2.sf(statistic, degrees)))


def log_loss(*, propensity: FloatArray, treatment: IntArray) -> float:
    """Mean log-loss of the treatment, nats."""
    log_p, minus_log_q = _logs(propensity)
    return float(-np.mean(np.where(treatment == 1, log_p, -minus_log_q)))


def cross_calibrated(
    *,
    method: Literal["beta", "isotonic"],
    propensity: FloatArray,
    treatment: IntArray,
    fold: IntArray,
    rows: BoolArray,
) -> FloatArray:
    """Calibrate the chosen rows, each by a calibrator of the other folds among them.

    Returns
    -------
    float64 (n,)
        NaN outside ``rows``.
    """
    calibrated = np.full(len(propensity), np.nan)
    for one in np.unique(fold[rows]):
        train, own = rows & (fold != one), rows & (fold == one)
        calibrator = fit_calibrator(
            method=method, propensity=propensity[train], treatment=treatment[train]
        )
        calibrated[own] = calibrator.predict(propensity=propensity[own])
    return calibrated


@dataclass(frozen=True, slots=True)
class CalibrationChoice:
    """What is done with propensities, and why.

    Attributes
    ----------
    method : {"none", "beta", "isotonic"}
        What was chosen.
    test : CalibrationTest
        On the propensities as the model gives them.
    losses : dict
        Out-of-fold log-loss of each method tried, nats, after clipping.
    calibrated : float64 (n,)
        Propensities of ``rows`` under the method, each calibrated without its own fold; NaN
        elsewhere.
    """

    method: Method
    test: CalibrationTest
    losses: dict[Method, float]
    calibrated: FloatArray


def choose_calibration(
    *,
    propensity: FloatArray,
    treatment: IntArray,
    groups: IntArray,
    fold: IntArray,
    rows: BoolArray,
    parameters: NuisanceParameters,
) -> CalibrationChoice:
    """Decide on ``rows`` whether propensities are calibrated, and how.

    "auto" calibrates where :func:`calibration_test` rejects at ``calibration_level``, by whichever
    of nothing, beta and isotonic has the lowest out-of-fold log-loss. Only treatments of ``rows``
    are read.

    Parameters
    ----------
    propensity : float64 (n,)
        Out-of-fold propensities before clipping.
    treatment, groups, fold : int64 (n,)
        Arm, household and fold of each row.
    rows : bool (n,)
        Rows that decide: at least two folds.
    parameters : NuisanceParameters
        ``calibration``, ``calibration_level`` and the clip.
    """
    test = calibration_test(
        propensity=propensity[rows], treatment=treatment[rows], groups=groups[rows]
    )
    asked = parameters.calibration
    if asked == "auto":
        tried = METHODS if test.p_value < parameters.calibration_level else METHODS[:1]
    else:
        tried = (asked,)
    clip = parameters.propensity_clip
    found: dict[Method, FloatArray] = {}
    losses: dict[Method, float] = {}
    for method in tried:
        values = np.where(rows, propensity, np.nan)
        if method != "none":
            values = cross_calibrated(
                method=method, propensity=propensity, treatment=treatment, fold=fold, rows=rows
            )
        found[method] = values
        losses[method] = log_loss(
            propensity=np.clip(values[rows], clip, 1.0 - clip), treatment=treatment[rows]
        )
    best = min(losses, key=lambda method: losses[method])
    return CalibrationChoice(best, test, losses, found[best])


def calibrated_matrix(
    *,
    propensity: FloatArray,
    treatment: IntArray,
    groups: IntArray,
    fold: IntArray,
    parameters: NuisanceParameters,
) -> tuple[FloatArray, pd.DataFrame]:
    """Calibrate cross-fitted propensities column by column, without a look at the column's fold.

    Column ``k`` is decided on and fitted to rows outside fold ``k``. Its diagonal entries come
    from a calibrator of all of these rows, an off-diagonal entry of fold ``m`` from one of the
    rows outside both folds. (As hyperparameters of column ``k`` do, the choice of the method sees
    fold ``m``, and so do the models behind the other folds' propensities.)

    Parameters
    ----------
    propensity : float64 (n, K)
        Before clipping.
    treatment, groups, fold : int64 (n,)
        Arm, household and fold of each row.
    parameters : NuisanceParameters
        ``calibration`` other than "none", its level, and the clip.

    Returns
    -------
    calibrated : float64 (n, K)
        Before clipping.
    choices : DataFrame
        One row per column: fold, method, statistic, degrees, p_value, and the losses by method.
    """
    calibrated = propensity.copy()
    choices = []
    for column in range(propensity.shape[1]):
        outside = fold != column
        values = propensity[:, column]
        choice = choose_calibration(
            propensity=values,
            treatment=treatment,
            groups=groups,
            fold=fold,
            rows=outside,
            parameters=parameters,
        )
        if choice.method != "none":
            calibrator = fit_calibrator(
                method=choice.method, propensity=values[outside], treatment=treatment[outside]
            )
            calibrated[:, column] = np.where(
                outside, choice.calibrated, calibrator.predict(propensity=values)
            )
        choices.append(
            {
                "fold": column,
                "method": choice.method,
                "statistic": choice.test.statistic,
                "degrees": choice.test.degrees,
                "p_value": choice.test.p_value,
                **{f"log_loss_{name}": choice.losses.get(name, np.nan) for name in METHODS},
            }
        )
    return calibrated, pd.DataFrame(choices)
