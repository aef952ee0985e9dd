"""A rate in every trial at once, against LightGBM asked trial by trial: the same bits."""

from __future__ import annotations

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.nuisance.boosting import BoostedTrees
from promo_uplift.nuisance.calibration import BetaCalibrator
from promo_uplift.nuisance.deployment import DeploymentNuisances
from promo_uplift.nuisance.models import ConstantRate
from promo_uplift.nuisance.trial_trees import trial_trees

P, TRIALS = 6, 4


def rows(n, seed, missing):
    """Covariates; the first ones with missing values, if any, as training had them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, P))
    values[:, 5] = rng.integers(0, 3, n)
    if missing:
        values[rng.random(n) < 0.3, 0] = np.nan
        values[rng.random(n) < 0.1, 5] = np.nan
    return values


def fitted(*, missing, objective="binary", n_estimators=60, num_leaves=7, **settings):
    values = rows(1_500, 1, missing)
    trial = np.arange(len(values)) % TRIALS
    rng = np.random.default_rng(2)
    score = np.nan_to_num(values[:, 0]) + (values[:, 1] > 0) * (trial - 1.5) + (values[:, 5] == 1)
    target = (rng.random(len(values)) < 1 / (1 + np.exp(-score))).astype(float)
    features = np.hstack([values, np.eye(TRIALS)[trial]])
    return lgb.train(
        {
            "objective": objective,
            "num_leaves": num_leaves,
            "min_data_in_leaf": 10,
            "verbosity": -1,
            "num_threads": 1,
            "seed": 3,
            **settings,
        },
        lgb.Dataset(features, target),
        num_boost_round=n_estimators,
    )


def asked_trial_by_trial(booster, values):
    return np.column_stack(
        [
            booster.predict(np.hstack([values, np.tile(one, (len(values), 1))]), num_threads=1)
            for one in np.eye(TRIALS)
        ]
    )


@pytest.mark.parametrize("trained_with_missing", [True, False])
@pytest.mark.parametrize(
    "settings", [{}, {"num_leaves": 2}, {"sigmoid": 0.7}, {"use_missing": False}]
)
def test_the_rates_are_lightgbms_own_to_the_last_bit(trained_with_missing, settings):
    """Missing values where training knew none, and zeros, infinities and thresholds, included."""
    booster = fitted(missing=trained_with_missing, **settings)
    values = rows(3_000, 9, missing=True)
    values[:20] = 0.0
    values[20, :] = [np.inf, -np.inf, np.nan, 1e300, -0.0, 1.0]
    trees = trial_trees(booster=booster, n_covariates=P)
    found = trees.predict(values=values, n_trials=TRIALS)
    expected = asked_trial_by_trial(booster, values)
    np.testing.assert_array_max_ulp(found, expected, maxulp=1)
    assert 0 < trees.trees[:, 1].sum() < len(trees.trees)
    assert (np.ptp(expected, axis=1) > 0.01).any()


def test_a_tree_without_a_split_is_its_one_value():
    booster = fitted(missing=False, min_data_in_leaf=5_000)
    values = rows(5, 1, missing=True)
    found = trial_trees(booster=booster, n_covariates=P).predict(values=values, n_trials=TRIALS)
    np.testing.assert_array_max_ulp(found, asked_trial_by_trial(booster, values), maxulp=1)


def test_another_objective_is_refused():
    with pytest.raises(LearnerError, match="must be binary; found `objective=regression"):
        trial_trees(booster=fitted(missing=False, objective="regression"), n_covariates=P)


def test_categorical_splits_are_refused():
    with pytest.raises(LearnerError, match="numeric splits only"):
        trial_trees(booster=fitted(missing=False, categorical_feature=[5]), n_covariates=P)


@pytest.mark.parametrize("calibrator", [None, BetaCalibrator(1.2, 0.8, 0.1)])
def test_the_deployed_rates_are_the_mean_over_the_trials(calibrator):
    booster = fitted(missing=True)
    names = tuple("abcdef")
    rates = DeploymentNuisances(
        propensity=BoostedTrees(booster=booster, knew_missing=np.ones(P + TRIALS, dtype=bool)),
        redemption=ConstantRate(rate=0.3),
        covariate_names=names,
        campaigns=np.arange(TRIALS),
        clip=0.02,
        calibrator=calibrator,
    )
    values = rows(200, 4, missing=True)
    table = pd.DataFrame(values, columns=list(names)).assign(other=1.0)[[*"fedcba", "other"]]
    each = asked_trial_by_trial(booster, values)
    if calibrator is not None:
        each = np.column_stack([calibrator.predict(propensity=column) for column in each.T])
    expected = np.clip(each.mean(axis=1), 0.02, 0.98)
    found = rates.predict_propensity(covariates=table)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_allclose(rates.predict_redemption(covariates=table), 0.3, rtol=1e-14)


def test_a_broken_threshold_would_be_found():
    booster = fitted(missing=True)
    trees = trial_trees(booster=booster, n_covariates=P)
    broken = replace(trees, threshold=trees.threshold + 1e-3)
    values = rows(3_000, 9, missing=True)
    found = broken.predict(values=values, n_trials=TRIALS)
    assert not np.array_equal(found, asked_trial_by_trial(booster, values))
