"""The ensemble's weights: solver, nesting, where they go, deployment."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from small_world import randomised_world

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import CrossFittedCate
from promo_uplift.learners import build_learner, check_learners
from promo_uplift.learners.ensemble import ensemble_choice, member_choices
from promo_uplift.learners.registry import tuning_choice
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.tuning import (
    combine_cross_fitted,
    deployed_weights,
    ensemble_members,
    fit_deployed,
    fit_deployed_ensemble,
)
from promo_uplift.tuning.losses import LOSSES
from promo_uplift.tuning.stacking import simplex_weights, stacking_residuals

TREES = {
    "n_estimators": 8,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.7,
}
FOREST = {
    "n_estimators": 12,
    "tuning_n_estimators": 4,
    "min_samples_leaf": 5,
    "max_samples": 0.4,
    "max_features": 0.8,
    "min_balancedness_tol": 0.45,
    "max_depth": 4,
    "min_var_fraction_leaf": 0.0,
}
UNTUNED = TuningParameters(
    loss="r_loss", n_trials=0, timeout_seconds=60.0, n_startup_trials=1, pruner_warmup_folds=0
)


def member(name, cate, fold, parameters=None):
    n_folds = int(fold.max()) + 1
    wide = cate if cate.ndim == 2 else np.repeat(cate[:, np.newaxis], n_folds, axis=1)
    return CrossFittedCate(
        learner=name,
        cate=wide,
        fold=fold,
        tuning=pd.DataFrame(
            columns=["fold", "number", "state", "loss", "seconds", "stopped_by", "depth"]
        ),
        parameters=(parameters or {},) * n_folds,
        seconds=1.0,
    )


def weights_of(combined, fold):
    given = combined.parameters[fold].items()
    return {key.removeprefix("weight."): value for key, value in given if key.startswith("weight.")}


# --- the solver


def test_two_candidates_have_a_closed_form():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a = rng.normal(size=(30, 2)) + rng.normal(size=(30, 1))
        difference = a[:, 0] - a[:, 1]
        best = np.clip(-(a[:, 1] @ difference) / (difference @ difference), 0.0, 1.0)
        np.testing.assert_allclose(simplex_weights(residuals=a), [best, 1 - best], atol=1e-10)


def test_orthogonal_residuals_are_weighted_by_inverse_squares():
    sizes = np.array([1.0, 2.0, 4.0])
    expected = sizes**-2 / np.sum(sizes**-2)
    np.testing.assert_allclose(simplex_weights(residuals=np.diag(sizes)), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_another_solver_finds_nothing_better(scale):
    rng = np.random.default_rng(1)
    for p in (3, 5, 9):
        target = rng.normal(0, 30, 400)
        a = (rng.normal(size=(400, p)) + 0.02 * target[:, np.newaxis]) - target[:, np.newaxis]
        weights = simplex_weights(residuals=a * scale)
        other = minimize(
            lambda w, a=a: np.sum((a @ w) ** 2) / 1e4,
            np.full(p, 1 / p),
            method="SLSQP",
            bounds=[(0, 1)] * p,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.sum((a @ weights) ** 2) <= np.sum((a @ other.x) ** 2) * (1 + 1e-10)
        np.testing.assert_allclose(weights, other.x, atol=1e-4)


def test_no_weight_goes_to_a_copy_of_an_earlier_candidate():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(50, 2)) + 3
    weights = simplex_weights(residuals=np.column_stack([a, a[:, 0]]))
    np.testing.assert_allclose(weights[:2], simplex_weights(residuals=a), atol=1e-12)
    assert weights[2] == 0.0


def test_a_candidate_without_error_gets_all():
    a = np.random.default_rng(3).normal(size=(50, 3))
    a[:, 1] = 0.0
    np.testing.assert_array_equal(simplex_weights(residuals=a), [0.0, 1.0, 0.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_squares_of_residuals_are_the_loss_of_each_member_and_of_their_mean(loss):
    data, nuisances = randomised_world(n_households=60, seed=4, effect_usd=3.0)
    given = nuisances.held_out()
    cates = np.random.default_rng(4).normal(size=(len(data.outcome), 3))
    residuals = stacking_residuals(loss=loss, cates=cates, data=data, nuisances=given)
    rows = {"treatment": data.treatment, "outcome": data.outcome, "nuisances": given}
    for column in range(3):
        expected = LOSSES[loss](cate=cates[:, column], **rows)
        np.testing.assert_allclose(residuals[:, column] ** 2, expected)
    weights = np.array([0.2, 0.5, 0.3])
    np.testing.assert_allclose(
        (residuals @ weights) ** 2, LOSSES[loss](cate=cates @ weights, **rows)
    )


# --- what the weights find


def world_of_effects(*, effect, seed=0, n_households=4_000):
    """Trials whose effect is `effect(x)`, and a member that knows it among others that do not."""
    data, nuisances = randomised_world(n_households=n_households, seed=seed, effect_usd=0.0)
    tau = effect(data.covariates["visits"].to_numpy())
    data = dataclasses.replace(data, outcome=data.outcome + tau * data.treatment)
    nuisances = dataclasses.replace(nuisances, mu1=nuisances.mu1 + tau[:, np.newaxis])
    rng = np.random.default_rng(seed + 1)
    fold = nuisances.fold
    members = {"constant": member("constant", np.full(len(tau), tau.mean()), fold)}
    for noise in ("s_learner", "x_learner"):
        members[noise] = member(noise, tau.mean() + rng.normal(0, 2.0, len(tau)), fold)
    members["t_learner"] = member("t_learner", tau, fold)
    return data, nuisances, members


@pytest.mark.parametrize("loss", LOSSES)
def test_the_member_that_is_the_truth_gets_the_weight(loss):
    data, nuisances, members = world_of_effects(effect=lambda x: 3.0 + 2.0 * x)
    combined = combine_cross_fitted(
        name="ensemble", members=members, data=data, nuisances=nuisances, loss=loss
    )
    for fold in range(nuisances.n_folds):
        assert weights_of(combined, fold)["t_learner"] > 0.9
    assert (
        deployed_weights(members=members, data=data, nuisances=nuisances, loss=loss)["t_learner"]
        > 0.9
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_without_heterogeneity_most_weight_is_on_the_constant(loss):
    data, nuisances, members = world_of_effects(effect=lambda x: np.full(len(x), 3.0))
    rng = np.random.default_rng(9)
    members["t_learner"] = member(
        "t_learner", 3.0 + rng.normal(0, 2.0, len(data.outcome)), nuisances.fold
    )
    combined = combine_cross_fitted(
        name="ensemble", members=members, data=data, nuisances=nuisances, loss=loss
    )
    for fold in range(nuisances.n_folds):
        assert weights_of(combined, fold)["constant"] > 0.8


def test_an_exaggeration_is_shrunk_towards_the_constant():
    """A member at twice the deviation from the mean belongs at weight 1/2: least squares."""
    data, nuisances, members = world_of_effects(effect=lambda x: 3.0 + 2.0 * x)
    truth = members["t_learner"].held_out()
    twice = truth.mean() + 2.0 * (truth - truth.mean())
    two = {
        "constant": members["constant"],
        "t_learner": member("t_learner", twice, nuisances.fold),
    }
    found = deployed_weights(members=two, data=data, nuisances=nuisances, loss="dr_loss")
    scores = dr_scores(
        treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out()
    )
    moves = twice - truth.mean()
    slope = (moves @ (scores - truth.mean())) / (moves @ moves)
    assert found["t_learner"] == pytest.approx(slope, abs=1e-9)
    assert found["t_learner"] == pytest.approx(0.5, abs=0.03)


# --- who chooses for whom


def test_an_entry_is_weighted_by_what_is_best_outside_both_folds():
    data, nuisances, members = world_of_effects(effect=lambda x: 3.0 + x, n_households=60)
    rng = np.random.default_rng(5)
    members = {
        name: dataclasses.replace(one, cate=one.cate + rng.normal(size=one.cate.shape))
        for name, one in members.items()
    }
    combined = combine_cross_fitted(
        name="ensemble", members=members, data=data, nuisances=nuisances, loss="dr_loss"
    )
    fold = nuisances.fold
    for k in range(3):
        columns = np.column_stack([one.cate[:, k] for one in members.values()])
        residuals = stacking_residuals(
            loss="dr_loss", cates=columns, data=data, nuisances=nuisances.excluding(k)
        )
        for m in range(3):
            weights = simplex_weights(residuals=residuals[(fold != m) & (fold != k)])
            np.testing.assert_allclose(
                combined.cate[fold == m, k], columns[fold == m] @ weights, atol=1e-12
            )
        np.testing.assert_allclose(
            list(weights_of(combined, k).values()),
            simplex_weights(residuals=residuals[fold != k]),
            atol=1e-12,
        )


def test_members_are_the_constant_and_every_effect_an_own_one_included():
    learners = ["zero", "constant", "response", "random", "x_learner", "ensemble", "mine"]
    assert ensemble_members(learners) == ("constant", "mine", "x_learner")
    assert ensemble_members(learners[::-1]) == ("constant", "mine", "x_learner")


def test_an_ensemble_of_the_constant_alone_is_refused():
    with pytest.raises(LearnerError, match="must hold a learner of effects beside `ensemble`"):
        ensemble_members(["zero", "constant", "response", "random", "ensemble"])


# --- its choice


def test_a_choice_is_taken_apart_as_it_was_put_together():
    flat = ensemble_choice(
        weights={"constant": 0.25, "t_learner": 0.75, "s_learner": 0.0},
        choices={"constant": {}, "t_learner": TREES, "s_learner": TREES},
    )
    assert flat["weight.s_learner"] == 0.0
    assert "s_learner.num_leaves" not in flat
    assert member_choices(flat) == (
        {"constant": 0.25, "t_learner": 0.75},
        {"constant": {}, "t_learner": TREES},
    )


@pytest.mark.parametrize(
    "weights", [{}, {"weight.constant": 0.5}, {"weight.constant": 1.5, "weight.t_learner": -0.5}]
)
def test_weights_that_are_not_convex_are_refused(weights):
    with pytest.raises(LearnerError, match="must be at least 0 and sum to 1"):
        build_learner(name="ensemble", choice=weights)


def test_a_refit_of_an_ensemble_takes_the_cheaper_sizes_of_its_members():
    flat = ensemble_choice(
        weights={"constant": 0.5, "causal_forest": 0.5},
        choices={"constant": {}, "causal_forest": FOREST},
    )
    assert tuning_choice(name="ensemble", choice=flat) == flat | {"causal_forest.n_estimators": 4}


def test_weights_in_the_configuration_are_refused():
    given = LearnerParameters.model_validate({"defaults": {"weight.constant": 1.0}})
    with pytest.raises(LearnerError, match=r"`ensemble\.defaults` must be empty"):
        check_learners(parameters={"ensemble": given})


# --- deployment


@pytest.mark.parametrize("replicates", [0, 3])
def test_the_deployed_ensemble_is_the_weighted_mean_of_members_and_survives_pickling(replicates):
    data, nuisances = randomised_world(n_households=120, seed=6, effect_usd=3.0)
    learners = {
        "constant": LearnerParameters(),
        "t_learner": LearnerParameters.model_validate({"defaults": TREES}),
        "x_learner": LearnerParameters.model_validate({"defaults": TREES}),
    }
    weights = {"constant": 0.4, "t_learner": 0.6, "x_learner": 0.0}
    deployed = fit_deployed_ensemble(
        name="ensemble",
        weights=weights,
        data=data,
        nuisances=nuisances,
        learners=learners,
        tuning=UNTUNED,
        seed=1,
        interval_replicates=replicates,
    )
    learner = pickle.loads(pickle.dumps(deployed.learner))  # noqa: S301 - our own object
    cate = learner.predict_cate(covariates=data.covariates)
    members = deployed.learner.learner.members
    assert list(members) == ["constant", "t_learner"]
    expected = sum(
        weights[name] * one.predict_cate(covariates=data.covariates)
        for name, one in members.items()
    )
    np.testing.assert_allclose(cate, expected, atol=1e-12)
    alone = fit_deployed(
        name="constant",
        data=data,
        nuisances=nuisances,
        parameters=LearnerParameters(),
        tuning=UNTUNED,
        seed=1,
        interval_replicates=0,
    )
    np.testing.assert_array_equal(
        members["constant"].predict_cate(covariates=data.covariates),
        alone.learner.predict_cate(covariates=data.covariates),
    )
    assert deployed.parameters["t_learner.num_leaves"] == 4
    if replicates:
        interval = learner.predict_interval(covariates=data.covariates, level=0.9)
        assert np.all((interval[:, 0] <= cate) & (cate <= interval[:, 1]))
