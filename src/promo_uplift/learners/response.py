"""Baseline ``response``: rank by predicted spend, as a response model would."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed


class Response(BaseLearner):
    """Predicted outcome, USD: a score to rank by, not an effect.

    The usual practice in retail, mailing the best customers, made explicit so that uplift must
    beat it. The score ignores treatment.
    """

    def __init__(self, parameters: LightGBMParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        self._outcome_model = training.bins.fit(
            target=training.outcome,
            objective="regression",
            parameters=self.parameters,
            seed=model_seed(rng=rng),
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        return self._outcome_model.predict(features=features)
