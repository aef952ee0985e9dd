"""Covariates as the columns of a regression, and least squares on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.nuisance.covariates import covariate_matrix


@dataclass(frozen=True, slots=True)
class Design:
    """Linearly independent columns that span the covariates.

    Attributes
    ----------
    matrix : float64 (n, k)
        A column of ones; indicators of all campaigns but the first; each covariate, centred, in
        standard deviations, missing values at its mean; an indicator of each covariate's missing
        values.
    columns : tuple of str (k,)
        Their names.
    source : tuple of str (k,)
        Covariate that the column stands for; empty for the ones and the campaigns.
    redundant : tuple of str
        Columns left out because those before them add up to them: the effect of the treatment is
        the same without.
    n_filled : int
        Missing values, each set to its covariate's mean beside an indicator.
    """

    matrix: FloatArray
    columns: tuple[str, ...]
    source: tuple[str, ...]
    redundant: tuple[str, ...]
    n_filled: int

    @property
    def note(self) -> str:
        """What was left out and filled, in words."""
        parts = []
        if self.redundant:
            parts.append(f"{len(self.redundant)} redundant columns left out")
        if self.n_filled:
            parts.append(f"{self.n_filled} missing values filled beside an indicator")
        return "; ".join(parts)


def covariate_design(
    *, covariates: pd.DataFrame, campaign: IntArray, rank_tolerance: float
) -> Design:
    """Columns of a regression on the covariates and the campaigns, without collinear ones.

    Parameters
    ----------
    covariates : DataFrame (n, p)
        Covariates; missing values are NaN.
    campaign : int64 (n,)
        Campaign of each row.
    rank_tolerance : float
        A column is redundant if what earlier columns leave of it is at most this share of it.
    """
    raw = covariate_matrix(covariates=covariates)
    missing = np.isnan(raw)
    n_present = (~missing).sum(axis=0)
    mean = np.where(missing, 0.0, raw).sum(axis=0) / np.maximum(n_present, 1)
    centred = np.where(missing, 0.0, raw - mean)
    scale = np.sqrt(np.square(centred).mean(axis=0))
    varies = scale > rank_tolerance * np.abs(mean)
    standard = np.where(varies, centred / np.where(varies, scale, 1.0), 0.0)
    names = [str(name) for name in covariates.columns]
    gaps = np.flatnonzero(missing.any(axis=0))
    trials = np.unique(campaign)[1:]
    values = np.column_stack(
        [
            np.ones(len(raw)),
            *(campaign == one for one in trials),
            standard,
            missing[:, gaps],
        ]
    ).astype(np.float64)
    columns = [
        "intercept",
        *(f"campaign {one}" for one in trials),
        *names,
        *(f"{names[gap]} is missing" for gap in gaps),
    ]
    source = [""] * (1 + len(trials)) + names + [names[gap] for gap in gaps]
    keep = independent_columns(values=values, tolerance=rank_tolerance)
    return Design(
        matrix=values[:, keep],
        columns=tuple(np.array(columns, dtype=object)[keep]),
        source=tuple(np.array(source, dtype=object)[keep]),
        redundant=tuple(np.array(columns, dtype=object)[~keep]),
        n_filled=int(missing.sum()),
    )


def independent_columns(*, values: FloatArray, tolerance: float) -> BoolArray:
    """Which columns are no linear combination of those before them, ``(k,)``.

    The triangle of a QR decomposition has the columns' lengths and angles in ``k`` dimensions;
    Gram-Schmidt, twice per column, goes over that.
    """
    triangle = np.asarray(np.linalg.qr(values, mode="r"), dtype=np.float64)
    basis = np.zeros((triangle.shape[0], min(triangle.shape)))
    keep = np.zeros(values.shape[1], dtype=np.bool_)
    count = 0
    for j, column in enumerate(triangle.T):
        if count == basis.shape[1]:
            break
        known = basis[:, :count]
        rest = column - known @ (known.T @ column)
        rest = rest - known @ (known.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > tolerance * float(np.linalg.norm(column)):
            basis[:, count] = rest / length
            keep[j] = True
            count += 1
    return keep


@dataclass(frozen=True, slots=True)
class LinearFit:
    """Least squares of a target on ``k`` independent columns.

    Attributes
    ----------
    coefficients : float64 (k,)
    inverse : float64 (k, k)
        :math:`(X'X)^{-1}`.
    residuals : float64 (n,)
    dof : int
        ``n - k``.
    """

    coefficients: FloatArray
    inverse: FloatArray
    residuals: FloatArray
    dof: int

    @property
    def variance(self) -> float:
        """Residual variance, in the target's unit squared."""
        return float(self.residuals @ self.residuals) / self.dof


def least_squares(*, values: FloatArray, target: FloatArray) -> LinearFit:
    """Least squares of ``target`` on the columns of ``values``, which must be independent.

    Raises
    ------
    MetricError
        If there are not more rows than columns.
    """
    n, k = values.shape
    if n <= k:
        raise MetricError(
            f"`values` must have more rows than columns, found {n} and {k}. Use fewer covariates."
        )
    q, r = np.linalg.qr(values)
    back = np.linalg.inv(r)
    fitted = q.T @ target
    return LinearFit(back @ fitted, back @ back.T, target - q @ fitted, n - k)
