"""``linear_dml``: an effect that is linear in the covariates, on the shared residuals."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from promo_uplift.contracts.parameters import Parameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet

_BLOCK = 4_096  # rows whose design is in memory at once


class LinearDMLParameters(Parameters):
    """Penalty on the slopes; 0 is least squares.

    Relative to the data: without correlation, ``ridge`` 1 halves every slope, whatever the units
    and the number of rows.
    """

    ridge: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class LinearDML(BaseLearner):
    r"""CATE linear in standardised covariates, in the outcome's unit (per unit of a dose).

    With :math:`\tilde Y = Y - m(X)`, :math:`\tilde T = T - e(X)` and standardised covariates
    :math:`z`,

    .. math::

        \min_{\alpha, \beta} \; \frac{\sum_i [\tilde Y_i - \tilde T_i (\alpha + z_i'\beta)]^2}
        {\sum_i \tilde T_i^2} + \lambda \lVert \beta \rVert^2, \qquad
        \hat\tau(x) = \hat\alpha + z'\hat\beta

    The intercept is not penalised: a large :math:`\lambda` gives one effect for all. With
    :math:`\lambda = 0` it is the final stage of econml's ``LinearDML`` on the same residuals (a
    golden test); that class fits ``m`` and ``e`` anew inside every fit.

    A missing covariate counts as the training mean (``n_imputed_`` counts the training cells); a
    constant one has no slope. Scope: observational or randomised, with overlap; two arms or a
    continuous dose.

    References
    ----------
    Chernozhukov et al. (2018), *The Econometrics Journal* 21(1), C1-C68, doi:10.1111/ectj.12097.
    Semenova & Chernozhukov (2021), *The Econometrics Journal* 24(2), 264-289,
    doi:10.1093/ectj/utaa027. Hoerl & Kennard (1970), *Technometrics* 12(1), 55-67.
    """

    takes_dose = True

    def __init__(self, parameters: LinearDMLParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        columns = [column[~np.isnan(column)] for column in training.features.T]
        self.n_imputed_ = training.features.size - sum(len(known) for known in columns)
        self._mean = np.array([known.mean() if len(known) else 0.0 for known in columns])
        deviation = np.array([known.std() if len(known) else 0.0 for known in columns])
        self._scale = np.where(deviation > 0.0, deviation, 1.0)
        residual = training.dose_residual
        size = float(np.sqrt(residual @ residual))
        penalty = np.full(len(columns) + 1, self.parameters.ridge)
        penalty[0] = 0.0
        gram, target = np.zeros((len(penalty), len(penalty))), np.zeros(len(penalty))
        for first in range(0, len(residual), _BLOCK):
            rows = slice(first, first + _BLOCK)
            design = self._design(training.features[rows]) * (residual[rows] / size)[:, None]
            # einsum, not @: one thread, as everything here; threads of such a product only wait
            gram += np.einsum("ij,ik->jk", design, design)
            target += np.einsum("ij,i->j", design, training.outcome_residual[rows] / size)
        # least squares of the normal equations: the smallest slopes where columns repeat each other
        self.coefficients_ = np.linalg.lstsq(
            gram + np.diag(penalty),
            target,
            rcond=None,
        )[0]

    def _predict(self, *, features: FloatArray) -> FloatArray:
        # row by row, so that a row's effect does not depend on the rows beside it
        return np.asarray((self._design(features) * self.coefficients_).sum(axis=1))

    def _design(self, features: FloatArray) -> FloatArray:
        standardised = np.nan_to_num((features - self._mean) / self._scale, nan=0.0)
        return np.column_stack([np.ones(len(features)), standardised])

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, in the outcome's unit, ``(m, p)``; exact.

        Coefficient times distance to the training mean; ``background`` is not needed.
        """
        added = self._design(self._features(covariates)) * self.coefficients_
        return np.asarray(added[:, 1:], dtype=np.float64)
