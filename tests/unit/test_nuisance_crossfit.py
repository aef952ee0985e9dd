"""Cross-fitted and deployed nuisances: shapes, clipping, constant rates, refusals, workers."""

from __future__ import annotations

import dataclasses
import pickle

import lightgbm as lgb
import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from promo_uplift.contracts.errors import LearnerError, ScoringError
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    LightGBMParameters,
    NuisanceParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.nuisance.boosting import BinnedFeatures
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.deployment import fit_deployment_nuisances
from promo_uplift.nuisance.models import NUISANCES, nuisance_loss
from promo_uplift.nuisance.seeding import derived_seed

K = 3
TREES = {
    "n_estimators": 10,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
}
SPACE = {"num_leaves": {"kind": "int", "low": 2, "high": 6}}


def parameters(**changes):
    settings = {
        "n_folds": K,
        "propensity_clip": 0.05,
        "n_trials": 0,
        "timeout_seconds": 60.0,
        "model": LearnerParameters.model_validate({"defaults": TREES, "search_space": SPACE}),
    }
    return NuisanceParameters(**{**settings, **changes})


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), 2)
    n = len(groups)
    x = rng.normal(size=(n, 3))
    campaign = np.tile([8, 13], 150)
    treatment = (rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(np.int64)
    data = TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=treatment,
        outcome=10 * x[:, 1] + 100.0 * (campaign == 13) + rng.normal(size=n),
        redeemed=((rng.random(n) < 0.3) & (treatment == 1)).astype(float),
        groups=groups,
        campaign=campaign,
    )
    return data, groups % K


def run(world, **changes):
    data, fold = world
    arguments = {"parameters": parameters(), "seed": 1, "n_workers": 1, **changes}
    return cross_fit_nuisances(data=data, fold=fold, **arguments)


def test_matrices_are_finite_and_propensities_clipped_and_counted(world):
    result = run(world, parameters=parameters(propensity_clip=0.2))
    for name in ("propensity", "mu0", "mu1", "redemption"):
        matrix = getattr(result, name)
        assert matrix.shape == (300, K)
        assert np.isfinite(matrix).all()
    assert result.propensity.min() == 0.2
    assert result.propensity.max() == 0.8
    raw = result.raw_propensity_held_out
    assert result.n_clipped == np.sum((raw < 0.2) | (raw > 0.8)) > 0
    np.testing.assert_array_equal(np.clip(raw, 0.2, 0.8), result.held_out().propensity)


def test_untuned_entries_are_shared_by_the_two_folds_that_their_model_excludes(world):
    """Column k at fold m and column m at fold k are one model: equal rows would agree."""
    data, fold = world
    twin = dataclasses.replace(
        data,
        covariates=pd.DataFrame(np.zeros((300, 3)), columns=list("abc")),
        campaign=np.full(300, 8),
    )
    result = run((twin, fold))
    for m, k in ((0, 1), (0, 2), (1, 2)):
        assert set(result.mu0[fold == m, k]) == set(result.mu0[fold == k, m])
    # every covariate is 0, so each model is the mean of its rows: outside both folds, its own arm
    outside = ~np.isin(fold, (0, 1)) & (data.treatment == 0)
    np.testing.assert_allclose(result.mu0[fold == 0, 1], data.outcome[outside].mean(), rtol=1e-6)
    outside = (fold != 2) & (data.treatment == 1)
    np.testing.assert_allclose(result.mu1[fold == 2, 2], data.outcome[outside].mean(), rtol=1e-6)
    np.testing.assert_allclose(
        result.redemption[fold == 2, 2], data.redeemed[outside].mean(), rtol=1e-6
    )


def test_the_trial_is_a_feature_of_the_nuisances(world):
    data, _ = world
    mu0 = run(world).held_out().mu0
    assert mu0[data.campaign == 13].mean() - mu0[data.campaign == 8].mean() > 60


def test_tuned_nuisances_do_not_depend_on_the_number_of_workers(world):
    one = run(world, parameters=parameters(n_trials=2))
    two = run(world, parameters=parameters(n_trials=2), n_workers=2)
    for name in ("propensity", "mu0", "mu1", "redemption"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    pd.testing.assert_frame_equal(one.tuned, two.tuned)
    assert len(one.tuned) == 4 * K
    assert set(one.tuned["n_trials"]) == {2}
    assert np.isfinite(one.tuned["loss"]).all()


@pytest.mark.parametrize("objective", ["regression", "binary"])
def test_bins_of_columns_side_by_side_give_lightgbms_own_model(world, objective):
    """LightGBM itself on one matrix of all features: the same trees, bit for bit."""
    data, _ = world
    covariates = data.covariates.to_numpy()
    dose = data.treatment.astype(float)
    indicators = np.eye(3)[np.arange(300) % 3]
    target = data.outcome if objective == "regression" else dose
    weight = np.where(np.arange(300) % 2 == 0, 0.5, 1.5)
    design = BinnedFeatures(covariates, indicators)
    every = np.arange(300)
    parameters_ = LightGBMParameters.model_validate(TREES)
    model = design.fit(
        rows=every,
        target=target,
        weight=3.0 * weight,
        last=np.arange(300) / 7.0,
        objective=objective,
        parameters=parameters_,
        seed=3,
    )
    matrix = np.column_stack([covariates, indicators, np.arange(300) / 7.0])
    own = lgb.train(
        {
            "objective": objective,
            "seed": 3,
            "num_threads": 1,
            "verbosity": -1,
            "feature_pre_filter": False,
            "min_data_in_leaf": parameters_.min_child_samples,
            "lambda_l2": parameters_.reg_lambda,
            "feature_fraction": parameters_.colsample_bytree,
            **parameters_.model_dump(include={"learning_rate", "num_leaves", "max_bin"}),
        },
        lgb.Dataset(matrix, label=target, weight=weight),
        num_boost_round=parameters_.n_estimators,
    )
    np.testing.assert_array_equal(model.predict(features=matrix), own.predict(matrix))
    np.testing.assert_array_equal(design.take(rows=every), matrix[:, :-1])


def test_models_of_shared_bins_do_not_touch_each_other(world):
    data, _ = world
    features = data.covariates.to_numpy()
    half = np.arange(300) % 2 == 0
    settings = {
        "rows": half,
        "target": data.outcome[half],
        "objective": "regression",
        "parameters": LightGBMParameters.model_validate(TREES),
        "seed": 3,
    }
    design = BinnedFeatures(features)
    first = design.fit(**settings)
    between = design.fit(**settings | {"last": np.arange(150.0), "weight": np.arange(1.0, 151.0)})
    again = pickle.loads(pickle.dumps(design)).fit(**settings)  # noqa: S301 - our own object
    for other in (design.fit(**settings), again, BinnedFeatures(features).fit(**settings)):
        np.testing.assert_array_equal(
            first.predict(features=features), other.predict(features=features)
        )
    wide = np.column_stack([features, np.arange(300.0)])
    assert not np.array_equal(first.predict(features=features), between.predict(features=wide))
    error = data.outcome[half] - first.predict(features=features[half])
    assert np.mean(error**2) < 0.8 * np.var(data.outcome[half])


def n_trials_in(journal):
    storage = JournalStorage(JournalFileBackend(journal))
    return sum(one.n_trials for one in optuna.get_all_study_summaries(storage))


def test_studies_resume_from_the_journal(world, tmp_path):
    journal = str(tmp_path / "studies.log")
    stored = {"parameters": parameters(n_trials=2), "storage": journal}
    first = run(world, study_prefix="digest", **stored)
    assert n_trials_in(journal) == 4 * K * 2
    again = run(world, study_prefix="digest", **stored)
    assert n_trials_in(journal) == 4 * K * 2  # nothing is redone
    np.testing.assert_array_equal(first.mu0, again.mu0)
    run(world, study_prefix="digest of other data", **stored)
    assert n_trials_in(journal) == 2 * 4 * K * 2


def test_a_training_set_without_a_redeemer_gives_a_rate_of_zero(world):
    data, fold = world
    nobody = dataclasses.replace(data, redeemed=np.zeros(300))
    assert set(np.unique(run((nobody, fold)).redemption)) == {0.0}


@pytest.mark.parametrize("arm", [0, 1])
def test_a_single_arm_is_refused(world, arm):
    data, fold = world
    single = dataclasses.replace(data, treatment=np.full(300, arm))
    with pytest.raises(LearnerError, match=rf"both arms.*found \[{arm}\]"):
        run((single, fold))


def test_an_arm_that_is_missing_from_a_training_set_is_refused(world):
    data, fold = world
    one_fold = dataclasses.replace(data, treatment=(fold == 0).astype(np.int64))
    with pytest.raises(LearnerError, match=r"in every training set; found only 0"):
        run((one_fold, fold))


def test_folds_that_split_a_household_are_refused(world):
    data, _ = world
    with pytest.raises(LearnerError, match=r"constant within a household; 150 households.*\[0, 1"):
        run((data, np.arange(300) % K))


def test_folds_that_are_missing_are_refused(world):
    data, fold = world
    with pytest.raises(LearnerError, match=r"every value from 0 to 2.*found \[0, 1\]"):
        run((data, np.minimum(fold, 1)))


def test_covariates_that_are_not_numeric_are_refused_by_name(world):
    data, fold = world
    text = dataclasses.replace(data, covariates=data.covariates.assign(shop="north"))
    with pytest.raises(LearnerError, match=r"must be numeric; \['shop'\] are not"):
        run((text, fold))


def test_outcomes_that_are_not_finite_are_refused(world):
    data, fold = world
    holed = dataclasses.replace(data, outcome=np.where(np.arange(300) < 4, np.nan, data.outcome))
    with pytest.raises(LearnerError, match=r"`outcome` must be finite; 4 of 300"):
        run((holed, fold))


def test_infinite_covariates_are_refused_by_name(world):
    data, fold = world
    infinite = dataclasses.replace(data, covariates=data.covariates.assign(ratio=np.inf))
    with pytest.raises(LearnerError, match=r"\['ratio'\] hold infinities"):
        run((infinite, fold))


def test_wrong_model_parameters_are_refused_by_name(world):
    wrong = LearnerParameters.model_validate({"defaults": {**TREES, "depht": 3}})
    with pytest.raises(LearnerError, match=r"`nuisance_model.defaults`.*`depht`.*Known: n_estim"):
        run(world, parameters=parameters(model=wrong))


def test_log_loss_by_hand():
    loss = nuisance_loss(
        spec=NUISANCES["propensity"],
        target=np.array([1.0, 0.0]),
        predicted=np.array([0.8, 0.4]),
    )
    assert loss == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)


def test_squared_error_by_hand():
    loss = nuisance_loss(
        spec=NUISANCES["mu1"], target=np.array([1.0, 0.0]), predicted=np.array([3.0, 1.0])
    )
    assert loss == pytest.approx(2.5)


def deployed(world):
    data, fold = world
    return fit_deployment_nuisances(
        data=data, fold=fold, parameters=parameters(n_trials=2), seed=1, n_workers=1
    )


def test_deployment_averages_over_trials_and_needs_no_trial_indicator(world):
    data, _ = world
    model = deployed(world)
    covariates = data.covariates.assign(unused=1.0)[["unused", "c", "b", "a"]]
    by_hand = [
        model.propensity.predict(
            features=np.hstack([data.covariates.to_numpy(), np.tile(one, (300, 1))])
        )
        for one in np.eye(2)
    ]
    np.testing.assert_allclose(
        model.predict_propensity(covariates=covariates),
        np.clip(np.mean(by_hand, axis=0), 0.05, 0.95),
        atol=1e-12,
    )
    redemption = pickle.loads(pickle.dumps(model)).predict_redemption(covariates=covariates)  # noqa: S301 - our own object
    assert np.all((redemption > 0) & (redemption < 1))


def test_deployment_refuses_a_table_without_a_column(world):
    data, _ = world
    model = deployed(world)
    with pytest.raises(ScoringError, match=r"\['b'\] are missing"):
        model.predict_propensity(covariates=data.covariates[["a", "c"]])


def test_seeds_differ_by_purpose_and_index_and_fit_lightgbm():
    seeds = [
        derived_seed(seed=seed, purpose=purpose, index=index)
        for seed in (0, 1)
        for purpose in ("a", "b")
        for index in ((), (1,), (1, 2), (2, 1))
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derived_seed(seed=3, purpose="a") == derived_seed(seed=3, purpose="a")


def test_a_stated_propensity_replaces_the_estimate_unclipped(world):
    data, fold = world
    known = np.linspace(0.001, 0.999, 300)
    modelled = run(world)
    result = run((dataclasses.replace(data, known_propensity=known), fold))
    assert result.is_propensity_known
    assert (result.propensity == known[:, np.newaxis]).all()
    assert result.n_clipped == 0
    assert (result.held_out().propensity == known).all()
    assert (result.assignment_propensity() == known).all()
    # the model is fitted all the same, for the check of the lottery, and nothing else changes
    for name in ("mu0", "mu1", "redemption", "raw_propensity_held_out"):
        np.testing.assert_array_equal(getattr(result, name), getattr(modelled, name))
    assert not modelled.is_propensity_known
    assert (modelled.assignment_propensity() == modelled.raw_propensity_held_out).all()


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, -0.1])
def test_a_stated_propensity_that_is_no_chance_is_refused(world, value):
    data, fold = world
    known = np.full(300, 0.5)
    known[:2] = value
    impossible = dataclasses.replace(data, known_propensity=known)
    with pytest.raises(LearnerError, match="strictly between 0 and 1; 2 of 300 do not"):
        run((impossible, fold))
