"""The trend learner finds a line that it was told nothing of, and trees find the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import build_learner

TREES = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
TREND = {
    "trend_folds": 5,
    "trend_penalties": 30,
    "trend_smallest": 0.001,
    "trend_tolerance": 0.0001,
}


def world(*, n, seed, effect, noise):
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    treatment = rng.integers(0, 2, n)
    cate = effect(covariates)
    mu0 = 3.0 * covariates["a"].to_numpy()
    outcome = mu0 + cate * treatment + rng.normal(0, noise, n)
    return covariates, treatment, outcome, cate


def fitted(name, covariates, treatment, outcome):
    n = len(treatment)
    choice = TREES | TREND if name == "trend_learner" else TREES
    return build_learner(name=name, choice=choice).fit(
        covariates=covariates,
        treatment=treatment,
        outcome=outcome,
        nuisances=NuisanceValues(np.full(n, 0.5), np.zeros(n), np.zeros(n)),
        groups=np.arange(n),
        rng=np.random.default_rng(0),
    )


def rmse(name, effect, noise):
    covariates, treatment, outcome, _ = world(n=400, seed=1, effect=effect, noise=noise)
    new, _, _, true_cate = world(n=2_000, seed=2, effect=effect, noise=noise)
    predicted = fitted(name, covariates, treatment, outcome).predict_cate(covariates=new)
    return float(np.sqrt(np.mean((predicted - true_cate) ** 2)))


def slope(covariates):
    return 1.0 + 2.0 * covariates["b"].to_numpy()


def step(covariates):
    return np.where(covariates["b"].to_numpy() > 0, 4.0, -4.0)


def test_without_noise_a_line_is_recovered():
    # spread of the effect: 2; what is left is the smallest penalty's shrinkage
    assert rmse("trend_learner", slope, noise=0.0) < 0.05


def test_a_sloping_effect_is_found_from_few_rows_better_than_by_trees():
    assert rmse("trend_learner", slope, noise=1.0) < 0.6 * rmse("s_learner", slope, noise=1.0)


def test_the_trees_find_what_no_line_can():
    # the best line leaves 4 sqrt(1 - 2 / pi) = 2.4
    assert rmse("trend_learner", step, noise=1.0) < 1.4


def test_missing_values_count_as_the_mean_in_the_trend():
    covariates, treatment, outcome, _ = world(n=400, seed=3, effect=slope, noise=0.5)
    learner = fitted("trend_learner", covariates, treatment, outcome)
    unknown = covariates.head(1).assign(b=np.nan)
    mean = covariates.head(1).assign(b=covariates["b"].mean())
    found = learner.predict_cate(covariates=unknown)[0]
    assert found == pytest.approx(learner.predict_cate(covariates=mean)[0], abs=0.8)
