"""``causal_forest``: econml's honest causal forest on the shared residuals."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from econml.grf import CausalForest as GrfCausalForest
from pydantic import Field

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import Parameters, Share
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed

_TREES_PER_BAG = 4  # econml's `subforest_size`: trees that share a half-sample, for the variance


class CausalForestParameters(Parameters):
    """Size of the forest (econml's own names).

    ``tuning_n_estimators`` trees rank hyperparameters; ``n_estimators`` trees predict. ``n_jobs``
    threads grow them; the forest does not depend on it.
    """

    n_estimators: Annotated[int, Field(ge=_TREES_PER_BAG, multiple_of=_TREES_PER_BAG)]
    tuning_n_estimators: Annotated[int, Field(ge=_TREES_PER_BAG, multiple_of=_TREES_PER_BAG)]
    min_samples_leaf: Annotated[int, Field(ge=1)]
    max_samples: Annotated[float, Field(gt=0.0, le=0.5)]
    max_features: Annotated[float, Field(gt=0.0, le=1.0)]
    min_balancedness_tol: Annotated[float, Field(ge=0.0, le=0.5)]
    max_depth: Annotated[int, Field(ge=1)]
    min_var_fraction_leaf: Share
    n_jobs: Annotated[int, Field(ge=1)] = 1


class CausalForest(BaseLearner):
    r"""CATE by local residual-on-residual regression with forest weights, USD.

    The forest solves, around each ``x``, the R-learner's moment equation

    .. math:: E\left[ (Y - m(X) - \tau(x) (T - e(X)) - \beta(x)) (T - e(X)) \mid X = x \right] = 0

    with ``m`` the outcome mean and ``e`` the propensity. It is the final stage of econml's
    ``CausalForestDML``: that class fits ``m`` and ``e`` again inside every fit and then hands
    the residuals to this same forest. Here the shared out-of-fold nuisances give the residuals,
    which is what makes tuning affordable; the two agree to rounding on equal residuals (a golden
    test).

    Missing covariates are replaced by training medians (``n_imputed_`` counts the training
    cells); a covariate without any value becomes 0. The native interval is the bootstrap of
    little bags; it treats rows as independent, so a household in several trials makes it too
    narrow. Scope: observational or randomised, with overlap; with a continuous dose the effect
    is per unit of it.

    References
    ----------
    Athey, Tibshirani & Wager (2019), *Annals of Statistics* 47(2), 1148-1178,
    doi:10.1214/18-AOS1709. Nie & Wager (2021), *Biometrika* 108(2), 299-319.
    """

    takes_dose = True

    def __init__(self, parameters: CausalForestParameters) -> None:
        self.parameters = parameters

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Pointwise interval by the bootstrap of little bags, USD, ``(m, 2)``.

        Raises
        ------
        LearnerError
            If ``level`` is not strictly between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise LearnerError(f"`level` must lie strictly between 0 and 1, got {level}. Try 0.95.")
        features = self._imputed(self._features(covariates))
        low, high = self._forest.predict_interval(features, alpha=1.0 - level)
        return np.column_stack([low[:, 0], high[:, 0]])

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        missing = np.isnan(training.features)
        self.n_imputed_ = int(missing.sum())
        self._medians = np.array(
            [
                np.median(column[~gap]) if not gap.all() else 0.0
                for column, gap in zip(training.features.T, missing.T, strict=True)
            ]
        )
        size = self.parameters
        self._forest = GrfCausalForest(
            n_estimators=size.n_estimators,
            min_samples_leaf=size.min_samples_leaf,
            min_var_fraction_leaf=size.min_var_fraction_leaf or None,
            max_depth=size.max_depth,
            max_samples=size.max_samples,
            max_features=size.max_features,
            min_balancedness_tol=size.min_balancedness_tol,
            subforest_size=_TREES_PER_BAG,
            honest=True,
            inference=True,
            n_jobs=size.n_jobs,
            random_state=model_seed(rng=rng),
        ).fit(
            self._imputed(training.features),
            training.dose_residual,
            training.outcome_residual,
        )
        # Threads would add up the trees' predictions in the order in which they finish.
        self._forest.n_jobs = 1

    def _predict(self, *, features: FloatArray) -> FloatArray:
        return np.asarray(self._forest.predict(self._imputed(features))[:, 0], dtype=np.float64)

    def _imputed(self, features: FloatArray) -> FloatArray:
        return np.where(np.isnan(features), self._medians, features)
