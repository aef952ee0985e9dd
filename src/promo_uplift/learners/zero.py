"""Baseline ``zero``: the mailing changes nothing."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, NoParameters, TrainingSet


class Zero(BaseLearner):
    """CATE of 0 USD for every household: what "mail nobody" believes."""

    def __init__(self, parameters: NoParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        """Learn nothing."""

    def _predict(self, *, features: FloatArray) -> FloatArray:
        return np.zeros(len(features))
