"""``r_learner``: the outcome's residual on the treatment's, by boosted trees."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed
from promo_uplift.learners.regularised import (
    RegularisedTreesParameters,
    constant_effect,
    shrunk,
    tail_share,
    winsorised,
)

_SMALLEST_WEIGHT = float(np.finfo(np.float32).tiny)  # LightGBM keeps weights in single precision


class RLearner(BaseLearner):
    r"""CATE that minimises the R-loss, in the outcome's unit (per unit of a continuous dose).

    .. math::

        \hat\tau = \arg\min_\tau \sum_i \left[ (Y_i - m(X_i)) - (T_i - e(X_i))\,\tau(X_i)
        \right]^2

    fitted as the regression of :math:`(Y - m)/(T - e)` with weights :math:`(T - e)^2`. ``m`` and
    ``e`` are the shared out-of-fold nuisances. Rows without overlap weigh little, so it is calmer
    than the doubly robust scores where arms hardly share rows.

    ``winsor_share`` moves the tails of the outcome's residuals (``n_winsorised_`` counts the
    rows); ``shrinkage`` mixes in the constant effect: see
    :class:`promo_uplift.learners.regularised.RegularisedTreesParameters`. Rows whose treatment is
    exactly as expected carry no information and weigh 0.

    Scope: observational or randomised, with overlap; two arms or a continuous dose with an effect
    that is linear in the dose.

    References
    ----------
    Nie & Wager (2021), *Biometrika* 108(2), 299-319, doi:10.1093/biomet/asaa076.
    """

    takes_dose = True

    def __init__(self, parameters: RegularisedTreesParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        share = tail_share(training=training, winsor_share=self.parameters.winsor_share)
        residual, self.n_winsorised_ = winsorised(target=training.outcome_residual, share=share)
        informative = training.dose_residual**2 > _SMALLEST_WEIGHT
        dose_residual = np.where(informative, training.dose_residual, 1.0)
        self.constant_ = constant_effect(training=training)
        self._effect_model = training.bins.fit(
            target=residual / dose_residual,
            weight=np.where(informative, dose_residual**2, 0.0),
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
        """Return what each covariate adds to the effect, in the outcome's unit, ``(m, p)``; exact.

        TreeSHAP of the one effect model, shrunk like its effects; ``background`` is not needed.
        """
        added = self._effect_model.contributions(features=self._features(covariates))[:, :-1]
        return (1.0 - self.parameters.shrinkage) * added
