"""``s_learner``: one outcome model with the treatment as a feature."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed
from promo_uplift.learners.contrast import treatment_contrast
from promo_uplift.nuisance.boosting import fit_boosted_trees


class SLearner(BaseLearner):
    r"""CATE as the difference of one model's predictions with and without mailing, USD.

    .. math:: \hat\tau(x) = \hat\mu(x, 1) - \hat\mu(x, 0)

    Regularisation pulls the effect towards 0: a weak treatment may never be split on. Scope:
    observational or randomised; confounding is adjusted by the outcome model alone.

    References
    ----------
    Künzel, Sekhon, Bickel & Yu (2019), *PNAS* 116(10), 4156-4165, doi:10.1073/pnas.1804597116.
    """

    def __init__(self, parameters: LightGBMParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        self._outcome_model = fit_boosted_trees(
            features=np.column_stack([training.features, training.treatment]),
            target=training.outcome,
            objective="regression",
            parameters=self.parameters,
            seed=model_seed(rng=rng),
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        ones = np.ones(len(features))
        mailed = self._outcome_model.predict(features=np.column_stack([features, ones]))
        not_mailed = self._outcome_model.predict(features=np.column_stack([features, 0.0 * ones]))
        return mailed - not_mailed

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        TreeSHAP of the model with the treatment set to 1, less the same with 0.
        """
        return treatment_contrast(
            model=self._outcome_model,
            features=self._features(covariates),
            background=self._features(background),
        )
