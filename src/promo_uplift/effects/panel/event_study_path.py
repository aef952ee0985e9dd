"""What an event study hands on: coefficients around a reference period, and their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray

_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class EventStudyPath:
    """Coefficients of consecutive periods around treatment, the reference period left out.

    Attributes
    ----------
    estimates : float64 (n_pre + n_post,)
        Difference of the arms from the reference period, in the outcome's unit per period: first
        the periods before the reference one, in order, then those from treatment on.
    covariance : float64 (n_pre + n_post, n_pre + n_post)
        Their covariance.
    n_pre : int
        How many of them lie before the reference period.

    Raises
    ------
    MetricError
        If shapes disagree, a value is not finite, there is no pre or no post period, or the
        covariance is not symmetric with positive variances.
    """

    estimates: FloatArray
    covariance: FloatArray
    n_pre: int

    def __post_init__(self) -> None:
        """Refuse what no interval can be built on."""
        k = len(self.estimates)
        if self.covariance.shape != (k, k):
            raise MetricError(
                f"`covariance` must be ({k}, {k}) for {k} estimates, found {self.covariance.shape}."
            )
        if not 1 <= self.n_pre < k:
            raise MetricError(
                f"`n_pre` must leave at least one period on each side of treatment; found "
                f"{self.n_pre} of {k}. Use an earlier start of the panel or a later cohort."
            )
        if not (np.isfinite(self.estimates).all() and np.isfinite(self.covariance).all()):
            raise MetricError("`estimates` and `covariance` must be finite; found missing values.")
        scale = float(np.abs(self.covariance).max())
        if np.abs(self.covariance - self.covariance.T).max() > _TOLERANCE * scale:
            raise MetricError("`covariance` must be symmetric; its transpose differs.")
        if (np.diag(self.covariance) <= 0.0).any():
            raise MetricError(
                "`covariance` must have positive variances; found "
                f"{float(np.diag(self.covariance).min())}. Leave the periods without variation out."
            )

    @property
    def n_post(self) -> int:
        """Periods from treatment on."""
        return len(self.estimates) - self.n_pre

    @property
    def pre(self) -> FloatArray:
        """Coefficients before the reference period, ``(n_pre,)``."""
        return self.estimates[: self.n_pre]

    @property
    def post(self) -> FloatArray:
        """Coefficients from treatment on, ``(n_post,)``."""
        return self.estimates[self.n_pre :]

    def target(self, *, weights: FloatArray) -> tuple[float, float]:
        """Weighted sum of the coefficients from treatment on, and its standard error.

        Raises
        ------
        MetricError
            If ``weights`` is not one number per such coefficient, has a negative or missing one,
            or is zero throughout.
        """
        if weights.shape != (self.n_post,):
            raise MetricError(
                f"`weights` must be one number per period from treatment on ({self.n_post}), "
                f"found shape {weights.shape}."
            )
        if not np.isfinite(weights).all() or (weights < 0.0).any() or not weights.any():
            raise MetricError(
                f"`weights` must be numbers, none negative and not all 0; found {weights.tolist()}."
            )
        error = weights @ self.covariance[self.n_pre :, self.n_pre :] @ weights
        return float(weights @ self.post), float(np.sqrt(error))
