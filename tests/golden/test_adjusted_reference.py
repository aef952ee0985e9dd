"""Adjusted effects equal statsmodels', EconML's, causalml's; the Darfur survey's are published."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from econml.dml import LinearDML
from sklearn.linear_model import LinearRegression, LogisticRegression
from statsmodels.treatment.treatment_effects import TreatmentEffect

from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects.adjusted import (
    RegressionRules,
    adjusted_effects,
    balance_table,
    campaign_samples,
    dose_effect,
    match_nearest,
    matched_effects,
    regression_sensitivity,
)
from promo_uplift.effects.adjusted.matching import nearest_pairs
from promo_uplift.effects.estimate import Label
from tests.unit.adjusted_worlds import LEVEL, OVERLAP, RULES, by_name, confounded, sample_of

EXACT = 1e-9


@pytest.fixture(scope="module")
def fitted():
    """A world with missing values, and nuisances from statsmodels' own logit and regressions."""
    data, truth, _ = confounded(n_households=500, slope=3.0, seed=4)
    design = sm.add_constant(data.covariates.to_numpy())
    logit = sm.Logit(data.treatment, design).fit(disp=0)
    e = logit.predict(design)
    return data, NuisanceValues(e, truth.mu0, truth.mu1), design, logit


def effects_of(data, nuisances):
    return by_name(
        adjusted_effects(sample=sample_of(data, nuisances), overlap=OVERLAP, rules=RULES)
    )


def test_ols_and_its_clustered_error_are_statsmodels(fitted):
    data, nuisances, _, _ = fitted
    covariates = data.covariates.copy()
    covariates.loc[covariates.index[::7], "b"] = np.nan
    covariates["twice a"] = 2.0 * covariates["a"]
    covariates["constant"] = 3.0
    gappy = replace(data, covariates=covariates)
    ours = effects_of(gappy, nuisances)["ols", "regression_weighted"]
    columns = np.column_stack(
        [
            data.treatment,
            np.ones(len(data.treatment)),
            data.campaign == 13,
            covariates["a"],
            covariates["b"].fillna(0.0),
            covariates["b"].isna(),
        ]
    ).astype(float)
    theirs = sm.OLS(data.outcome, columns).fit(cov_type="cluster", cov_kwds={"groups": data.groups})
    assert ours.estimate.value == pytest.approx(theirs.params[0], rel=EXACT)
    assert ours.estimate.se == pytest.approx(theirs.bse[0], rel=EXACT)
    assert ours.note == (
        "2 redundant columns left out; 143 missing values filled beside an indicator"
    )


@pytest.mark.parametrize(("estimand", "group"), [("ate", "all"), ("att", 1)])
def test_a_regression_per_arm_is_statsmodels_regression_adjustment(fitted, estimand, group):
    data, nuisances, design, _ = fitted
    one = campaign_samples(pooled=sample_of(data, nuisances))[0]
    rows = one.rows
    ours = by_name(adjusted_effects(sample=one, overlap=OVERLAP, rules=RULES))
    theirs = TreatmentEffect(
        sm.OLS(data.outcome[rows], design[rows]),
        data.treatment[rows],
        results_select=sm.Logit(data.treatment[rows], design[rows]).fit(disp=0),
    ).ra(return_results=False, effect_group=group)
    assert ours["ols_interacted", estimand].estimate.value == pytest.approx(theirs[0], rel=1e-8)


@pytest.mark.parametrize(("estimand", "group"), [("ate", "all"), ("att", 1)])
def test_ipw_is_statsmodels(fitted, estimand, group):
    data, nuisances, design, logit = fitted
    theirs = TreatmentEffect(
        sm.OLS(data.outcome, design), data.treatment, results_select=logit
    ).ipw(return_results=False, effect_group=group)
    ours = effects_of(data, nuisances)["ipw", estimand]
    assert ours.estimate.value == pytest.approx(theirs[0], rel=1e-8)


def test_weighted_least_squares_gives_the_overlap_weighted_difference_and_its_error(fitted):
    data, nuisances, _, _ = fitted
    e, treated = nuisances.propensity, data.treatment == 1
    theirs = sm.WLS(
        data.outcome, sm.add_constant(data.treatment), weights=np.where(treated, 1 - e, e)
    ).fit(cov_type="cluster", cov_kwds={"groups": data.groups, "use_correction": False})
    households = len(np.unique(data.groups))
    ours = effects_of(data, nuisances)["overlap_weights", "ato"].estimate
    assert ours.value == pytest.approx(theirs.params[1], rel=EXACT)
    assert ours.se == pytest.approx(
        theirs.bse[1] * np.sqrt(households / (households - 1)), rel=EXACT
    )


def test_the_partially_linear_effect_is_econml_with_its_own_residuals():
    data, _, _ = confounded(n_households=500, seed=5)
    theirs = LinearDML(
        model_y=LinearRegression(),
        model_t=LogisticRegression(),
        discrete_treatment=True,
        cv=3,
        random_state=0,
        fit_cate_intercept=True,
    ).fit(data.outcome, data.treatment, X=None, W=data.covariates.to_numpy(), cache_values=True)
    outcome_residual, treatment_residual, _, _ = theirs.residuals_
    e = data.treatment - treatment_residual.ravel()
    m = data.outcome - outcome_residual
    ours = effects_of(data, NuisanceValues(e, m, m, m))["plr", "ato"].estimate
    assert ours.value == pytest.approx(float(theirs.ate()), rel=1e-8)
    rows = replace(data, groups=np.arange(len(e)))
    alone = effects_of(rows, NuisanceValues(e, m, m, m))["plr", "ato"].estimate
    interval = theirs.ate_inference()
    # theirs: HC1 of an intercept alone, n / (n - 1) as ours
    assert alone.se == pytest.approx(float(interval.stderr_mean), rel=1e-3)


def test_the_dose_effect_is_econml_and_statsmodels_with_households_as_clusters():
    rng = np.random.default_rng(6)
    n = 1_200
    groups = np.repeat(np.arange(300), 4)
    x = rng.normal(size=n)
    dose = np.maximum(0.3 + 0.2 * x + np.repeat(rng.normal(0, 0.1, 300), 4), 0.0)
    dose = dose + rng.exponential(0.1, n)
    outcome = 20.0 * x + 7.0 * dose + np.repeat(rng.normal(0, 3, 300), 4) + rng.normal(0, 2, n)
    theirs = LinearDML(
        model_y=LinearRegression(), model_t=LinearRegression(), cv=3, random_state=0
    ).fit(outcome, dose, X=None, W=x[:, None], cache_values=True)
    outcome_residual, dose_residual, _, _ = theirs.residuals_
    means = (dose - dose_residual.ravel(), outcome - outcome_residual)
    ours = dose_effect(
        label=Label("cross_section", "plr", "slope", "pooled", "category_spend_usd"),
        dose=dose,
        outcome=outcome,
        means=means,
        groups=groups,
        level=LEVEL,
        least_variation=0.01,
    )
    fit = sm.OLS(outcome_residual, dose_residual.ravel()).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    assert ours.value == pytest.approx(float(theirs.effect(T0=0, T1=1)[0]), rel=1e-8)
    assert ours.value == pytest.approx(fit.params[0], rel=EXACT)
    assert ours.se == pytest.approx(fit.bse[0] * np.sqrt(300 / 299), rel=EXACT)
    assert abs(ours.value - 7.0) < 4 * ours.se
    assert ours.se < 2.0


@pytest.mark.parametrize("caliper", [0.05, 0.25, 3.0])
def test_pairs_are_those_of_causalml(caliper):
    match = pytest.importorskip("causalml.match", reason="causalml has no wheel for 3.13")
    rng = np.random.default_rng(7)
    n = 300
    treated = rng.random(n) < 0.45
    score = rng.normal(size=n) + 0.7 * treated
    frame = pd.DataFrame({"treatment": treated.astype(int), "score": score})
    theirs = match.NearestNeighborMatch(
        caliper=caliper, replace=False, ratio=1, random_state=3, n_jobs=1
    )
    theirs.match(data=frame, treatment_col="treatment", score_cols=["score"])
    chosen = np.random.RandomState(3).permutation(np.flatnonzero(treated))
    pairs = nearest_pairs(
        score=score,
        treated=treated,
        order=np.concatenate([chosen, np.flatnonzero(~treated)]),
        width=caliper * score.std(),
    )
    expected = theirs.matched_indexes_
    assert 20 < len(expected) <= treated.sum()
    np.testing.assert_array_equal(pairs[0], expected["from"])
    np.testing.assert_array_equal(pairs[1], expected["to"])


def test_standardised_differences_are_causalml():
    match = pytest.importorskip("causalml.match", reason="causalml has no wheel for 3.13")
    data, nuisances, _ = confounded(seed=8)
    sample = sample_of(data, nuisances)
    matching = match_nearest(sample=sample, caliper=0.25, seed=0)
    table = balance_table(sample=sample, matching=matching, rank_tolerance=1e-7)
    raw = table[table["method"] == "unweighted"].set_index("covariate")["smd"]
    treatment = pd.Series(data.treatment)
    for name in ("a", "b"):
        assert raw[name] == pytest.approx(match.smd(data.covariates[name], treatment), rel=EXACT)


def test_the_matched_difference_is_that_of_the_pairs():
    data, nuisances, _ = confounded(seed=8)
    sample = sample_of(data, nuisances)
    matching = match_nearest(sample=sample, caliper=0.25, seed=0)
    plain, _ = matched_effects(sample=sample, matching=matching)
    difference = data.outcome[matching.treated] - data.outcome[matching.control]
    assert plain.estimate.value == pytest.approx(difference.mean(), rel=EXACT)


@pytest.fixture(scope="module")
def darfur():
    package = pytest.importorskip("sensemakr", reason="development dependency pysensemakr")
    frame = pd.read_csv(files(package) / "data" / "darfur.csv")
    villages = pd.get_dummies(frame["village"], drop_first=True, dtype=float)
    own = ["age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female"]
    n = len(frame)
    data = TrialData(
        covariates=pd.concat([frame[own].astype(float), villages], axis="columns"),
        treatment=frame["directlyharmed"].to_numpy(dtype=np.int64),
        outcome=frame["peacefactor"].to_numpy(dtype=np.float64),
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.zeros(n, dtype=np.int64),
    )
    half, zeros = np.full(n, 0.5), np.zeros(n)
    return regression_sensitivity(
        sample=sample_of(data, NuisanceValues(half, zeros, zeros)),
        covariates=["female", "pastvoted"],
        multiples=(1.0, 2.0, 3.0),
        rules=RegressionRules(rank_tolerance=1e-7, rows_per_column=1.0),
    )


def test_the_darfur_survey_has_its_published_sensitivity(darfur):
    """Cinelli & Hazlett (2020), Table 1 and section 5."""
    assert darfur.estimate == pytest.approx(0.09732, abs=5e-6)
    assert darfur.se == pytest.approx(0.02326, abs=5e-6)
    assert darfur.dof == 783
    assert darfur.partial_r2 == pytest.approx(0.02187, abs=5e-6)
    assert darfur.robustness_value == pytest.approx(0.13878, abs=5e-6)
    assert darfur.robustness_value_significance == pytest.approx(0.07626, abs=5e-6)


def test_darfur_confounders_as_strong_as_female(darfur):
    table = darfur.benchmarks
    female = table[table["covariate"] == "female"]
    assert female["multiple"].tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(female["estimate"], [0.0752, 0.0529, 0.0304], atol=5e-5)
    np.testing.assert_allclose(female["r2_treatment"], [0.00916, 0.01833, 0.02749], atol=5e-6)
    np.testing.assert_allclose(female["r2_outcome"], [0.12464, 0.24931, 0.37404], atol=2e-5)
    # sensemakr 0.0.8
    np.testing.assert_allclose(female["se"], [0.02187, 0.02035, 0.01867], atol=5e-6)
    assert (table["reason"] == "").all()
