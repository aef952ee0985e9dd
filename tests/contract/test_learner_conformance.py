"""What every learner of the registry must do; a new learner is tested by being registered."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import yaml

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import LEARNERS, build_learner, check_learners
from promo_uplift.learners.conformance import RULES, Subject, training_rows
from promo_uplift.learners.ensemble import ensemble_choice
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
    if LEARNERS[name].combines:
        return ensemble_choice(
            weights={"constant": 0.25, "t_learner": 0.5, "causal_forest": 0.25, "s_learner": 0.0},
            choices={"constant": {}, "t_learner": SMALL_TREES, "causal_forest": SMALL_FOREST},
        )
    fields = set(LEARNERS[name].parameters.model_fields)
    by_field = {
        "max_samples": SMALL_FOREST,
        "min_samples_treatment": SMALL_UPLIFT_FOREST,
        "ridge": {"ridge": 0.1},
        "winsor_share": SMALL_REGULARISED,
        "trend_folds": SMALL_TREES | SMALL_TREND,
    }
    small = [choice for field, choice in by_field.items() if field in fields]
    return small[0] if small else SMALL_TREES if fields else {}


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


@pytest.mark.parametrize("rule", RULES)
def test_it_keeps_every_rule(name, rule):
    spec = LEARNERS[name]
    subject = Subject(
        build=lambda: build_learner(name=name, choice=small_choice(name)),
        # exchanging the arms gives another of causalml's forests, not the negated effect
        estimates_effect=spec.role != "ranking_only" and name != "uplift_forest",
        takes_missing=spec.missing_covariates.is_supported,
        offers_interval=spec.offers_interval,
    )
    RULES[rule](subject)


def test_only_a_baseline_knows_no_heterogeneity(name):
    data = training_rows()
    cate = fitted(name, data).predict_cate(covariates=data["covariates"])
    assert np.std(cate) > 0 or LEARNERS[name].role == "baseline"


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treatment": np.ones(400, dtype=int)}, r"`treatment` must hold both arms.*\[1\]"),
        ({"treatment": np.arange(400) % 3}, "Several arms are not supported"),
        ({"outcome": np.full(400, np.nan)}, "`outcome` must be finite; 400 of 400"),
    ],
)
def test_a_refusal_names_field_rule_and_finding(change, message):
    with pytest.raises(LearnerError, match=message):
        fitted("constant", training_rows() | change)


def test_an_interval_that_is_not_offered_says_how_to_get_one():
    data = training_rows()
    with pytest.raises(IntervalNotOffered, match="with_half_sample_interval"):
        fitted("constant", data).predict_interval(covariates=data["covariates"], level=0.9)


def test_a_binary_outcome_is_supported_or_refused_as_stated(name):
    data = training_rows(n=800)
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
    data = training_rows()
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
