"""A continuous dose of known effect per unit is recovered, or refused, as each learner states."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import LEARNERS, build_learner
from promo_uplift.learners.ensemble import ensemble_choice

TREES = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_child_samples": 50,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
FOREST = {
    "n_estimators": 100,
    "tuning_n_estimators": 20,
    "min_samples_leaf": 20,
    "max_samples": 0.4,
    "max_features": 1.0,
    "min_balancedness_tol": 0.45,
    "max_depth": 8,
    "min_var_fraction_leaf": 0.1,
}
UPLIFT_FOREST = {
    "n_estimators": 4,
    "tuning_n_estimators": 4,
    "max_depth": 3,
    "min_samples_leaf": 20,
    "min_samples_treatment": 10,
    "max_features": 1.0,
}
TREND = {
    "trend_folds": 3,
    "trend_penalties": 10,
    "trend_smallest": 0.01,
    "trend_tolerance": 0.0001,
}

TAKES_DOSE = [name for name, spec in LEARNERS.items() if spec.continuous_dose.is_supported]
REFUSES_DOSE = [name for name, spec in LEARNERS.items() if not spec.continuous_dose.is_supported]

# RMSE per unit of dose on new rows; the effect's standard deviation is 1, an effect of nothing
# errs by 3.2. Bounds are the smallest and largest of 8 other seeds (101-108) times 0.6 and 1.4.
BOUNDS = {
    "s_learner": (0.27, 0.92),
    "r_learner": (0.19, 0.61),
    "linear_dml": (0.36, 0.88),
    "causal_forest": (0.09, 0.33),
}


def choice(name):
    if LEARNERS[name].combines:
        return ensemble_choice(weights={"t_learner": 1.0}, choices={"t_learner": TREES})
    fields = LEARNERS[name].parameters.model_fields
    own = {
        "max_samples": FOREST,
        "min_samples_treatment": UPLIFT_FOREST,
        "ridge": {"ridge": 0.0},
        "trend_folds": TREES | TREND,
        "num_leaves": TREES,
    }
    return next((value for field, value in own.items() if field in fields), {})


def world(*, seed=1, n=3_000):
    """Dose driven by a, as is the outcome; 3 - or + 1 per unit of dose, by the sign of b."""
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    a, b = covariates["a"].to_numpy(), covariates["b"].to_numpy()
    dose_mean = 2.0 + a
    dose = dose_mean + rng.normal(size=n)
    cate = 3.0 + np.sign(b)
    outcome = 20 * a + cate * dose + rng.normal(0, 3, n)
    return {
        "covariates": covariates,
        "treatment": dose,
        "outcome": outcome,
        "nuisances": NuisanceValues.of_dose(
            dose_mean=dose_mean, outcome_mean=20 * a + cate * dose_mean
        ),
        "groups": np.arange(n),
    }, cate


def fitted(name, data):
    learner = build_learner(name=name, choice=choice(name))
    return learner.fit(**data, rng=np.random.default_rng(0))


def rmse(name, seed):
    learner = fitted(name, world(seed=seed)[0])
    new, cate = world(seed=1_000 + seed)
    predicted = learner.predict_cate(covariates=new["covariates"])
    return float(np.sqrt(np.mean((predicted - cate) ** 2)))


def test_four_learners_take_a_dose():
    assert list(BOUNDS) == TAKES_DOSE


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_the_effect_of_one_unit_is_recovered(name):
    low, high = BOUNDS[name]
    assert low < rmse(name, 1) < high


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_a_dose_in_another_unit_has_the_effect_of_that_unit(name):
    data, _ = world(n=800)
    given = data["nuisances"]
    grams = {
        **data,
        "treatment": 1_000.0 * data["treatment"],
        "nuisances": NuisanceValues.of_dose(
            dose_mean=1_000.0 * given.propensity, outcome_mean=given.outcome_mean
        ),
    }
    per_kilo = fitted(name, data).predict_cate(covariates=data["covariates"])
    per_gram = fitted(name, grams).predict_cate(covariates=data["covariates"])
    np.testing.assert_allclose(1_000.0 * per_gram, per_kilo, rtol=0, atol=0.02)


@pytest.mark.parametrize("name", REFUSES_DOSE)
def test_a_dose_is_refused_by_learners_of_two_arms(name):
    data, _ = world(n=300)
    with pytest.raises(LearnerError, match=r"`treatment` must hold two arms.*dose of 300 values"):
        fitted(name, data)


def test_the_refusal_names_the_learners_that_take_a_dose():
    data, _ = world(n=300)
    with pytest.raises(LearnerError) as refused:
        fitted("dr_learner", data)
    assert all(name in str(refused.value) for name in TAKES_DOSE)
    assert not any(name in str(refused.value) for name in REFUSES_DOSE)


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_a_dose_needs_an_expected_outcome(name):
    data, _ = world(n=300)
    mean = data["nuisances"].propensity
    data["nuisances"] = NuisanceValues(mean, mean, mean)
    with pytest.raises(LearnerError, match="must give the expected outcome"):
        fitted(name, data)


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_doses_that_do_not_vary_or_are_missing_are_refused(name):
    data, _ = world(n=300)
    with pytest.raises(LearnerError, match=r"must vary.*one dose, 2\.5"):
        fitted(name, {**data, "treatment": np.full(300, 2.5)})
    data["treatment"][4] = np.nan
    with pytest.raises(LearnerError, match=r"`treatment` must be finite; 1 of 300"):
        fitted(name, data)


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_whole_numbers_are_arms_and_never_a_dose(name):
    data, _ = world(n=300)
    data["treatment"] = np.arange(300) % 3
    with pytest.raises(LearnerError, match=r"Several arms are not supported"):
        fitted(name, data)


@pytest.mark.parametrize("name", TAKES_DOSE)
def test_two_arms_as_floats_are_two_arms(name):
    rng = np.random.default_rng(0)
    covariates = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    treatment = np.arange(300) % 2
    half, zeros = np.full(300, 0.5), np.zeros(300)
    data = {
        "covariates": covariates,
        "outcome": rng.normal(size=300) + treatment,
        "nuisances": NuisanceValues(half, zeros, zeros + 1.0),
        "groups": np.arange(300),
    }
    whole = fitted(name, {**data, "treatment": treatment})
    floats = fitted(name, {**data, "treatment": treatment.astype(np.float64)})
    np.testing.assert_array_equal(
        whole.predict_cate(covariates=covariates), floats.predict_cate(covariates=covariates)
    )


def test_rows_are_taken_with_their_expected_outcome():
    nuisances = world(n=10)[0]["nuisances"]
    rows = np.array([7, 2])
    np.testing.assert_array_equal(nuisances.take(rows).outcome_mean, nuisances.outcome_mean[rows])
    assert np.isnan(nuisances.take(rows).mu0).all()


def test_one_slope_for_all_without_noise_is_found():
    rng = np.random.default_rng(0)
    n = 2_000
    dose = rng.uniform(0.0, 10.0, n)
    data = {
        "covariates": pd.DataFrame({"a": rng.normal(size=n)}),
        "treatment": dose,
        "outcome": 4.0 * dose,
        "nuisances": NuisanceValues.of_dose(
            dose_mean=np.full(n, 5.0), outcome_mean=np.full(n, 20.0)
        ),
        "groups": np.arange(n),
    }
    for name in TAKES_DOSE:
        predicted = fitted(name, data).predict_cate(covariates=data["covariates"])
        np.testing.assert_allclose(predicted, 4.0, rtol=0.03, err_msg=name)
