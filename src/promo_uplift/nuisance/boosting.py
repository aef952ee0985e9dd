"""LightGBM on one thread, deterministic: the base model of every nuisance and meta-learner."""

from __future__ import annotations

from typing import Any, Literal

import lightgbm as lgb
import numpy as np

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import FloatArray

Objective = Literal["regression", "binary"]


class BoostedTrees:
    """A fitted LightGBM model: mean outcome in the target's unit, or a probability."""

    def __init__(self, *, booster: Any) -> None:
        self._booster = booster

    def predict(self, *, features: FloatArray) -> FloatArray:
        """Predicted mean (regression) or probability of 1 (binary), ``(m,)``."""
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)


def fit_boosted_trees(
    *,
    features: FloatArray,
    target: FloatArray,
    objective: Objective,
    parameters: LightGBMParameters,
    seed: int,
    weight: FloatArray | None = None,
) -> BoostedTrees:
    """Fit gradient-boosted trees; missing features (NaN) go the way that reduces the loss.

    Parameters
    ----------
    features : float64 (n, p)
        Design; NaN is a missing value.
    target : float64 (n,)
        Outcome in its unit ("regression", squared error), or 0/1 ("binary", log-loss).
    objective : {"regression", "binary"}
        Loss.
    parameters : LightGBMParameters
        Size and regularisation.
    seed : int
        Seed of the column subsample.
    weight : float64 (n,), optional
        Weight of each row in the loss, at least 0; scaled to a mean of 1, so that ``reg_lambda``
        means the same with and without.

    Returns
    -------
    BoostedTrees
        Equal inputs give equal bits: one thread, row-wise histograms, ``deterministic``.

    References
    ----------
    Ke et al. (2017), LightGBM, *NeurIPS* 30.
    """
    settings = {
        "objective": objective,
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.num_leaves,
        "min_data_in_leaf": parameters.min_child_samples,
        "lambda_l2": parameters.reg_lambda,
        "feature_fraction": parameters.colsample_bytree,
        "max_bin": parameters.max_bin,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    scaled = None if weight is None else weight / weight.mean()
    dataset = lgb.Dataset(features, label=target, weight=scaled, params=settings)
    booster = lgb.train(settings, dataset, num_boost_round=parameters.n_estimators)
    return BoostedTrees(booster=booster.free_dataset())
