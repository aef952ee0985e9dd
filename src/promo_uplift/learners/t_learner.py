"""``t_learner``: one outcome model per arm."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed


class TLearner(BaseLearner):
    r"""CATE as the difference of the arms' outcome models, USD.

    .. math:: \hat\tau(x) = \hat\mu_1(x) - \hat\mu_0(x)

    Both models share one seed, so that exchanging the arms negates the effect. Noise of both
    models adds up: it exaggerates heterogeneity where the effect is simple. Scope: observational
    or randomised; confounding is adjusted by the outcome models alone.

    References
    ----------
    Künzel, Sekhon, Bickel & Yu (2019), *PNAS* 116(10), 4156-4165, doi:10.1073/pnas.1804597116.
    """

    def __init__(self, parameters: LightGBMParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        seed = model_seed(rng=rng)
        self._outcome_models = tuple(
            training.bins.fit(
                among=training.treatment == arm,
                target=training.outcome[training.treatment == arm],
                objective="regression",
                parameters=self.parameters,
                seed=seed,
            )
            for arm in (0, 1)
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        not_mailed, mailed = self._outcome_models
        return mailed.predict(features=features) - not_mailed.predict(features=features)

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        TreeSHAP of the mailed arm's model less the other's; ``background`` is not needed.
        """
        features = self._features(covariates)
        not_mailed, mailed = (
            model.contributions(features=features)[:, :-1] for model in self._outcome_models
        )
        return np.asarray(mailed - not_mailed, dtype=np.float64)
