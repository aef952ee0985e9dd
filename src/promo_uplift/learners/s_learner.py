"""``s_learner``: one outcome model with the treatment as a feature."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed
from promo_uplift.learners.contrast import treatment_contrast


class SLearner(BaseLearner):
    r"""CATE as the difference of one model's predictions with and without mailing, USD.

    .. math:: \hat\tau(x) = \hat\mu(x, 1) - \hat\mu(x, 0)

    With a continuous dose, the mean slope between one standard deviation below and above the mean
    dose of the training rows, :math:`\bar d` and :math:`s`, per unit of dose:

    .. math:: \hat\tau(x) = [\hat\mu(x, \bar d + s) - \hat\mu(x, \bar d - s)] / (2 s)

    (trees are flat between two splits, so a step of one unit could fall between them).

    Regularisation pulls the effect towards 0: a weak treatment may never be split on. Scope:
    observational or randomised; confounding is adjusted by the outcome model alone.

    References
    ----------
    Künzel, Sekhon, Bickel & Yu (2019), *PNAS* 116(10), 4156-4165, doi:10.1073/pnas.1804597116.
    """

    takes_dose = True

    def __init__(self, parameters: LightGBMParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        centre, spread = float(np.mean(training.dose)), float(np.std(training.dose))
        self._doses = (centre - spread, centre + spread) if training.is_dose else (0.0, 1.0)
        self._outcome_model = training.bins.fit(
            last=training.dose,
            target=training.outcome,
            objective="regression",
            parameters=self.parameters,
            seed=model_seed(rng=rng),
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        ones = np.ones(len(features))
        low, high = self._doses
        less, more = (
            self._outcome_model.predict(features=np.column_stack([features, dose * ones]))
            for dose in self._doses
        )
        return np.asarray((more - less) / (high - low), dtype=np.float64)

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to the effect, USD per household, ``(m, p)``; exact.

        TreeSHAP of the model at the higher treatment, less the same at the lower one.
        """
        return treatment_contrast(
            model=self._outcome_model,
            features=self._features(covariates),
            background=self._features(background),
            doses=self._doses,
        )
