"""Baseline ``constant``: the average effect, for everyone."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, NoParameters, TrainingSet
from promo_uplift.nuisance.scores import dr_scores


class Constant(BaseLearner):
    r"""CATE = ATE, USD: the mean of the doubly robust scores of the training rows.

    .. math:: \hat\tau(x) = \frac{1}{n} \sum_i \Gamma_i

    The bar that heterogeneity must clear. Scope: observational or randomised, with overlap.

    References
    ----------
    Robins, Rotnitzky & Zhao (1994), doi:10.1080/01621459.1994.10476818.
    """

    def __init__(self, parameters: NoParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        scores = dr_scores(
            treatment=training.treatment,
            outcome=training.outcome,
            nuisances=training.nuisances,
        )
        self.ate_usd_ = float(np.mean(scores))

    def _predict(self, *, features: FloatArray) -> FloatArray:
        return np.full(len(features), self.ate_usd_)
