"""``trend_learner``: a sparse linear trend with effect modifiers, then trees on what it leaves."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold

from promo_uplift.contracts.parameters import Count, LightGBMParameters, OpenShare
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed
from promo_uplift.learners.contrast import treatment_contrast


class TrendLearnerParameters(LightGBMParameters):
    """Size of the boosted part, and of the search for the trend's penalty.

    ``trend_folds`` folds choose among ``trend_penalties`` penalties between the largest that
    leaves a coefficient and ``trend_smallest`` times it; ``trend_tolerance`` ends the descent.
    """

    trend_folds: Annotated[int, Field(ge=2)]
    trend_penalties: Count
    trend_smallest: OpenShare
    trend_tolerance: Annotated[float, Field(gt=0.0)]


class TrendLearner(BaseLearner):
    r"""CATE of a linear trend and a boosted remainder, in the outcome's unit.

    With standardised covariates :math:`z` and :math:`w = t - 1/2`,

    .. math::

        \hat\mu(x, t) = \alpha + z'\beta + w (\gamma + z'\delta) + g(x, t), \qquad
        \hat\tau(x) = \gamma + z'\delta + g(x, 1) - g(x, 0)

    where the first part is a lasso (penalty by cross-validation over rows) and :math:`g` are
    boosted trees on its residuals, with the treatment as a feature. Trees alone need many steps
    to follow a slope, and few rows of one arm do not allow them: the trend takes the slopes, the
    trees the rest. It is an S-learner: confounding is adjusted by the outcome model alone.

    Missing covariates count as their mean in the trend and stay missing in the trees. Exchanging
    the arms negates the effect. Scope: observational or randomised.

    References
    ----------
    Tibshirani (1996), *JRSS B* 58(1), 267-288. Künzel, Sekhon, Bickel & Yu (2019), *PNAS*
    116(10), 4156-4165, doi:10.1073/pnas.1804597116. Imai & Ratkovic (2013), *Annals of Applied
    Statistics* 7(1), 443-470, doi:10.1214/12-AOAS593 (lasso on effect modifiers).
    """

    def __init__(self, parameters: TrendLearnerParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        size = self.parameters
        seed = model_seed(rng=rng)
        self._learn_scale(training.features)
        treatment = training.treatment.astype(np.float64)
        design = self._trend_design(training.features, treatment)
        trend = LassoCV(
            alphas=size.trend_penalties,
            eps=size.trend_smallest,
            cv=KFold(size.trend_folds, shuffle=True, random_state=seed),
            tol=size.trend_tolerance,
            n_jobs=1,
        ).fit(design, training.outcome)
        self._effect_coefficients = np.asarray(trend.coef_[training.features.shape[1] :])
        self._remainder = training.bins.fit(
            last=treatment,
            target=training.outcome - trend.predict(design),
            objective="regression",
            parameters=size,
            seed=seed,
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        ones = np.ones(len(features))
        slopes = self._effect_coefficients
        trend = slopes[0] + self._standardised(features) @ slopes[1:]
        treated = self._remainder.predict(features=np.column_stack([features, ones]))
        control = self._remainder.predict(features=np.column_stack([features, 0.0 * ones]))
        return np.asarray(trend + treated - control, dtype=np.float64)

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        Slope times distance from the training mean, and TreeSHAP of the remainder with the
        treatment set to 1, less the same with 0.
        """
        features = self._features(covariates)
        trend = self._standardised(features) * self._effect_coefficients[1:]
        remainder = treatment_contrast(
            model=self._remainder,
            features=features,
            background=self._features(background),
            doses=(0.0, 1.0),
        )
        return np.asarray(trend + remainder, dtype=np.float64)

    def _learn_scale(self, features: FloatArray) -> None:
        known = ~np.isnan(features)
        count = np.maximum(known.sum(axis=0), 1)
        self._mean = np.where(known, features, 0.0).sum(axis=0) / count
        variance = (np.where(known, features - self._mean, 0.0) ** 2).sum(axis=0) / count
        self._scale = np.where(variance > 0.0, np.sqrt(variance), 1.0)

    def _standardised(self, features: FloatArray) -> FloatArray:
        """Mean 0, deviation 1 of the training rows; a missing value is the mean."""
        standardised = (features - self._mean) / self._scale
        return np.asarray(np.nan_to_num(standardised, nan=0.0), dtype=np.float64)

    def _trend_design(self, features: FloatArray, treatment: FloatArray) -> FloatArray:
        standardised = self._standardised(features)
        centred = treatment - 0.5
        return np.column_stack([standardised, centred, standardised * centred[:, None]])
