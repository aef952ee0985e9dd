"""Whatever happens to a fold's outcomes and treatments, its own column does not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from promo_uplift.contracts.parameters import (
    LearnerParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.models import NUISANCES as NUISANCE_SPECS
from promo_uplift.nuisance.models import fit_nuisance, nuisance_features
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.tuning import combine_cross_fitted, cross_fit_learner

N_FOLDS = 3
TREES = {
    "n_estimators": 5,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 5,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.7,
}
TREE_SPACE = {
    "num_leaves": {"kind": "int", "low": 2, "high": 8},
    "reg_lambda": {"kind": "float", "low": 0.1, "high": 100.0, "log": True},
}
FOREST = {
    "n_estimators": 8,
    "tuning_n_estimators": 4,
    "min_samples_leaf": 5,
    "max_samples": 0.4,
    "max_features": 0.8,
    "min_balancedness_tol": 0.45,
    "max_depth": 4,
    "min_var_fraction_leaf": 0.0,
}
FOREST_SPACE = {"min_samples_leaf": {"kind": "int", "low": 3, "high": 12}}
LEARNERS = {
    "constant": {},
    "response": {"defaults": TREES},
    "random": {},
    "s_learner": {"defaults": TREES, "search_space": TREE_SPACE},
    "t_learner": {"defaults": TREES, "search_space": TREE_SPACE},
    "x_learner": {"defaults": TREES, "search_space": TREE_SPACE},
    "dr_learner": {"defaults": TREES, "search_space": TREE_SPACE},
    "causal_forest": {"defaults": FOREST, "search_space": FOREST_SPACE},
}
NUISANCES = NuisanceParameters(
    n_folds=N_FOLDS,
    propensity_clip=0.05,
    n_trials=2,
    timeout_seconds=60.0,
    model=LearnerParameters.model_validate({"defaults": TREES, "search_space": TREE_SPACE}),
)
TUNING = TuningParameters(
    loss="r_loss",
    n_trials=3,
    timeout_seconds=60.0,
    n_startup_trials=2,
    pruner_warmup_folds=1,
    check_after_trials=2,
    gain_level=0.2,
)


def world():
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(90), 2)
    n = len(groups)
    x = rng.normal(size=(n, 3))
    treatment = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64)
    data = TrialData(
        covariates=pd.DataFrame(x, columns=["a", "b", "c"]),
        treatment=treatment,
        outcome=rng.gamma(2, 20, n) + 10 * treatment * (x[:, 1] > 0),
        redeemed=((rng.random(n) < 0.3) & (treatment == 1)).astype(float),
        groups=groups,
        campaign=np.tile([8, 13], 90),
    )
    return data, groups % N_FOLDS


def nuisances_of(data, fold):
    return cross_fit_nuisances(data=data, fold=fold, parameters=NUISANCES, seed=1, n_workers=1)


def cate_of(name, data, nuisances):
    return cross_fit_learner(
        name=name,
        data=data,
        nuisances=nuisances,
        parameters=LearnerParameters.model_validate(LEARNERS[name]),
        tuning=TUNING,
        seed=1,
        n_workers=1,
    )


def changed(data, rows, seed):
    """Other treatments, wild outcomes and other redemptions in the given rows."""
    rng = np.random.default_rng(seed)
    treatment, outcome, redeemed = (
        data.treatment.copy(),
        data.outcome.copy(),
        data.redeemed.copy(),
    )
    treatment[rows] = rng.integers(0, 2, int(rows.sum()))
    outcome[rows] = rng.normal(0, 10.0 ** rng.integers(0, 6), int(rows.sum()))
    redeemed[rows] = treatment[rows] * rng.integers(0, 2, int(rows.sum()))
    return dataclasses.replace(data, treatment=treatment, outcome=outcome, redeemed=redeemed)


# Each example fits some sixty models: shrinking a failure would take minutes.
@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(held_out=st.integers(0, N_FOLDS - 1), seed=st.integers(0, 2**31))
def test_nuisances_of_a_column_do_not_depend_on_its_fold(held_out, seed):
    data, fold = world()
    before = nuisances_of(data, fold)
    after = nuisances_of(changed(data, fold == held_out, seed), fold)
    for name in ("propensity", "mu0", "mu1", "redemption"):
        np.testing.assert_array_equal(
            getattr(after, name)[:, held_out], getattr(before, name)[:, held_out]
        )
    np.testing.assert_array_equal(
        after.raw_propensity_held_out[fold == held_out],
        before.raw_propensity_held_out[fold == held_out],
    )
    pd.testing.assert_frame_equal(
        after.tuned[after.tuned["fold"] == held_out], before.tuned[before.tuned["fold"] == held_out]
    )


@pytest.mark.parametrize("calibration", ["auto", "beta", "isotonic"])
def test_calibrated_propensities_of_a_column_do_not_depend_on_its_fold(calibration):
    data, fold = world()
    bold = {**TREES, "n_estimators": 80, "num_leaves": 8}  # tells chances that are too far out
    parameters = NUISANCES.model_copy(
        update={
            "n_trials": 0,
            "model": LearnerParameters.model_validate({"defaults": bold}),
            "calibration": calibration,
        }
    )

    def calibrated(rows):
        return cross_fit_nuisances(data=rows, fold=fold, parameters=parameters, seed=1, n_workers=1)

    before = calibrated(data)
    assert not np.array_equal(before.uncalibrated_held_out, before.raw_propensity_held_out)
    for held_out in range(N_FOLDS):
        own = fold == held_out
        after = calibrated(changed(data, own, 5))
        np.testing.assert_array_equal(after.propensity[:, held_out], before.propensity[:, held_out])
        assert not np.array_equal(after.propensity, before.propensity)
        for one, other in zip(
            (before.raw_propensity_held_out, before.uncalibrated_held_out),
            (after.raw_propensity_held_out, after.uncalibrated_held_out),
            strict=True,
        ):
            np.testing.assert_array_equal(other[own], one[own])
        choices = [one.calibration.set_index("fold").loc[held_out] for one in (before, after)]
        pd.testing.assert_series_equal(*choices)


MEMBERS = ("constant", "t_learner", "causal_forest")


def ensemble_of(data, nuisances, loss):
    return combine_cross_fitted(
        name="ensemble",
        members={name: cate_of(name, data, nuisances) for name in MEMBERS},
        data=data,
        nuisances=nuisances,
        loss=loss,
    )


@pytest.mark.parametrize("loss", ["dr_loss", "r_loss"])
def test_a_fold_never_chose_the_weights_of_its_ensemble(loss):
    data, fold = world()
    before = ensemble_of(data, nuisances_of(data, fold), loss)
    other = changed(data, fold == 1, 5)
    after = ensemble_of(other, nuisances_of(other, fold), loss)
    np.testing.assert_array_equal(after.cate[:, 1], before.cate[:, 1])
    assert after.parameters[1] == before.parameters[1]
    assert after.parameters[0] != before.parameters[0]  # the weights of others do move


@pytest.mark.parametrize("name", LEARNERS)
def test_cate_of_a_column_does_not_depend_on_its_fold(name):
    data, fold = world()
    before_nuisances = nuisances_of(data, fold)
    before = cate_of(name, data, before_nuisances)
    for held_out, seed in ((0, 5), (N_FOLDS - 1, 6)):
        other = changed(data, fold == held_out, seed)
        after = cate_of(name, other, nuisances_of(other, fold))
        np.testing.assert_array_equal(after.cate[:, held_out], before.cate[:, held_out])
        assert after.parameters[held_out] == before.parameters[held_out]
        if before.default_cate is not None:
            mine = fold == held_out
            np.testing.assert_array_equal(after.default_cate[mine], before.default_cate[mine])
            pd.testing.assert_series_equal(
                after.studies.loc[held_out].drop("seconds"),
                before.studies.loc[held_out].drop("seconds"),
            )


def test_entries_come_from_models_that_saw_neither_fold():
    """Changing fold m leaves the entries (m, k) of the nuisances alone, for every column k.

    Untuned: hyperparameters of column k may see fold m, the models may not.
    """
    data, fold = world()
    untuned = NUISANCES.model_copy(update={"n_trials": 0})
    one = cross_fit_nuisances(data=data, fold=fold, parameters=untuned, seed=1, n_workers=1)
    other_data = changed(data, fold == 1, 9)
    two = cross_fit_nuisances(data=other_data, fold=fold, parameters=untuned, seed=1, n_workers=1)
    rows = fold == 1
    for name in ("propensity", "mu0", "mu1", "redemption"):
        np.testing.assert_array_equal(getattr(two, name)[rows], getattr(one, name)[rows])


def test_the_check_itself_can_fail():
    """Columns of other folds do change: the tests above compare something that moves."""
    data, fold = world()
    before = nuisances_of(data, fold)
    other = changed(data, fold == 0, 5)
    after = nuisances_of(other, fold)
    assert not np.array_equal(after.mu0[:, 1], before.mu0[:, 1])
    cates = [
        cate_of("dr_learner", one, nuisances).cate[:, 1]
        for one, nuisances in ((data, before), (other, after))
    ]
    assert not np.array_equal(*cates)


@pytest.mark.parametrize("name", ["t_learner", "x_learner", "dr_learner"])
@pytest.mark.parametrize("n_folds", [3, 4])
def test_effects_that_choose_do_not_know_the_outcomes_that_judge_them(name, n_folds):
    """Wild outcomes in fold m leave its effects in every column alone, with four folds or more.

    Untuned: hyperparameters of column k may see fold m. With three folds the targets of training
    rows are made by models that saw m, and a learner whose targets hold them knows them.
    """
    data, _ = world()
    fold = data.groups % n_folds
    untuned = NUISANCES.model_copy(update={"n_trials": 0, "n_folds": n_folds})
    outcome = data.outcome.copy()
    outcome[fold == 1] = np.random.default_rng(3).normal(0.0, 1e4, int((fold == 1).sum()))
    found = []
    for one in (data, dataclasses.replace(data, outcome=outcome)):
        nuisances = cross_fit_nuisances(
            data=one, fold=fold, parameters=untuned, seed=1, n_workers=1
        )
        found.append(
            cross_fit_learner(
                name=name,
                data=one,
                nuisances=nuisances,
                parameters=LearnerParameters.model_validate({"defaults": TREES}),
                tuning=TUNING,
                seed=1,
                n_workers=1,
            ).cate[fold == 1]
        )
    is_same = np.array_equal(*found)
    # the T-learner has no targets of others' making
    assert is_same == (n_folds > 3 or name == "t_learner")


def test_pair_outcomes_are_those_of_models_without_the_three_folds():
    """By hand: the rows of fold 0, for the pair (2, 3), from a model of fold 1 alone."""
    data, _ = world()
    fold = data.groups % 4
    untuned = NUISANCES.model_copy(update={"n_trials": 0, "n_folds": 4})
    nuisances = cross_fit_nuisances(data=data, fold=fold, parameters=untuned, seed=1, n_workers=2)
    features = nuisance_features(data=data, campaigns=np.unique(data.campaign))
    training = nuisances.training(held_out=3, fold=2)
    for name, found in (("mu0", training.mu0), ("mu1", training.mu1)):
        spec = NUISANCE_SPECS[name]
        rows = (fold == 1) & spec.rows(data)
        model = fit_nuisance(
            spec=spec,
            features=features,
            rows=rows,
            target=spec.target(data)[rows],
            choice=TREES,
            seed=derived_seed(seed=1, purpose=f"nuisance/{name}"),
        )
        expected = model.predict(features=features.take(rows=fold == 0))
        outside = fold[~np.isin(fold, (2, 3))]
        np.testing.assert_array_equal(found[outside == 0], expected)
    np.testing.assert_array_equal(
        nuisances.training(held_out=3, fold=3).mu0, nuisances.mu0[fold != 3, 3]
    )
    assert nuisances.pair_outcomes[(2, 3)] is nuisances.pair_outcomes[(3, 2)]
