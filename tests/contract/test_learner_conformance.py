"""What every learner of the registry must do; a new learner is tested by being registered."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import LEARNERS, build_learner, check_learners
from promo_uplift.learners.intervals import with_half_sample_interval
from promo_uplift.tuning.search import check_configured_learner

CONF = Path(__file__).parents[2] / "conf"
#: A learner is configured for retail spend (base), for any table, or for both.
YAML_FOLDERS = [CONF / environment / "parameters" / "learners" for environment in ("base", "table")]

SMALL_TREES = {
    "n_estimators": 20,
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_child_samples": 20,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
}
SMALL_FOREST = {
    "n_estimators": 16,
    "tuning_n_estimators": 8,
    "min_samples_leaf": 10,
    "max_samples": 0.4,
    "max_features": 0.8,
    "min_balancedness_tol": 0.45,
    "max_depth": 6,
    "min_var_fraction_leaf": 0.1,
}
SMALL_TREND = {
    "trend_folds": 3,
    "trend_penalties": 10,
    "trend_smallest": 0.01,
    "trend_tolerance": 0.0001,
}

SMALL_UPLIFT_FOREST = {
    "n_estimators": 8,
    "tuning_n_estimators": 4,
    "max_depth": 3,
    "min_samples_leaf": 20,
    "min_samples_treatment": 10,
    "max_features": 1.0,
}
SMALL_REGULARISED = SMALL_TREES | {"shrinkage": 0.3, "winsor_share": 0.02}

# Estimators whose formula changes sign with the arms; the others rank, or know no arms.
SYMMETRIC = tuple(
    name
    for name, spec in LEARNERS.items()
    if spec.role != "ranking_only" and name != "uplift_forest"  # causalml draws arm by arm
)


def small_choice(name):
    fields = set(LEARNERS[name].parameters.model_fields)
    if "max_samples" in fields:
        return SMALL_FOREST
    if "min_samples_treatment" in fields:
        return SMALL_UPLIFT_FOREST
    if "ridge" in fields:
        return {"ridge": 0.1}
    if "winsor_share" in fields:
        return SMALL_REGULARISED
    if "trend_folds" in fields:
        return SMALL_TREES | SMALL_TREND
    return SMALL_TREES if fields else {}


def training(n=400, seed=0):
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=["a", "b", "c", "d"])
    covariates.index = rng.permutation(n) + 1000  # labels that are not positions
    a, b = covariates["a"].to_numpy(), covariates["b"].to_numpy()
    propensity = 1 / (1 + np.exp(-a))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0 = 50 + 10 * a
    mu1 = mu0 + 5 + 5 * (b > 0)
    return {
        "covariates": covariates,
        "treatment": treatment,
        "outcome": np.where(treatment == 1, mu1, mu0) + rng.normal(0, 5, n),
        "nuisances": NuisanceValues(propensity, mu0, mu1),
        "groups": np.arange(n, dtype=np.int64) // 2,
    }


def fitted(name, data, seed=7):
    return build_learner(name=name, choice=small_choice(name)).fit(
        **data, rng=np.random.default_rng(seed)
    )


@pytest.fixture(params=list(LEARNERS))
def name(request):
    needed = LEARNERS[request.param].requires
    if needed is not None and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{request.param} needs {needed}, which is not installed on this Python")
    return request.param


def test_it_follows_the_protocol(name):
    assert isinstance(build_learner(name=name, choice=small_choice(name)), Learner)


def test_registry_entry_states_what_it_does(name):
    spec = LEARNERS[name]
    assert spec.name == name
    for support in (
        spec.missing_covariates,
        spec.binary_outcome,
        spec.several_arms,
        spec.weights,
        spec.continuous_dose,
    ):
        word = "Supported:" if support.is_supported else "Refused:"
        assert support.note.startswith(word)


def test_its_yaml_names_its_parameters_and_defaults_inside_the_space(name):
    files = [folder / f"{name}.yml" for folder in YAML_FOLDERS]
    contents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    assert contents
    for content in contents:
        assert list(content) == [f"_{name}"]
        parameters = LearnerParameters.model_validate(content[f"_{name}"])
        check_configured_learner(name=name, parameters=parameters)


def test_predictions_have_one_finite_value_per_row(name):
    data = training()
    new = training(n=37, seed=1)["covariates"]
    cate = fitted(name, data).predict_cate(covariates=new)
    assert cate.shape == (37,)
    assert cate.dtype == np.float64
    assert np.isfinite(cate).all()


def test_equal_seeds_give_equal_bits(name):
    data = training()
    first = fitted(name, data).predict_cate(covariates=data["covariates"])
    second = fitted(name, data).predict_cate(covariates=data["covariates"])
    np.testing.assert_array_equal(first, second)


def test_a_household_keeps_its_prediction_wherever_it_stands(name):
    data = training()
    learner = fitted(name, data)
    order = np.random.default_rng(2).permutation(len(data["covariates"]))
    straight = learner.predict_cate(covariates=data["covariates"])
    shuffled = learner.predict_cate(covariates=data["covariates"].iloc[order])
    np.testing.assert_array_equal(shuffled, straight[order])


def test_a_binary_outcome_is_supported_or_refused_as_stated(name):
    data = training(n=800)
    risk = np.where(data["treatment"] == 1, 0.6, 0.3)
    data["outcome"] = (np.random.default_rng(3).random(800) < risk) * 1.0
    data["nuisances"] = NuisanceValues(
        data["nuisances"].propensity, np.full(800, 0.3), np.full(800, 0.6)
    )
    if LEARNERS[name].binary_outcome.is_supported:
        cate = fitted(name, data).predict_cate(covariates=data["covariates"])
        assert np.isfinite(cate).all()
        if LEARNERS[name].role == "cate":
            assert 0.15 < cate.mean() < 0.45  # the risk difference is 0.3
    else:
        with pytest.raises(LearnerError, match="binary"):
            fitted(name, data)


def test_a_dose_is_supported_or_refused_as_stated(name):
    data = training()
    given = data["nuisances"]
    data["treatment"] = given.propensity + np.random.default_rng(4).normal(size=400)
    data["nuisances"] = NuisanceValues.of_dose(
        dose_mean=given.propensity, outcome_mean=given.outcome_mean
    )
    if LEARNERS[name].continuous_dose.is_supported:
        cate = fitted(name, data).predict_cate(covariates=data["covariates"])
        assert np.isfinite(cate).all()
    else:
        with pytest.raises(LearnerError, match="continuous dose"):
            fitted(name, data)


def test_columns_are_taken_by_name_not_by_position(name):
    data = training()
    learner = fitted(name, data)
    straight = learner.predict_cate(covariates=data["covariates"])
    turned = learner.predict_cate(covariates=data["covariates"][["d", "c", "b", "a"]])
    np.testing.assert_array_equal(turned, straight)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_exchanging_the_arms_negates_the_effect(name):
    data = training()
    given = data["nuisances"]
    exchanged = {
        **data,
        "treatment": 1 - data["treatment"],
        "nuisances": NuisanceValues(1 - given.propensity, given.mu1, given.mu0),
    }
    cate = fitted(name, data).predict_cate(covariates=data["covariates"])
    negated = fitted(name, exchanged).predict_cate(covariates=data["covariates"])
    np.testing.assert_allclose(negated, -cate, rtol=0, atol=1e-6)
    assert np.std(cate) > 0 or LEARNERS[name].role == "baseline"


def test_a_pickled_learner_predicts_the_same(name):
    data = training()
    learner = fitted(name, data)
    copy = pickle.loads(pickle.dumps(learner))  # noqa: S301 - our own object
    np.testing.assert_array_equal(
        copy.predict_cate(covariates=data["covariates"]),
        learner.predict_cate(covariates=data["covariates"]),
    )


def test_it_does_not_mutate_what_it_is_given(name):
    data = training()
    before = pickle.dumps(data)
    fitted(name, data).predict_cate(covariates=data["covariates"])
    after = pickle.loads(before)  # noqa: S301 - our own object
    pd.testing.assert_frame_equal(data["covariates"], after["covariates"])
    for key in ("treatment", "outcome", "groups"):
        np.testing.assert_array_equal(data[key], after[key])
    for key in ("propensity", "mu0", "mu1"):
        np.testing.assert_array_equal(
            getattr(data["nuisances"], key), getattr(after["nuisances"], key)
        )


@pytest.mark.parametrize("arm", [0, 1])
def test_single_arm_data_is_refused(name, arm):
    data = training()
    data["treatment"] = np.full_like(data["treatment"], arm)
    with pytest.raises(LearnerError, match=rf"`treatment` must hold both arms.*\[{arm}\]"):
        fitted(name, data)


def test_several_arms_are_refused(name):
    data = training()
    data["treatment"] = data["treatment"] + (np.arange(len(data["treatment"])) % 5 == 0)
    with pytest.raises(LearnerError, match=r"Several arms are not supported"):
        fitted(name, data)


def test_missing_covariates_are_supported_or_refused_as_stated(name):
    data = training()
    data["covariates"] = data["covariates"].mask(np.eye(400, 4, dtype=bool))
    data["covariates"].loc[:, "d"] = np.nan  # a column without any value
    if LEARNERS[name].missing_covariates.is_supported:
        learner = fitted(name, data)
        assert np.isfinite(learner.predict_cate(covariates=data["covariates"])).all()
    else:
        with pytest.raises(LearnerError, match="missing"):
            fitted(name, data)


def test_covariates_that_are_not_numeric_are_refused_by_name(name):
    data = training()
    data["covariates"] = data["covariates"].assign(shop="north", since="2017")
    with pytest.raises(LearnerError, match=r"must be numeric; \['shop', 'since'\]"):
        fitted(name, data)


def test_infinite_covariates_are_refused_by_name(name):
    data = training()
    data["covariates"] = data["covariates"].assign(ratio=np.inf)
    with pytest.raises(LearnerError, match=r"\['ratio'\] hold infinities"):
        fitted(name, data)


def test_outcomes_that_are_not_finite_are_refused(name):
    data = training()
    data["outcome"] = data["outcome"].copy()
    data["outcome"][3] = np.nan
    with pytest.raises(LearnerError, match=r"`outcome` must be finite; 1 of 400"):
        fitted(name, data)


def test_a_table_without_a_column_is_refused_by_name(name):
    data = training()
    learner = fitted(name, data)
    with pytest.raises(LearnerError, match=r"\['b'\] are missing"):
        learner.predict_cate(covariates=data["covariates"].drop(columns="b"))


def test_predicting_before_the_fit_is_refused(name):
    learner = build_learner(name=name, choice=small_choice(name))
    with pytest.raises(LearnerError, match="must be fitted before it predicts"):
        learner.predict_cate(covariates=training()["covariates"])


def test_its_interval_is_native_or_refused_as_stated(name):
    data = training()
    learner = fitted(name, data)
    if LEARNERS[name].offers_interval:
        interval = learner.predict_interval(covariates=data["covariates"], level=0.9)
        wider = learner.predict_interval(covariates=data["covariates"], level=0.99)
        cate = learner.predict_cate(covariates=data["covariates"])
        assert interval.shape == (400, 2)
        assert np.all((interval[:, 0] <= cate) & (cate <= interval[:, 1]))
        assert np.all(wider[:, 1] - wider[:, 0] >= interval[:, 1] - interval[:, 0])
    else:
        with pytest.raises(IntervalNotOffered, match="with_half_sample_interval"):
            learner.predict_interval(covariates=data["covariates"], level=0.9)


def test_half_samples_give_any_learner_an_interval(name):
    data = training(n=200)
    learner = with_half_sample_interval(
        build=lambda: build_learner(name=name, choice=small_choice(name)), n_replicates=3
    ).fit(**data, rng=np.random.default_rng(0))
    interval = learner.predict_interval(covariates=data["covariates"], level=0.9)
    cate = learner.predict_cate(covariates=data["covariates"])
    assert interval.shape == (200, 2)
    np.testing.assert_allclose(interval.mean(axis=1), cate, rtol=0, atol=1e-9)
    assert np.all(interval[:, 0] <= interval[:, 1])


def test_unknown_parameters_are_refused_by_name(name):
    with pytest.raises(LearnerError, match=rf"`{name}` was given wrong parameters: `depht`"):
        build_learner(name=name, choice={**small_choice(name), "depht": 3})


def test_unknown_learners_are_refused_with_the_nearest_and_all_known():
    with pytest.raises(LearnerError, match=r"`x_lerner`.*Did you mean `x_learner`\?.*zero, const"):
        build_learner(name="x_lerner", choice={})


def test_a_search_space_of_unknown_parameters_is_refused():
    configured = LearnerParameters.model_validate(
        {"defaults": SMALL_TREES, "search_space": {"leaves": {"kind": "int", "low": 2, "high": 4}}}
    )
    with pytest.raises(LearnerError, match=r"`t_learner.search_space`.*\['leaves'\]"):
        check_learners(parameters={"t_learner": configured})


def test_every_yaml_is_of_a_registered_learner():
    files = {path.stem for folder in YAML_FOLDERS for path in folder.glob("*.yml")}
    assert files == set(LEARNERS)
