"""``class_transformation``: one weighted model whose target carries the effect."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed


class ClassTransformation(BaseLearner):
    r"""CATE from one model of a transformed outcome, in the outcome's unit.

    Every row weighs :math:`w = T/e + (1 - T)/(1 - e)`, as if each arm were the whole population.

    A binary outcome becomes the class :math:`Z = Y T + (1 - Y)(1 - T)`, "did what its arm should
    do", and a classifier's probability gives the risk difference:

    .. math:: \hat\tau(x) = 2 \hat P_w(Z = 1 \mid x) - 1

    Any other outcome is modified by the sign of its arm, around the training mean :math:`c`, and
    a regression gives the effect:

    .. math:: \hat\tau(x) = 2 \hat E_w[(2T - 1)(Y - c) \mid x]

    Both hold because the weights' mean is 2 at every ``x``. The outcome models are not used: the
    target carries the outcome's whole variance, and a wrong propensity is not made good by
    anything. Scope: observational or randomised, with overlap and a right propensity.

    References
    ----------
    Jaskowski & Jaroszewicz (2012), *ICML Workshop on Clinical Data Analysis* (binary). Signorovitch
    (2007), PhD thesis, Harvard; Tian et al. (2014), *JASA* 109(508), 1517-1532,
    doi:10.1080/01621459.2014.951443 (modified outcome). Athey & Imbens (2016), *PNAS* 113(27),
    7353-7360, doi:10.1073/pnas.1510489113 (transformed outcome).
    """

    def __init__(self, parameters: LightGBMParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        treated = training.treatment == 1
        propensity = training.nuisances.propensity
        outcome = training.outcome
        self.is_binary_ = bool(np.isin(outcome, (0.0, 1.0)).all())
        target = (
            np.where(treated, outcome, 1.0 - outcome)
            if self.is_binary_
            else np.where(treated, 1.0, -1.0) * (outcome - outcome.mean())
        )
        self._model = training.bins.fit(
            target=target,
            weight=1.0 / np.where(treated, propensity, 1.0 - propensity),
            objective="binary" if self.is_binary_ else "regression",
            parameters=self.parameters,
            seed=model_seed(rng=rng),
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        predicted = 2.0 * self._model.predict(features=features)
        return predicted - 1.0 if self.is_binary_ else predicted
