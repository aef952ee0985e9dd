"""Learners held against econml, causalml and closed forms, on the same residuals."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from econml.dml import LinearDML as EconmlLinearDML
from econml.dml import NonParamDML
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import build_learner, learner_spec
from promo_uplift.learners.base import model_seed
from promo_uplift.learners.regularised import winsorised

needs_causalml = pytest.mark.skipif(
    importlib.util.find_spec("causalml") is None, reason="causalml has no wheel for this Python"
)

TREES = {
    "n_estimators": 40,
    "learning_rate": 0.1,
    "num_leaves": 5,
    "min_child_samples": 20,
    "reg_lambda": 0.0,
    "colsample_bytree": 1.0,
}
FOREST = {
    "n_estimators": 12,
    "tuning_n_estimators": 4,
    "max_depth": 4,
    "min_samples_leaf": 20,
    "min_samples_treatment": 10,
    "max_features": 0.5,
}
SEED = 11


class Given(RegressorMixin, BaseEstimator):
    """A nuisance that is given: a column, counted from the end."""

    def __init__(self, from_end=1):
        self.from_end = from_end

    def fit(self, X, y, sample_weight=None):
        return self

    def predict(self, X):
        return X[:, -self.from_end]


def world(*, is_binary=False, n=1_200, seed=5):
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    a, b = covariates["a"].to_numpy(), covariates["b"].to_numpy()
    propensity = 1 / (1 + np.exp(-a))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0 = 0.3 + 0.1 * (a > 0) if is_binary else 100 + 20 * a
    mu1 = mu0 + (0.3 if is_binary else 10) * (b > 0)
    mean = np.where(treatment == 1, mu1, mu0)
    outcome = (rng.random(n) < mean) * 1.0 if is_binary else mean + rng.normal(0, 10, n)
    return {
        "covariates": covariates,
        "treatment": treatment,
        "outcome": outcome,
        "nuisances": NuisanceValues(propensity, mu0, mu1),
        "groups": np.arange(n),
    }


def ours(name, choice, data):
    learner = build_learner(name=name, choice=choice).fit(**data, rng=np.random.default_rng(SEED))
    return learner.predict_cate(covariates=data["covariates"])


def own_seed():
    return model_seed(rng=np.random.default_rng(SEED))


def given_residuals(estimator, data):
    """Fit one of econml's on nuisances that are given as the two controls."""
    nuisances = data["nuisances"]
    return estimator.fit(
        data["outcome"],
        data["treatment"].astype(float),
        X=data["covariates"].to_numpy(),
        W=np.column_stack([nuisances.outcome_mean, nuisances.propensity]),
    )


def test_linear_dml_without_penalty_is_the_final_stage_of_econml():
    data = world()
    theirs = given_residuals(EconmlLinearDML(model_y=Given(2), model_t=Given(1), cv=2), data)
    np.testing.assert_allclose(
        ours("linear_dml", {"ridge": 0.0}, data),
        theirs.effect(data["covariates"].to_numpy()),
        rtol=1e-9,
    )


def test_linear_dml_penalises_slopes_and_never_the_intercept():
    data = world()
    residual = data["treatment"] - data["nuisances"].propensity
    outcome = data["outcome"] - data["nuisances"].outcome_mean
    constant = ours("linear_dml", {"ridge": 1e12}, data)
    np.testing.assert_allclose(constant, residual @ outcome / (residual @ residual), rtol=1e-6)


def test_the_ridge_halves_a_slope_at_one_whatever_the_unit():
    """One covariate of -1 and 1, residuals of equal size: the slope is known."""
    n = 400
    b = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    treatment = (np.arange(n) // 2) % 2
    data = {
        "covariates": pd.DataFrame({"b": 1_000.0 * b}),
        "treatment": treatment,
        "outcome": (treatment - 0.5) * (7.0 + 3.0 * b),
        "nuisances": NuisanceValues(np.full(n, 0.5), np.zeros(n), np.zeros(n)),
        "groups": np.arange(n),
    }
    np.testing.assert_allclose(ours("linear_dml", {"ridge": 0.0}, data), 7.0 + 3.0 * b)
    np.testing.assert_allclose(ours("linear_dml", {"ridge": 1.0}, data), 7.0 + 1.5 * b)


def lightgbm_regressor():
    return LGBMRegressor(
        n_estimators=TREES["n_estimators"],
        learning_rate=TREES["learning_rate"],
        num_leaves=TREES["num_leaves"],
        min_child_samples=TREES["min_child_samples"],
        reg_lambda=0.0,
        random_state=own_seed(),
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )


def test_r_learner_is_the_final_stage_of_econmls_non_param_dml():
    data = world()
    theirs = given_residuals(
        NonParamDML(model_y=Given(2), model_t=Given(1), model_final=lightgbm_regressor(), cv=2),
        data,
    )
    np.testing.assert_allclose(
        ours("r_learner", TREES, data),
        theirs.effect(data["covariates"].to_numpy()),
        rtol=0,
        atol=1e-4,  # LightGBM keeps targets in single precision; ours scales the weights
    )


@needs_causalml
def test_r_learner_is_causalmls_on_the_same_nuisances():
    from causalml.inference.meta import BaseRRegressor  # noqa: PLC0415 - not on every Python

    data = world()
    with_mean = data["covariates"].assign(mean=data["nuisances"].outcome_mean)
    data["covariates"] = with_mean  # causalml gives one table to both of its models
    theirs = BaseRRegressor(outcome_learner=Given(1), effect_learner=lightgbm_regressor(), n_fold=2)
    theirs.fit(
        X=with_mean.to_numpy(),
        treatment=data["treatment"],
        y=data["outcome"],
        p=data["nuisances"].propensity,
        verbose=False,
    )
    np.testing.assert_allclose(
        ours("r_learner", TREES, data),
        theirs.predict(with_mean.to_numpy())[:, 0],
        rtol=0,
        atol=1e-4,
    )


def saturated(*, is_binary):
    """Four cells of a two-level covariate, each arm's share its own: closed forms are sums."""
    rng = np.random.default_rng(3)
    n = 2_000
    level = np.arange(n) % 2
    share = np.where(level == 1, 0.3, 0.6)
    treatment = (rng.random(n) < share).astype(np.int64)
    known = np.array([treatment[level == one].mean() for one in (0, 1)])[level]
    mean = 0.2 + 0.1 * level + treatment * (0.1 + 0.3 * level)
    outcome = (rng.random(n) < mean) * 1.0 if is_binary else 50 * mean + rng.gamma(2.0, 5.0, n)
    data = {
        "covariates": pd.DataFrame({"level": level.astype(float)}),
        "treatment": treatment,
        "outcome": outcome,
        "nuisances": NuisanceValues(known, np.zeros(n), np.zeros(n)),
        "groups": np.arange(n),
    }
    difference = np.array(
        [
            outcome[(level == one) & (treatment == 1)].mean()
            - outcome[(level == one) & (treatment == 0)].mean()
            for one in (0, 1)
        ]
    )
    return data, difference[level]


@pytest.mark.parametrize("is_binary", [True, False])
def test_class_transformation_is_the_difference_of_means_in_a_saturated_design(is_binary):
    """With each cell's own share as propensity, weighting is exact stratification."""
    data, difference = saturated(is_binary=is_binary)
    many = TREES | {"n_estimators": 400, "num_leaves": 2}
    found = ours("class_transformation", many, data)
    np.testing.assert_allclose(found, difference, rtol=0, atol=1e-4 * (1 if is_binary else 50))


@needs_causalml
def test_uplift_forest_is_causalmls_classifier_where_the_outcome_is_binary():
    from causalml.inference.tree import UpliftRandomForestClassifier  # noqa: PLC0415

    data = world(is_binary=True)
    covariates = data["covariates"].to_numpy()
    theirs = UpliftRandomForestClassifier(
        control_name="control",
        n_estimators=FOREST["n_estimators"],
        max_depth=FOREST["max_depth"],
        min_samples_leaf=FOREST["min_samples_leaf"],
        min_samples_treatment=FOREST["min_samples_treatment"],
        max_features=2,
        random_state=own_seed(),
        n_jobs=1,
    )
    theirs.fit(
        X=covariates,
        treatment=np.where(data["treatment"] == 1, "treatment", "control"),
        y=data["outcome"].astype(int),
    )
    np.testing.assert_array_equal(
        ours("uplift_forest", FOREST, data), theirs.predict(X=covariates)[:, 0]
    )


@needs_causalml
def test_uplift_forest_is_causalmls_regressor_on_the_centred_outcome():
    from causalml.inference.tree import CausalRandomForestRegressor  # noqa: PLC0415

    data = world()
    covariates = data["covariates"].to_numpy()
    theirs = CausalRandomForestRegressor(
        control_name=0,
        n_estimators=FOREST["n_estimators"],
        max_depth=FOREST["max_depth"],
        min_samples_leaf=FOREST["min_samples_leaf"],
        min_samples_split=2 * FOREST["min_samples_leaf"],
        min_group_samples=FOREST["min_samples_treatment"],
        max_features=FOREST["max_features"],
        groups_cnt=False,
        random_state=own_seed(),
        n_jobs=1,
    )
    theirs.fit(
        X=covariates,
        treatment=data["treatment"],
        y=data["outcome"] - (data["nuisances"].mu0 + data["nuisances"].mu1) / 2,
    )
    np.testing.assert_allclose(
        ours("uplift_forest", FOREST, data), theirs.predict(X=covariates), rtol=1e-12
    )


@needs_causalml
def test_one_effect_for_all_is_found_whatever_the_propensities_in_a_leaf():
    """Two leaves of rows with every propensity: unlike arms, an effect of 10 for all."""
    data = world(n=6_000)
    given = data["nuisances"]
    noise = data["outcome"] - np.where(data["treatment"] == 1, given.mu1, given.mu0)
    data["outcome"] = given.mu0 + 10 * data["treatment"] + noise
    data["nuisances"] = NuisanceValues(given.propensity, given.mu0, given.mu0 + 10)
    shallow = FOREST | {"n_estimators": 40, "max_depth": 1, "min_samples_leaf": 300}
    assert ours("uplift_forest", shallow, data).mean() == pytest.approx(10.0, abs=0.8)


@needs_causalml
def test_the_classifier_adjusts_for_nothing_and_says_so():
    """Treated rows have the higher risk anyway: the mean effect of 0.15 is overstated."""
    data = world(is_binary=True, n=6_000, seed=6)
    treated = data["treatment"] == 1
    naive = data["outcome"][treated].mean() - data["outcome"][~treated].mean()
    shallow = FOREST | {"n_estimators": 40, "max_depth": 2, "min_samples_leaf": 300}
    mean = ours("uplift_forest", shallow, data).mean()
    assert mean == pytest.approx(naive, abs=0.01)
    assert mean > 0.17
    assert "nothing is adjusted for" in learner_spec("uplift_forest").binary_outcome.note


@needs_causalml
def test_a_tree_without_one_of_the_arms_in_a_leaf_abstains():
    data = world()
    data["treatment"] = np.where(np.arange(1_200) % 60 == 0, 1, 0)
    data["nuisances"] = NuisanceValues(
        np.full(1_200, 1 / 60), data["nuisances"].mu0, data["nuisances"].mu1
    )
    tiny = FOREST | {"min_samples_leaf": 2, "min_samples_treatment": 1}
    learner = build_learner(name="uplift_forest", choice=tiny)
    learner.fit(**data, rng=np.random.default_rng(SEED))
    assert learner.n_abstained_ > 0
    assert np.isfinite(learner.predict_cate(covariates=data["covariates"])).all()


@pytest.mark.parametrize("name", ["r_learner", "dr_learner", "x_learner"])
def test_shrinkage_moves_every_prediction_towards_the_mean_of_the_scores(name):
    data = world()
    e, mu0, mu1 = (getattr(data["nuisances"], one) for one in ("propensity", "mu0", "mu1"))
    treated = data["treatment"] == 1
    weight = np.where(treated, 1 / e, -1 / (1 - e))
    scores = mu1 - mu0 + weight * (data["outcome"] - np.where(treated, mu1, mu0))
    alone = ours(name, TREES, data)
    for shrinkage in (0.25, 1.0):
        np.testing.assert_allclose(
            ours(name, TREES | {"shrinkage": shrinkage}, data),
            (1 - shrinkage) * alone + shrinkage * scores.mean(),
            rtol=1e-9,
        )


@pytest.mark.parametrize("name", ["r_learner", "dr_learner", "x_learner"])
def test_winsorising_counts_the_rows_it_moved_and_bounds_what_one_row_can_do(name):
    data = world()
    wild = {**data, "outcome": data["outcome"].copy()}
    wild["outcome"][7] = 1e7
    choice = TREES | {"winsor_share": 0.01}
    learner = build_learner(name=name, choice=choice).fit(**data, rng=np.random.default_rng(SEED))
    assert learner.n_winsorised_ in (24, 26, 28)  # 1 % in each tail of 1,200 rows, by arm or not
    assert np.abs(ours(name, choice, wild) - ours(name, choice, data)).max() < 20.0
    assert np.abs(ours(name, TREES, wild) - ours(name, TREES, data)).max() > 1_000.0


@pytest.mark.parametrize("name", ["r_learner", "dr_learner", "x_learner"])
def test_winsorising_leaves_what_few_buyers_show(name):
    """2 % of the rows buy, all but 0.1 % of them treated: 5 % of all rows would be all of it."""
    data = world(n=4_000)
    bought = (np.arange(4_000) % 50 == 0) & (data["treatment"] == 1)
    data["outcome"] = 100.0 * bought
    half, zeros = np.full(4_000, 0.5), np.zeros(4_000)
    data["nuisances"] = NuisanceValues(half, zeros, zeros)
    alone = ours(name, TREES, data).mean()
    assert ours(name, TREES | {"winsor_share": 0.05}, data).mean() == pytest.approx(alone, rel=0.1)
    assert alone > 0.5


def test_winsorising_nothing_returns_the_same_numbers():
    target = np.array([3.0, -1.0, 8.0])
    moved, n_moved = winsorised(target=target, share=0.0)
    np.testing.assert_array_equal(moved, target)
    assert n_moved == 0


def test_causalml_leaves_the_style_of_figures_alone():
    """Its import sets a style of its own; whoever draws after a fit would draw in it."""
    program = (
        "import matplotlib as mpl\n"
        "before = dict(mpl.rcParams)\n"
        "from promo_uplift.learners.uplift_forest import _trees\n"
        "_trees()\n"
        "assert dict(mpl.rcParams) == before\n"
        "import importlib, sys\n"
        "importlib.reload(sys.modules['causalml.metrics.visualize'])\n"
        "assert dict(mpl.rcParams) != before  # what the import would have done\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
