"""How alike the arms are that the lots made, one by one and jointly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import chi2

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.nuisance.covariates import covariate_matrix

BALANCE_COLUMNS: Final = (
    "wave",
    "covariate",
    "mean_mailed",
    "mean_control",
    "smd",
    "n_missing",
    "reason",
)
#: Share of the largest direction below which a direction of the covariates is none.
RANK_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Comparable:
    """Covariates as numbers without gaps, ready to be compared between arms again and again.

    Attributes
    ----------
    names : tuple of str
        Covariates, and ``<name> is missing`` where some are.
    numbers : float64 (m, p)
        Gaps filled with the mean of the others, which moves no difference of means.
    spread : float64 (p,)
        Standard deviation over all households; NaN where constant.
    n_missing : int64 (p,)
    """

    names: tuple[str, ...]
    numbers: FloatArray
    spread: FloatArray
    n_missing: IntArray

    def differences(self, mailed: BoolArray) -> FloatArray:
        """Standardised mean difference of each covariate, mailed minus control, ``(p,)``."""
        gap = self.numbers[mailed].mean(axis=0) - self.numbers[~mailed].mean(axis=0)
        smd: FloatArray = gap / self.spread
        return smd


@dataclass(frozen=True, slots=True)
class JointBalance:
    """Test that the lots explain all differences at once.

    Attributes
    ----------
    statistic : float
        Squared Mahalanobis distance of the arms' means within strata.
    degrees : int
        Directions in which the covariates vary.
    p_value : float
        Of a chi-squared distribution; NaN where nothing varies.
    """

    statistic: float
    degrees: int
    p_value: float


def comparable(covariates: pd.DataFrame) -> Comparable:
    """Covariates as numbers without gaps; missingness becomes a covariate of its own."""
    raw = covariate_matrix(covariates=covariates).astype(np.float64)
    missing = np.isnan(raw)
    counts = missing.sum(axis=0)
    known = np.where(missing, 0.0, raw).sum(axis=0) / np.maximum(len(raw) - counts, 1)
    gaps = np.flatnonzero((counts > 0) & (counts < len(raw)))
    names = [str(name) for name in covariates.columns]
    values = np.column_stack([np.where(missing, known, raw), missing[:, gaps].astype(np.float64)])
    spread = values.std(axis=0, ddof=1)
    size = np.abs(values).max(axis=0)
    return Comparable(
        names=(*names, *(f"{names[gap]} is missing" for gap in gaps)),
        numbers=values,
        spread=np.where(spread > RANK_TOLERANCE * size, spread, np.nan),
        n_missing=np.concatenate([counts, np.zeros(len(gaps), dtype=np.int64)]),
    )


def joint_balance(*, covariates: Comparable, mailed: BoolArray, stratum: IntArray) -> JointBalance:
    r"""Distance between the arms in all covariates at once, against what lots do by chance.

    With :math:`d = \sum_s w_s (\bar x_{1s} - \bar x_{0s})` and its covariance under lots drawn
    within strata, :math:`\sum_s w_s^2 (1/n_{1s} + 1/n_{0s}) S_s`, the statistic
    :math:`d' V^+ d` is about chi-squared with as many degrees of freedom as :math:`V` has rank.

    Parameters
    ----------
    covariates : Comparable
        Of the households of one wave.
    mailed : bool (m,)
    stratum : int64 (m,)
        Number of each household's stratum.

    References
    ----------
    Hansen & Bowers (2008), Statistical Science 23(2), doi:10.1214/08-STS254.
    """
    varies = np.isfinite(covariates.spread)
    x = covariates.numbers[:, varies] / covariates.spread[varies]
    gap, covariance = np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
    for number in np.unique(stratum):
        rows = stratum == number
        here, arm = x[rows], mailed[rows]
        weight = len(here) / len(x)
        gap += weight * (here[arm].mean(axis=0) - here[~arm].mean(axis=0))
        scale = weight**2 * (1.0 / arm.sum() + 1.0 / (~arm).sum())
        covariance += scale * np.cov(here, rowvar=False).reshape(covariance.shape)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK_TOLERANCE * max(float(values.max(initial=0.0)), 0.0)
    degrees = int(kept.sum())
    if degrees == 0:
        return JointBalance(0.0, 0, float("nan"))
    statistic = float(np.sum((vectors[:, kept].T @ gap) ** 2 / values[kept]))
    return JointBalance(statistic, degrees, float(chi2.sf(statistic, degrees)))


def balance_rows(*, covariates: Comparable, mailed: BoolArray, wave: int) -> pd.DataFrame:
    """Balance of each covariate: ``BALANCE_COLUMNS``, largest difference first."""
    smd = covariates.differences(mailed)
    constant = np.isnan(covariates.spread)
    table = pd.DataFrame(
        {
            "wave": wave,
            "covariate": covariates.names,
            "mean_mailed": covariates.numbers[mailed].mean(axis=0),
            "mean_control": covariates.numbers[~mailed].mean(axis=0),
            "smd": smd,
            "n_missing": covariates.n_missing,
            "reason": np.where(constant, "constant", ""),
        }
    )
    order = np.argsort(-np.nan_to_num(np.abs(smd), nan=-1.0), kind="stable")
    return table.iloc[order][list(BALANCE_COLUMNS)].reset_index(drop=True)
