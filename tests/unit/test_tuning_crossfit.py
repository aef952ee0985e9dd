"""Cross-fitting a learner: which rows train, one path for all, workers, deployment."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.learners.intervals import HalfSampleLearner
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.studies import ALL_FOLDS
from promo_uplift.tuning import cross_fit_learner, fit_deployed
from promo_uplift.tuning.search import Split, fit_on_split

K = 3
TREES = {
    "n_estimators": 8,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.7,
}
SPACE = {"num_leaves": {"kind": "int", "low": 2, "high": 6}}
TUNED = LearnerParameters.model_validate({"defaults": TREES, "search_space": SPACE})
FOREST = LearnerParameters.model_validate(
    {
        "defaults": {
            "n_estimators": 12,
            "tuning_n_estimators": 4,
            "min_samples_leaf": 5,
            "max_samples": 0.4,
            "max_features": 0.8,
            "min_balancedness_tol": 0.45,
            "max_depth": 4,
            "min_var_fraction_leaf": 0.0,
        }
    }
)


def tuning(**changes):
    settings = {
        "loss": "r_loss",
        "n_trials": 4,
        "timeout_seconds": 60.0,
        "n_startup_trials": 2,
        "pruner_warmup_folds": 1,
    }
    return TuningParameters(**{**settings, **changes})


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    n = 240
    groups = np.arange(n) // 2
    x = rng.normal(size=(n, 3))
    treatment = rng.integers(0, 2, n)
    outcome = 5 * x[:, 0] + treatment * (2 + x[:, 1]) + rng.normal(size=n)
    data = TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(n),
        groups=groups,
        campaign=np.full(n, 8),
    )
    # Nuisances that differ by column, so that a wrong column would show.
    column = np.arange(K) / 50
    nuisances = CrossFittedNuisances(
        fold=groups % K,
        propensity=np.full((n, K), 0.5) + column,
        mu0=5 * x[:, [0]] + column,
        mu1=5 * x[:, [0]] + 2 + x[:, [1]] - column,
        redemption=np.full((n, K), 0.1),
        raw_propensity_held_out=np.full(n, 0.5),
        n_clipped=0,
        clip=0.05,
        tuned=pd.DataFrame(),
    )
    return data, nuisances


def run(world, name, parameters, **changes):
    data, nuisances = world
    arguments = {"tuning": tuning(), "seed": 1, "n_workers": 1, **changes}
    return cross_fit_learner(
        name=name, data=data, nuisances=nuisances, parameters=parameters, **arguments
    )


def test_the_constant_learner_is_the_mean_score_of_the_rows_outside_both_folds(world):
    data, nuisances = world
    result = run(world, "constant", LearnerParameters())
    for k in range(K):
        scores = dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.excluding(k)
        )
        for m in range(K):
            outside = ~np.isin(nuisances.fold, (m, k))
            np.testing.assert_allclose(
                result.cate[nuisances.fold == m, k], scores[outside].mean(), atol=1e-12
            )
    assert len(result.tuning) == 0
    assert result.parameters == ({},) * K


def test_the_chosen_parameters_have_the_lowest_loss_of_their_fold(world):
    result = run(world, "t_learner", TUNED)
    assert list(result.tuning.columns[:6]) == [
        "fold",
        "number",
        "state",
        "loss",
        "seconds",
        "stopped_by",
    ]
    for k in range(K):
        trials = result.tuning[result.tuning["fold"] == k]
        assert trials.iloc[0]["num_leaves"] == TREES["num_leaves"]
        complete = trials[trials["state"] == "COMPLETE"]
        best = complete.loc[complete["loss"].idxmin()]
        assert result.parameters[k] == {**TREES, "num_leaves": best["num_leaves"]}
        assert len(trials) == 4


def test_the_result_does_not_depend_on_the_number_of_workers(world):
    one = run(world, "x_learner", TUNED, n_workers=1)
    two = run(world, "x_learner", TUNED, n_workers=2)
    np.testing.assert_array_equal(one.cate, two.cate)
    assert one.parameters == two.parameters
    pd.testing.assert_frame_equal(
        one.tuning.drop(columns="seconds"), two.tuning.drop(columns="seconds")
    )


def test_workers_share_one_journal(world, tmp_path):
    journal = str(tmp_path / "studies.log")
    stored = run(world, "t_learner", TUNED, n_workers=2, storage=journal)
    again = run(world, "t_learner", TUNED, n_workers=1, storage=journal)
    np.testing.assert_array_equal(stored.cate, again.cate)
    pd.testing.assert_frame_equal(stored.tuning, again.tuning)  # seconds too: nothing was redone


def test_the_loss_decides(world):
    by_r = run(world, "t_learner", TUNED)
    by_dr = run(world, "t_learner", TUNED, tuning=tuning(loss="dr_loss"))
    assert not np.allclose(by_r.tuning["loss"], by_dr.tuning["loss"])


def test_a_time_budget_that_binds_is_visible(world):
    result = run(world, "t_learner", TUNED, tuning=tuning(timeout_seconds=1e-6))
    assert set(result.tuning["stopped_by"]) == {"seconds"}
    assert len(result.tuning) == K  # the default of each fold


def test_a_progress_bar_is_shown_on_stderr_only_if_asked(world, capsys):
    run(world, "zero", LearnerParameters())
    silent = capsys.readouterr()
    assert silent.err == silent.out == ""
    run(world, "zero", LearnerParameters(), progress=True)
    shown = capsys.readouterr()
    assert "zero: fit" in shown.err
    assert shown.out == ""


def test_the_forest_tunes_with_fewer_trees_and_predicts_with_all(world):
    searched = FOREST.model_copy(
        update={
            "search_space": LearnerParameters.model_validate(
                {"search_space": {"max_depth": {"kind": "int", "low": 2, "high": 5}}}
            ).search_space
        }
    )
    data, nuisances = world
    result = run(world, "causal_forest", searched)
    assert all(chosen["n_estimators"] == 12 for chosen in result.parameters)
    split = Split.of(nuisances=nuisances, fold=0, held_out=0)
    full = fit_on_split(
        name="causal_forest", data=data, split=split, choice=result.parameters[0], seed=1
    )
    np.testing.assert_array_equal(
        full.predict_cate(covariates=data.covariates.loc[split.test]), result.cate[split.test, 0]
    )


@pytest.mark.parametrize(("name", "parameters"), [("dr_learner", TUNED), ("causal_forest", FOREST)])
def test_the_deployed_learner_has_an_interval_and_survives_pickling(world, name, parameters):
    data, nuisances = world
    deployed = fit_deployed(
        name=name,
        data=data,
        nuisances=nuisances,
        parameters=parameters,
        tuning=tuning(),
        seed=1,
        interval_replicates=3,
    )
    learner = pickle.loads(pickle.dumps(deployed.learner))  # noqa: S301 - our own object
    interval = learner.predict_interval(covariates=data.covariates, level=0.9)
    cate = learner.predict_cate(covariates=data.covariates)
    assert np.all((interval[:, 0] <= cate) & (cate <= interval[:, 1]))
    assert isinstance(deployed.learner, HalfSampleLearner)
    assert set(deployed.tuning["fold"]) <= {ALL_FOLDS}


def test_without_replicates_even_a_forests_own_interval_is_not_offered(world):
    data, nuisances = world
    deployed = fit_deployed(
        name="causal_forest",
        data=data,
        nuisances=nuisances,
        parameters=FOREST,
        tuning=tuning(),
        seed=1,
        interval_replicates=0,
    )
    learner = pickle.loads(pickle.dumps(deployed.learner))  # noqa: S301 - our own object
    assert np.isfinite(learner.predict_cate(covariates=data.covariates)).all()
    with pytest.raises(IntervalNotOffered, match="interval_replicates"):
        learner.predict_interval(covariates=data.covariates, level=0.9)


def test_the_deployed_learner_is_fitted_on_all_rows_with_held_out_nuisances(world):
    data, nuisances = world
    deployed = fit_deployed(
        name="constant",
        data=data,
        nuisances=nuisances,
        parameters=LearnerParameters(),
        tuning=tuning(),
        seed=1,
        interval_replicates=2,
    )
    scores = dr_scores(
        treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out()
    )
    np.testing.assert_allclose(
        deployed.learner.predict_cate(covariates=data.covariates), scores.mean(), atol=1e-12
    )


def test_wrong_configuration_is_refused_before_any_fit(world):
    wrong = LearnerParameters.model_validate({"defaults": {**TREES, "num_leaves": 1}})
    with pytest.raises(LearnerError, match=r"`t_learner` was given wrong parameters: `num_leaves`"):
        run(world, "t_learner", wrong)


def test_a_default_outside_the_search_space_is_refused(world):
    outside = LearnerParameters.model_validate(
        {"defaults": {**TREES, "num_leaves": 20}, "search_space": SPACE}
    )
    with pytest.raises(LearnerError, match=r"`t_learner.defaults.num_leaves`.*\[2, 6\], got 20"):
        run(world, "t_learner", outside)


def test_an_unknown_learner_is_refused(world):
    with pytest.raises(LearnerError, match="`u_learner` is unknown"):
        run(world, "u_learner", LearnerParameters())
