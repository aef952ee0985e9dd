"""``dr_learner``: doubly robust scores regressed on the covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed
from promo_uplift.learners.regularised import (
    RegularisedTreesParameters,
    shrunk,
    tail_share,
    winsorised,
)
from promo_uplift.nuisance.scores import dr_scores


class DRLearner(BaseLearner):
    r"""CATE as the regression of the doubly robust score on household covariates, USD.

    .. math:: \hat\tau(x) = \hat E[\Gamma \mid X = x]

    Right if either the propensity or the outcome models are. The scores' variance is large, so
    the regression wants few leaves, large leaves and few trees. ``winsor_share`` moves the tails
    of the scores (``n_winsorised_`` counts the rows); ``shrinkage`` mixes in the mean of the
    unmoved scores: see :class:`promo_uplift.learners.regularised.RegularisedTreesParameters`.
    Scope: observational or randomised, with overlap (clipped propensities).

    References
    ----------
    Kennedy (2023), *Electronic Journal of Statistics* 17(2), 3008-3049, doi:10.1214/23-EJS2157.
    """

    def __init__(self, parameters: RegularisedTreesParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        scores = dr_scores(
            treatment=training.treatment,
            outcome=training.outcome,
            nuisances=training.nuisances,
        )
        self.constant_ = float(np.mean(scores))
        share = tail_share(training=training, winsor_share=self.parameters.winsor_share)
        target, self.n_winsorised_ = winsorised(target=scores, share=share)
        self._effect_model = training.bins.fit(
            target=target,
            objective="regression",
            parameters=self.parameters,
            seed=model_seed(rng=rng),
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        return shrunk(
            cate=self._effect_model.predict(features=features),
            constant=self.constant_,
            shrinkage=self.parameters.shrinkage,
        )

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        TreeSHAP of the one effect model, shrunk like its effects; ``background`` is not needed.
        """
        added = self._effect_model.contributions(features=self._features(covariates))[:, :-1]
        return (1.0 - self.parameters.shrinkage) * added
