"""``x_learner``: effects imputed with the nuisances, learned per arm, weighted by propensity."""

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


class XLearner(BaseLearner):
    r"""CATE from imputed effects, USD.

    .. math::

        D^1 = Y - \hat\mu_0(X) \text{ (mailed)}, \quad D^0 = \hat\mu_1(X) - Y \text{ (not mailed)}

        \hat\tau(x) = \hat e(x) \, \hat\tau_0(x) + (1 - \hat e(x)) \, \hat\tau_1(x)

    ``mu0`` and ``mu1`` are the shared out-of-fold nuisances; the weight ``e`` is a propensity
    model of its own on household covariates, since it must predict for new households.
    ``winsor_share`` moves the tails of each arm's imputed effects (``n_winsorised_`` counts the
    rows of both); ``shrinkage`` mixes in the constant effect: see
    :class:`promo_uplift.learners.regularised.RegularisedTreesParameters`. Scope: observational or
    randomised; strong where the arms differ much in size.

    References
    ----------
    Künzel, Sekhon, Bickel & Yu (2019), *PNAS* 116(10), 4156-4165, eqs. (7)-(9),
    doi:10.1073/pnas.1804597116.
    """

    def __init__(self, parameters: RegularisedTreesParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        seed = model_seed(rng=rng)
        mailed = training.treatment == 1
        nuisances = training.nuisances
        imputed = np.where(
            mailed, training.outcome - nuisances.mu0, nuisances.mu1 - training.outcome
        )
        self.constant_ = constant_effect(training=training)
        share = tail_share(training=training, winsor_share=self.parameters.winsor_share)
        targets = [winsorised(target=imputed[rows], share=share) for rows in (~mailed, mailed)]
        self.n_winsorised_ = sum(n_moved for _, n_moved in targets)
        self._effect_models = tuple(
            training.bins.fit(
                among=rows,
                target=target,
                objective="regression",
                parameters=self.parameters,
                seed=seed,
            )
            for rows, (target, _) in zip((~mailed, mailed), targets, strict=True)
        )
        self._propensity_model = training.bins.fit(
            target=mailed.astype(np.float64),
            objective="binary",
            parameters=self.parameters,
            seed=seed,
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        of_not_mailed, of_mailed = (
            model.predict(features=features) for model in self._effect_models
        )
        propensity = self._propensity_model.predict(features=features)
        return shrunk(
            cate=propensity * of_not_mailed + (1.0 - propensity) * of_mailed,
            constant=self.constant_,
            shrinkage=self.parameters.shrinkage,
        )

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        TreeSHAP of both effect models, weighted by each row's propensity. Where their base values
        differ the weight itself moves the effect: that part goes to the covariates as they move the
        propensity's log-odds. Shrunk like
        its effects; ``background`` is not needed.
        """
        features = self._features(covariates)
        of_not_mailed, of_mailed, log_odds = (
            model.contributions(features=features)
            for model in (*self._effect_models, self._propensity_model)
        )
        weight = self._propensity_model.predict(features=features)[:, np.newaxis]
        weighted = weight * of_not_mailed[:, :-1] + (1.0 - weight) * of_mailed[:, :-1]
        moved = log_odds[:, :-1].sum(axis=1, keepdims=True)
        base = 1.0 / (1.0 + np.exp(-log_odds[:, -1:]))
        still = np.abs(moved) < np.sqrt(np.finfo(np.float64).eps)
        # mean slope of the propensity in its log-odds between the base value and the row
        slope = np.where(still, base * (1.0 - base), (weight - base) / np.where(still, 1.0, moved))
        between = of_not_mailed[:, -1:] - of_mailed[:, -1:]
        added = weighted + between * slope * log_odds[:, :-1]
        return np.asarray((1.0 - self.parameters.shrinkage) * added, dtype=np.float64)
