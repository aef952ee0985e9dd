"""Least squares whose errors hold with few clusters: CR2 with Satterthwaite's degrees of freedom.

Fifty stores are too few for the usual clustered errors and normal intervals: they come out too
short. The bias-reduced linearisation scales each cluster's residuals by what the fit took from
them, and the t distribution gets the degrees of freedom that the contrast really has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f, t

from promo_uplift.contracts.results import FloatArray


@dataclass(frozen=True, slots=True)
class FewClusterFit:
    """Contrasts of a regression, one regression per outcome on the same design.

    Attributes
    ----------
    value, se : float64 (k, q)
        Contrasts (rows) of each outcome's coefficients, and their CR2 standard errors.
    df : float64 (k,)
        Satterthwaite degrees of freedom of each contrast.
    parts : float64 (G, k, q)
        Each cluster's part of the error: ``se`` is the root of their sum of squares.
    """

    value: FloatArray
    se: FloatArray
    df: FloatArray
    parts: FloatArray

    def half_width(self, *, level: float) -> FloatArray:
        """Half of the t interval at ``level``, ``(k, q)``."""
        return np.asarray(t.ppf(0.5 + level / 2.0, self.df)[:, np.newaxis] * self.se)

    def p_values(self) -> FloatArray:
        """Two-sided t-test that a contrast is 0, ``(k, q)``; NaN where there is no error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.se > 0.0, np.abs(self.value) / self.se, np.nan)
        return np.asarray(2.0 * t.sf(ratio, self.df[:, np.newaxis]))


@dataclass(frozen=True, slots=True)
class JointTest:
    """A joint test that several figures are 0.

    Attributes
    ----------
    statistic, p_value : float
        F statistic and its p-value; NaN where there is no test.
    df_numerator, df_denominator : float
        Degrees of freedom.
    reason : str
        Why there is no test; empty where there is one.
    """

    statistic: float
    p_value: float
    df_numerator: float
    df_denominator: float
    reason: str = ""


def cr2_fit(
    *, design: FloatArray, outcomes: FloatArray, clusters: np.ndarray, contrasts: FloatArray
) -> FewClusterFit:
    r"""Contrasts :math:`c'\hat\beta` of least squares with CR2 errors clustered by ``clusters``.

    .. math:: \widehat V = M \sum_g X_g' A_g e_g e_g' A_g X_g M, \quad
       A_g = (I - X_g M X_g')^{-1/2}, \quad M = (X'X)^{-1}

    under the working model of independent errors of one variance; the degrees of freedom are
    :math:`(\mathrm{tr}\, B)^2 / \mathrm{tr}\, B^2` of the quadratic form that estimates the
    variance.

    Parameters
    ----------
    design : float64 (n, p)
        Of full column rank: the caller has refused any other.
    outcomes : float64 (n, q)
        One column per outcome.
    clusters : (n,)
        Cluster of each row.
    contrasts : float64 (k, p)
        Weights of the coefficients.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018), J. Business &
    Economic Statistics 36(4), eq. 6-11.
    """
    inverse: FloatArray = np.asarray(np.linalg.inv(design.T @ design), dtype=np.float64)
    beta = inverse @ (design.T @ outcomes)
    residual = outcomes - design @ beta
    weights = contrasts @ inverse
    _, code = np.unique(clusters, return_inverse=True)
    n_clusters, n_contrasts = int(code.max()) + 1, len(contrasts)
    parts = np.zeros((n_clusters, n_contrasts, outcomes.shape[1]))
    projected = np.zeros((n_clusters, n_contrasts, design.shape[1]))
    own = np.zeros((n_clusters, n_contrasts))
    for g in range(n_clusters):
        rows = design[code == g]
        adjusted = _inverse_root(np.eye(len(rows)) - rows @ inverse @ rows.T) @ rows @ weights.T
        parts[g] = adjusted.T @ residual[code == g]
        projected[g] = adjusted.T @ rows
        own[g] = np.square(adjusted).sum(axis=0)
    return FewClusterFit(
        value=contrasts @ beta,
        se=np.sqrt(np.square(parts).sum(axis=0)),
        df=np.array([_freedom(own[:, k], projected[:, k], inverse) for k in range(n_contrasts)]),
        parts=parts,
    )


def joint_test(*, value: FloatArray, parts: FloatArray, df: float) -> JointTest:
    r"""F test that ``q`` figures are all 0, their covariance estimated from few clusters.

    Hotelling's :math:`T^2` with ``df`` degrees of freedom behind the covariance,
    :math:`F = \frac{\nu - q + 1}{\nu q}\, \hat\theta' \widehat V^{-1} \hat\theta` on
    :math:`q` and :math:`\nu - q + 1`.

    Parameters
    ----------
    value : float64 (q,)
        Figures.
    parts : float64 (G, q)
        Each cluster's part of their errors.
    df : float
        Degrees of freedom of a single figure's variance.

    References
    ----------
    Pustejovsky & Tipton (2018), eq. 15 (approximate Hotelling test); Zhang (2012), Computational
    Statistics & Data Analysis 56(4).
    """
    nan, size = float("nan"), len(value)
    second = df - size + 1.0
    if size == 0:
        return JointTest(nan, nan, nan, nan, "there is no figure to test")
    if second <= 0.0:
        reason = f"{df:.1f} degrees of freedom cannot test {size} figures together"
        return JointTest(nan, nan, float(size), second, reason)
    covariance = parts.T @ parts
    if np.linalg.matrix_rank(covariance) < size:
        reason = "the figures' covariance has not full rank: they do not vary by themselves"
        return JointTest(nan, nan, float(size), second, reason)
    wald = float(value @ np.linalg.solve(covariance, value))
    statistic = second / (df * size) * wald
    return JointTest(statistic, float(f.sf(statistic, size, second)), float(size), second)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p-values ``(q,)``, valid under any dependence; NaN stays and does not count.

    References
    ----------
    Holm (1979), Scandinavian J. of Statistics 6(2).

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(p), 2) for p in holm(np.array([0.01, 0.04, 0.03]))]
    [0.03, 0.06, 0.06]
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    scaled = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(order) else scaled
    return adjusted


def _inverse_root(matrix: FloatArray) -> FloatArray:
    """Inverse square root; directions that the fit took whole have none and give nothing."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > np.sqrt(np.finfo(np.float64).eps)
    root: FloatArray = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    return root


def _freedom(own: FloatArray, projected: FloatArray, inverse: FloatArray) -> float:
    form = np.diag(own) - projected @ inverse @ projected.T
    squares = float(np.square(form).sum())
    return float(np.trace(form)) ** 2 / squares if squares > 0.0 else float("nan")
