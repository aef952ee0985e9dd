"""``uplift_forest``: causalml's forests that split where the arms differ."""

from __future__ import annotations

import logging
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import numpy as np
from matplotlib import rc_context
from pydantic import Field

from promo_uplift.contracts.parameters import Count, Parameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, TrainingSet, model_seed

_ARMS = ("control", "treatment")


def _trees() -> ModuleType:
    """Import causalml's trees, which not every Python has, and keep the figures' style.

    causalml sets a Matplotlib style of its own when it is imported, and logs an error about a
    package for citations that nobody needs.
    """
    citations = logging.getLogger("duecredit")
    level = citations.level
    citations.setLevel(logging.CRITICAL)
    try:
        with rc_context():
            return import_module("causalml.inference.tree")
    finally:
        citations.setLevel(level)


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
    less the mean of its two shared expectations, to causalml's honest
    ``CausalRandomForestRegressor``: splits that lower the expected error of the effect.

    .. math:: Y - \tfrac{1}{2} [\mu_0(X) + \mu_1(X)]

    **The trees alone do not adjust for confounding**: inside a leaf the arms are compared as they
    are. The difference above makes up for it as far as the outcome models are right: it is
    :math:`\pm\tau(X)/2` by arm plus noise, so an effect that is the same within a leaf is found
    whatever the propensities there (less :math:`m(x)` it would be understated by their spread).
    With a binary outcome **nothing is adjusted for** but what the trees split on. causalml 0.18
    takes weights in both, and loses the effect with them (measured), so none are given. In an
    observational table ``causal_forest`` is the safer forest. Scope: randomised; observational as
    a comparison.

    A leaf whose honest half lacks an arm has no effect to offer: its tree abstains for the rows in
    it, and ``n_abstained_`` counts the training rows and trees concerned. Where every tree
    abstains the effect is the difference of the arms' means.

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
            self.n_abstained_ = 0
        else:
            nuisances = training.nuisances
            centred = training.outcome - (nuisances.mu0 + nuisances.mu1) / 2.0
            self._forest = self._regressor(seed=seed)
            self._forest.fit(X=features, treatment=training.treatment, y=centred)
            treated = training.treatment == 1
            self._difference = float(centred[treated].mean() - centred[~treated].mean())
            self.n_abstained_ = int(np.isnan(self._by_tree(features)).sum())

    def _classifier(self, *, n_covariates: int, seed: int) -> Any:
        size = self.parameters
        return _trees().UpliftRandomForestClassifier(
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
        size = self.parameters
        return _trees().CausalRandomForestRegressor(
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
        complete = self._imputed(features)
        if self.is_binary_:
            predicted = np.asarray(self._forest.predict(X=complete), dtype=np.float64)
            return predicted.reshape(len(features))
        by_tree = self._by_tree(complete)
        offered = ~np.isnan(by_tree)
        count = offered.sum(axis=0)
        mean = np.where(offered, by_tree, 0.0).sum(axis=0) / np.maximum(count, 1)
        return np.where(count > 0, mean, self._difference)

    def _by_tree(self, complete: FloatArray) -> FloatArray:
        """Effect of each row in each tree, NaN where the tree abstains, ``(trees, m)``."""
        return np.array([tree.predict(complete) for tree in self._forest.estimators_], dtype=float)

    def _imputed(self, features: FloatArray) -> FloatArray:
        return np.where(np.isnan(features), self._medians, features)
