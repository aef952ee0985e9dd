"""``uplift_forest``: causalml's forests that split where the arms differ."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from promo_uplift.contracts.parameters import Count, Parameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed

_ARMS = ("control", "treatment")


class UpliftForestParameters(Parameters):
    """Size of the forest.

    ``tuning_n_estimators`` trees rank hyperparameters, ``n_estimators`` predict;
    ``min_samples_leaf`` rows at least in a leaf, ``min_samples_treatment`` of each arm;
    ``max_features`` is the share of the covariates that a split may use.
    """

    n_estimators: Count
    tuning_n_estimators: Count
    max_depth: Count
    min_samples_leaf: Count
    min_samples_treatment: Count
    max_features: Annotated[float, Field(gt=0.0, le=1.0)]


class UpliftForest(BaseLearner):
    r"""CATE as the difference of the arms within the leaves of a forest, in the outcome's unit.

    A binary outcome is given to causalml's ``UpliftRandomForestClassifier``: splits that raise
    the divergence (Kullback-Leibler) between the arms' outcome rates. Any other outcome is given,
    less its shared expectation :math:`m(x)`, to causalml's honest ``CausalRandomForestRegressor``:
    splits that lower the expected error of the effect.

    **Neither adjusts for confounding**: inside a leaf the arms are compared as they are, and only
    the covariates that the forest splits on are held equal. Taking :math:`m(x)` off removes what
    the outcome owes to the covariates, and most of the noise with it; but where the propensity
    :math:`e` varies within a leaf, the effect is still not that of the R-learner's residuals. In
    an observational table ``causal_forest`` is the safer forest. Scope: randomised; observational
    as a comparison.

    Missing covariates are replaced by training medians (``n_imputed_`` counts the training
    cells); a covariate without any value becomes 0. One thread, deterministic by the seed.
    Exchanging the arms gives another forest: causalml draws its honest halves arm by arm.

    References
    ----------
    Rzepakowski & Jaroszewicz (2012), *Knowledge and Information Systems* 32, 303-327,
    doi:10.1007/s10115-011-0434-0. Athey & Imbens (2016), *PNAS* 113(27), 7353-7360,
    doi:10.1073/pnas.1510489113. Chen et al. (2020), CausalML, arXiv:2002.11631.
    """

    def __init__(self, parameters: UpliftForestParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        missing = np.isnan(training.features)
        self.n_imputed_ = int(missing.sum())
        self._medians = np.array(
            [
                np.median(column[~gap]) if not gap.all() else 0.0
                for column, gap in zip(training.features.T, missing.T, strict=True)
            ]
        )
        features = self._imputed(training.features)
        seed = model_seed(rng=rng)
        self.is_binary_ = bool(np.isin(training.outcome, (0.0, 1.0)).all())
        if self.is_binary_:
            self._forest = self._classifier(n_covariates=features.shape[1], seed=seed)
            self._forest.fit(
                X=features,
                treatment=np.array(_ARMS)[training.treatment],
                y=training.outcome.astype(np.int64),
            )
        else:
            self._forest = self._regressor(seed=seed)
            self._forest.fit(
                X=features, treatment=training.treatment, y=training.outcome_residual
            )

    def _classifier(self, *, n_covariates: int, seed: int) -> Any:
        from causalml.inference.tree import UpliftRandomForestClassifier

        size = self.parameters
        return UpliftRandomForestClassifier(
            control_name=_ARMS[0],
            n_estimators=size.n_estimators,
            max_depth=size.max_depth,
            min_samples_leaf=size.min_samples_leaf,
            min_samples_treatment=size.min_samples_treatment,
            max_features=max(1, round(size.max_features * n_covariates)),
            evaluationFunction="KL",
            random_state=seed,
            n_jobs=1,
        )

    def _regressor(self, *, seed: int) -> Any:
        from causalml.inference.tree import CausalRandomForestRegressor

        size = self.parameters
        return CausalRandomForestRegressor(
            control_name=0,
            n_estimators=size.n_estimators,
            max_depth=size.max_depth,
            min_samples_leaf=size.min_samples_leaf,
            min_samples_split=2 * size.min_samples_leaf,
            min_group_samples=size.min_samples_treatment,
            max_features=size.max_features,
            groups_cnt=False,
            random_state=seed,
            n_jobs=1,
        )

    def _predict(self, *, features: FloatArray) -> FloatArray:
        predicted = np.asarray(self._forest.predict(X=self._imputed(features)), dtype=np.float64)
        return predicted.reshape(len(features))

    def _imputed(self, features: FloatArray) -> FloatArray:
        return np.where(np.isnan(features), self._medians, features)
