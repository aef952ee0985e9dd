"""Calibrated propensities: the test that asks for it, beta and isotonic fits, who sees what."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from scipy.stats import chi2
from sklearn.isotonic import IsotonicRegression

from promo_uplift.contracts.parameters import LearnerParameters, NuisanceParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.effects import reliability_table
from promo_uplift.nuisance.calibration import (
    calibrated_matrix,
    calibration_test,
    choose_calibration,
    fit_beta,
    fit_isotonic,
)
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.deployment import fit_deployment_nuisances

K = 4
LEVEL = 0.05
TREES = {
    "n_estimators": 30,
    "learning_rate": 0.1,
    "num_leaves": 6,
    "min_child_samples": 30,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}


def parameters(**changes):
    settings = {
        "n_folds": K,
        "propensity_clip": 0.01,
        "n_trials": 0,
        "timeout_seconds": 60.0,
        "model": LearnerParameters.model_validate({"defaults": TREES}),
        "calibration": "auto",
        "calibration_level": LEVEL,
    }
    return NuisanceParameters(**{**settings, **changes})


def draw(n, *, seed, rows_each=1):
    """True propensities of households, and arms drawn with them."""
    rng = np.random.default_rng(seed)
    truth = expit(rng.normal(0.0, 1.2, n))
    treatment = (rng.random(n) < truth).astype(np.int64)
    return (
        np.repeat(truth, rows_each),
        np.repeat(treatment, rows_each),
        np.repeat(np.arange(n), rows_each),
    )


def too_bold(truth):
    """Logits twice as far out as they should be, and shifted."""
    return expit(2.0 * logit(truth) + 0.5)


def rejections(*, rows_each, n=600, replicates=400, told=lambda truth: truth):
    found = []
    for seed in range(replicates):
        truth, treatment, groups = draw(n, seed=seed, rows_each=rows_each)
        test = calibration_test(propensity=told(truth), treatment=treatment, groups=groups)
        found.append(test.p_value < LEVEL)
    return float(np.mean(found))


@pytest.mark.parametrize("rows_each", [1, 5])
def test_right_propensities_are_rejected_at_the_stated_level(rows_each):
    """400 draws: 0.05 +- 4 Monte-Carlo errors; copies of a household add no evidence."""
    assert rejections(rows_each=rows_each) == pytest.approx(LEVEL, abs=4 * 0.0109)


def test_the_level_without_households_would_be_wrong():
    """The check above can fail: five copies taken for five households reject far too often."""
    found = []
    for seed in range(100):
        truth, treatment, groups = draw(600, seed=seed, rows_each=5)
        test = calibration_test(
            propensity=truth, treatment=treatment, groups=np.arange(len(groups))
        )
        found.append(test.p_value < LEVEL)
    assert np.mean(found) > 0.3


def test_wrong_propensities_are_found():
    assert rejections(rows_each=1, replicates=50, told=too_bold) == 1.0


def test_the_test_by_hand():
    """One propensity for all leaves the intercept: the squared sum over the sum of squares."""
    treatment = np.array([1, 0, 0, 1, 1, 1])
    groups = np.array([0, 0, 1, 2, 3, 3])
    test = calibration_test(propensity=np.full(6, 0.4), treatment=treatment, groups=groups)
    sums = np.array([0.6 - 0.4, -0.4, 0.6, 1.2])
    expected = sums.sum() ** 2 / np.sum(sums**2)
    assert test.degrees == 1
    assert test.statistic == pytest.approx(expected)
    assert test.p_value == pytest.approx(chi2.sf(expected, 1))


def test_beta_calibration_is_the_logistic_fit_on_both_logs():
    truth, treatment, _ = draw(3_000, seed=1)
    told = too_bold(truth)
    fitted = fit_beta(propensity=told, treatment=treatment)
    design = np.column_stack([np.log(told), -np.log(1 - told), np.ones(3_000)])
    reference = sm.Logit(treatment, design).fit(disp=0)
    assert reference.params[:2].min() > 0
    np.testing.assert_allclose([fitted.a, fitted.b, fitted.c], reference.params, atol=1e-3)
    np.testing.assert_allclose(
        fitted.predict(propensity=told), reference.predict(design), atol=1e-4
    )


def test_a_negative_slope_of_beta_calibration_is_left_out():
    """Kull et al.: drop the term whose slope is negative, and fit the others again."""
    rng = np.random.default_rng(3)
    told = rng.uniform(0.05, 0.95, 4_000)
    chance = expit(-0.8 * np.log(told) - 2.0 * np.log(1 - told) - 2.0)  # a = -0.8
    treatment = (rng.random(4_000) < chance).astype(np.int64)
    fitted = fit_beta(propensity=told, treatment=treatment)
    design = np.column_stack([-np.log(1 - told), np.ones(4_000)])
    reference = sm.Logit(treatment, design).fit(disp=0)
    assert fitted.a == 0.0
    np.testing.assert_allclose([fitted.b, fitted.c], reference.params, atol=1e-3)


def test_isotonic_calibration_is_scikit_learns():
    truth, treatment, _ = draw(2_000, seed=2)
    told = too_bold(truth)
    fitted = fit_isotonic(propensity=told, treatment=treatment)
    reference = IsotonicRegression(out_of_bounds="clip").fit(told, treatment)
    new = np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(fitted.predict(propensity=new), reference.predict(new), atol=1e-12)


def matrix_of(told, treatment, fold, **changes):
    return calibrated_matrix(
        propensity=np.tile(told[:, None], K),
        treatment=treatment,
        groups=np.arange(len(told)),
        fold=fold,
        parameters=parameters(**changes),
    )


@pytest.mark.parametrize("method", ["auto", "beta", "isotonic"])
def test_a_miscalibrated_world_is_repaired(method):
    truth, treatment, _ = draw(6_000, seed=4)
    told, fold = too_bold(truth), np.arange(6_000) % K
    repaired, choices = matrix_of(told, treatment, fold, calibration=method)
    before = np.sqrt(np.mean((told - truth) ** 2))
    after = np.sqrt(np.mean((repaired - truth[:, None]) ** 2, axis=0))
    assert before > 0.12
    assert after.max() < 0.035
    assert len(choices) == K
    assert set(choices["method"]) == ({"beta"} if method == "auto" else {method})
    if method == "auto":
        assert (choices["log_loss_beta"] < choices["log_loss_none"]).all()
        assert choices["p_value"].max() < 1e-6


def test_a_calibrated_world_is_left_alone():
    truth, treatment, _ = draw(6_000, seed=5)
    fold = np.arange(6_000) % K
    same, choices = matrix_of(truth, treatment, fold)
    np.testing.assert_array_equal(same, np.tile(truth[:, None], K))
    assert set(choices["method"]) == {"none"}
    assert choices["log_loss_beta"].isna().all()


def test_isotonic_wins_where_no_logit_fits():
    """Steps: two levels of chance, told as a slope."""
    rng = np.random.default_rng(6)
    told = rng.uniform(0.05, 0.95, 8_000)
    treatment = (rng.random(8_000) < np.where(told > 0.7, 0.8, 0.3)).astype(np.int64)
    choice = choose_calibration(
        propensity=told,
        treatment=treatment,
        groups=np.arange(8_000),
        fold=np.arange(8_000) % K,
        rows=np.ones(8_000, dtype=bool),
        parameters=parameters(),
    )
    assert choice.method == "isotonic"
    assert choice.losses["isotonic"] < choice.losses["beta"] < choice.losses["none"]


@pytest.mark.parametrize("method", ["auto", "beta", "isotonic"])
def test_a_column_never_sees_the_arms_of_its_own_fold(method):
    truth, treatment, _ = draw(2_000, seed=7)
    told, fold = too_bold(truth), np.arange(2_000) % K
    before, _ = matrix_of(told, treatment, fold, calibration=method)
    for held_out in range(K):
        other = np.where(fold == held_out, 1 - treatment, treatment)
        after, _ = matrix_of(told, other, fold, calibration=method)
        np.testing.assert_array_equal(after[:, held_out], before[:, held_out])
        if method != "auto":  # the choice of the method is a hyperparameter of the column
            rows = fold == held_out
            np.testing.assert_array_equal(after[rows], before[rows])
            assert not np.array_equal(after[~rows], before[~rows])


@pytest.fixture(scope="module")
def world():
    """Trees that stop far too early tell propensities that are too timid."""
    rng = np.random.default_rng(8)
    n = 4_000
    x = rng.normal(size=(n, 3))
    truth = expit(2.0 * x[:, 0])
    data = TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=(rng.random(n) < truth).astype(np.int64),
        outcome=rng.normal(size=n),
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.full(n, 8),
    )
    return data, rng.permutation(n) % K, truth


def fitted(world, **changes):
    data, fold, _ = world
    return cross_fit_nuisances(
        data=data, fold=fold, parameters=parameters(**changes), seed=1, n_workers=1
    )


def few_trees():
    return LearnerParameters.model_validate({"defaults": {**TREES, "n_estimators": 6}})


def test_timid_propensities_of_too_few_trees_are_calibrated(world):
    data, _, truth = world
    plain = fitted(world, model=few_trees(), calibration="none")
    better = fitted(world, model=few_trees())
    assert plain.calibration is None
    assert plain.uncalibrated_held_out is None
    np.testing.assert_array_equal(better.uncalibrated_held_out, plain.raw_propensity_held_out)
    errors = [np.sqrt(np.mean((one.held_out().propensity - truth) ** 2)) for one in (plain, better)]
    assert errors[1] < 0.5 * errors[0]
    for name in ("mu0", "mu1", "redemption"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(better, name))
    table = reliability_table(
        nuisances=better,
        treatment=data.treatment,
        groups=data.groups,
        parameters=parameters(),
        level=0.95,
    ).set_index("stage")
    assert table.loc["after", "ece"].iloc[0] < 0.3 * table.loc["before", "ece"].iloc[0]
    assert table.loc["after", "log_loss"].iloc[0] < table.loc["before", "log_loss"].iloc[0]
    assert table.loc["before", "n"].sum() == table.loc["after", "n"].sum() == len(truth)
    assert "of 4 folds" in table["chosen"].iloc[0]
    assert "rejects in 4 of 4 folds" in table["why"].iloc[0]


def test_a_known_propensity_is_never_touched(world):
    data, fold, truth = world
    known = np.clip(truth, 0.01, 0.99)
    lottery = dataclasses.replace(data, known_propensity=known)
    result = fitted((lottery, fold, truth), calibration="isotonic", model=few_trees())
    assert (result.propensity == known[:, None]).all()
    plain = fitted(world, calibration="none", model=few_trees())
    np.testing.assert_array_equal(result.raw_propensity_held_out, plain.raw_propensity_held_out)
    table = reliability_table(
        nuisances=result,
        treatment=data.treatment,
        groups=data.groups,
        parameters=parameters(),
        level=0.95,
    )
    assert set(table["stage"]) == {"known"}
    assert set(table["chosen"]) == {"none"}


def test_the_deployed_propensity_follows_the_same_rule(world):
    data, fold, truth = world

    def deployed(**changes):
        return fit_deployment_nuisances(
            data=data,
            fold=fold,
            parameters=parameters(model=few_trees(), **changes),
            seed=1,
            n_workers=1,
        )

    plain, better = deployed(calibration="none"), deployed()
    assert plain.calibrator is None
    assert better.calibrator is not None
    errors = [
        np.sqrt(np.mean((one.predict_propensity(covariates=data.covariates) - truth) ** 2))
        for one in (plain, better)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_reliability_by_hand(world):
    """Two bins: shares treated, the household-clustered interval and the mean gap."""
    data, _, _ = world
    plain = fitted(world, calibration="none")
    predicted = plain.raw_propensity_held_out
    table = reliability_table(
        nuisances=plain,
        treatment=data.treatment,
        groups=data.groups,
        parameters=parameters(calibration="none", reliability_bins=2),
        level=0.95,
    )
    low = predicted <= np.median(predicted)
    shares = [data.treatment[rows].mean() for rows in (low, ~low)]
    means = [predicted[rows].mean() for rows in (low, ~low)]
    np.testing.assert_allclose(table["observed"], shares)
    np.testing.assert_allclose(table["predicted"], means)
    half = 1.959964 * data.treatment[low].std(ddof=1) / np.sqrt(low.sum())
    assert table["ci_high"][0] - table["observed"][0] == pytest.approx(half, rel=1e-6)
    assert table["ece"][0] == pytest.approx(
        np.average(np.abs(np.subtract(shares, means)), weights=[low.sum(), (~low).sum()])
    )
    assert table["why"][0] == "`nuisance.calibration` asks for none"


def test_one_propensity_for_all_is_one_bin_and_no_warning(world):
    data, _, _ = world
    result = dataclasses.replace(
        fitted(world, calibration="none"), raw_propensity_held_out=np.full(4_000, 0.5)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = reliability_table(
            nuisances=result,
            treatment=data.treatment,
            groups=data.groups,
            parameters=parameters(calibration="none"),
            level=0.95,
        )
    assert len(table) == 1
    assert table["degrees"][0] == 1
