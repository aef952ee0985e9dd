"""Average effects against a world with known truth and against statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.metrics import roc_auc_score
from statsmodels.treatment.treatment_effects import TreatmentEffect

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects import (
    POOLED,
    clustered_mean,
    cross_section_effects,
    manski_bounds,
    minimum_detectable_effect,
    overlap_summary,
    placebo_effect,
)

EXACT = 1e-9


def world(n=40_000, seed=0):
    """Confounded: rich households are mailed more and respond more; 4 rows per household."""
    rng = np.random.default_rng(seed)
    households = n // 4
    wealth = np.repeat(rng.normal(size=households), 4)
    x = wealth + 0.3 * rng.normal(size=n)
    effect = 5.0 + 4.0 * x
    propensity = 1.0 / (1.0 + np.exp(-1.2 * x))
    treatment = rng.binomial(1, propensity)
    mu0 = 100.0 + 30.0 * x
    shared = np.repeat(rng.normal(0, 10, households), 4)
    outcome = mu0 + effect * treatment + shared + rng.normal(0, 20, n)
    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(n),
        groups=np.repeat(np.arange(households), 4),
        campaign=np.tile([8, 8, 13, 13], households),
    )
    return data, NuisanceValues(propensity, mu0, mu0 + effect), effect


def table(data, nuisances, propensity=None):
    raw = nuisances.propensity if propensity is None else propensity
    return cross_section_effects(
        data=data,
        nuisances=nuisances,
        raw_propensity=raw,
        overlap_low=0.1,
        overlap_high=0.9,
        level=0.95,
    ).set_index(["campaign", "estimand"])


@pytest.fixture(scope="module")
def known():
    data, nuisances, effect = world()
    e = nuisances.propensity
    inside = (e >= 0.1) & (e <= 0.9)
    truth = {
        "aipw_ate": effect.mean(),
        "aipw_att": effect[data.treatment == 1].mean(),
        "aipw_ate_overlap": effect[inside].mean(),
        "ato": np.average(effect, weights=e * (1 - e)),
    }
    return table(data, nuisances), truth


@pytest.mark.parametrize("estimand", ["aipw_ate", "aipw_att", "aipw_ate_overlap", "ato"])
def test_each_estimand_finds_its_own_truth(known, estimand):
    found, truth = known
    row = found.loc[(POOLED, estimand)]
    assert abs(row["estimate_usd"] - truth[estimand]) < 3.5 * row["se"]
    assert 0.05 < row["se"] < 0.6


def test_the_truths_differ_enough_to_be_told_apart(known):
    found, truth = known
    worst = found.loc[POOLED]["se"].max()
    assert truth["aipw_att"] - truth["aipw_ate"] > 4 * worst


def test_the_naive_difference_is_far_off_and_is_the_difference_of_means(known):
    found, truth = known
    data, _, _ = world()
    naive = found.loc[(POOLED, "naive_difference")]["estimate_usd"]
    means = [data.outcome[data.treatment == arm].mean() for arm in (1, 0)]
    assert naive == pytest.approx(means[0] - means[1], abs=EXACT)
    assert naive - truth["aipw_ate"] > 20


@pytest.mark.parametrize("wrong", ["propensity", "outcome"])
def test_one_wrong_nuisance_is_forgiven(wrong):
    data, right, effect = world()
    nuisances = (
        NuisanceValues(np.full(len(effect), data.treatment.mean()), right.mu0, right.mu1)
        if wrong == "propensity"
        else NuisanceValues(
            right.propensity, np.full(len(effect), 90.0), np.full(len(effect), 90.0)
        )
    )
    found = table(data, nuisances, right.propensity)
    for estimand, truth in (
        ("aipw_ate", effect.mean()),
        ("aipw_att", effect[data.treatment == 1].mean()),
    ):
        row = found.loc[(POOLED, estimand)]
        assert abs(row["estimate_usd"] - truth) < 4 * row["se"]


def test_both_wrong_nuisances_are_not():
    """Negative control of the test above."""
    data, right, effect = world()
    n = len(effect)
    wrong = NuisanceValues(np.full(n, data.treatment.mean()), np.full(n, 90.0), np.full(n, 90.0))
    row = table(data, wrong, right.propensity).loc[(POOLED, "aipw_ate")]
    assert abs(row["estimate_usd"] - effect.mean()) > 10 * row["se"]


def test_aipw_equals_statsmodels_with_the_same_nuisances():
    data, _, _ = world(n=2_000, seed=1)
    design = sm.add_constant(data.covariates["x"].to_numpy())
    logit = sm.Logit(data.treatment, design).fit(disp=0)
    pooled = sm.OLS(data.outcome, design)
    theirs = TreatmentEffect(pooled, data.treatment, results_select=logit).aipw(
        return_results=False
    )[0]
    mu = [
        sm.OLS(data.outcome[data.treatment == arm], design[data.treatment == arm])
        .fit()
        .predict(design)
        for arm in (0, 1)
    ]
    nuisances = NuisanceValues(logit.predict(design), mu[0], mu[1])
    ours = table(data, nuisances).loc[(POOLED, "aipw_ate")]["estimate_usd"]
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_overlap_weighted_effect_is_residual_on_residual_of_statsmodels():
    data, nuisances, _ = world(n=2_000, seed=2)
    fit = sm.OLS(data.outcome - nuisances.outcome_mean, data.treatment - nuisances.propensity).fit(
        cov_type="cluster", cov_kwds={"groups": data.groups}
    )
    row = table(data, nuisances).loc[(POOLED, "ato")]
    assert row["estimate_usd"] == pytest.approx(fit.params[0], rel=1e-9)
    assert row["se"] == pytest.approx(fit.bse[0], rel=1e-9)


def test_the_clustered_mean_is_the_cluster_robust_intercept_of_statsmodels():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 40, 200)
    values = rng.normal(size=200) + rng.normal(size=40)[groups]
    fit = sm.OLS(values, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    ours = clustered_mean(values=values, groups=groups)
    assert (ours.estimate, ours.se) == pytest.approx((fit.params[0], fit.bse[0]), rel=1e-9)


def test_populations_are_counted_per_campaign_and_pooled(known):
    found, _ = known
    data, nuisances, _ = world()
    assert set(found.index.get_level_values("campaign")) == {"8", "13", POOLED}
    pooled = found.loc[(POOLED, "aipw_ate")]
    assert (pooled["n"], pooled["n_treated"], pooled["n_households"]) == (
        len(data.outcome),
        data.treatment.sum(),
        10_000,
    )
    inside = (nuisances.propensity >= 0.1) & (nuisances.propensity <= 0.9)
    assert found.loc[(POOLED, "aipw_ate_overlap")]["n"] == inside.sum()
    assert found.loc[(POOLED, "aipw_att")]["n_effective"] == pytest.approx(data.treatment.sum())


def test_an_empty_overlap_is_nan_with_its_counts_and_not_an_effect():
    data, nuisances, _ = world(n=400)
    row = table(data, nuisances, np.full(400, 0.99)).loc[(POOLED, "aipw_ate_overlap")]
    assert np.isnan(row["estimate_usd"])
    assert row["n"] == 0


def test_a_campaign_with_one_arm_is_refused_by_name():
    data, nuisances, _ = world(n=400)
    arms = np.where(data.campaign == 8, 1, data.treatment)
    broken = TrialData(
        data.covariates, arms, data.outcome, data.redeemed, data.groups, data.campaign
    )
    with pytest.raises(MetricError, match="both arms in campaign 8"):
        table(broken, nuisances)


def test_manski_bounds_are_as_wide_as_the_outcome_and_worked_by_hand():
    bounds = manski_bounds(
        treatment=np.array([1, 1, 0, 0]), outcome=np.array([10.0, 6.0, 4.0, 0.0])
    )
    # p = 1/2: 4 - 1 = 3 known; low adds (0 - 10) / 2, high adds (10 - 0) / 2
    assert (bounds.low, bounds.high) == pytest.approx((-2.0, 8.0))
    assert bounds.high - bounds.low == pytest.approx(10.0)


def test_manski_bounds_hold_the_truth_of_a_confounded_world():
    data, _, effect = world(n=4_000)
    bounds = manski_bounds(treatment=data.treatment, outcome=data.outcome)
    assert bounds.low < effect.mean() < bounds.high


def test_the_smallest_detectable_effect_is_found_with_its_power():
    rng = np.random.default_rng(5)
    mde = minimum_detectable_effect(se=1.0, level=0.95, power=0.8)
    found = np.abs(mde + rng.normal(size=20_000)) > 1.959964
    assert found.mean() == pytest.approx(0.8, abs=0.01)
    assert mde == pytest.approx(2.8016, abs=1e-3)


def test_propensity_auc_is_scikit_learns_within_folds():
    data, nuisances, _ = world(n=2_000)
    fold = data.groups % 2
    e = nuisances.propensity
    summary = overlap_summary(
        treatment=data.treatment, raw_propensity=e, n_clipped=20, fold=fold, low=0.1, high=0.9
    )
    per_fold = [roc_auc_score(data.treatment[fold == k], e[fold == k]) for k in (0, 1)]
    assert summary.propensity_auc == pytest.approx(np.mean(per_fold), abs=EXACT)
    assert summary.clipped_share == pytest.approx(0.01)
    assert summary.overlap_share == pytest.approx(((e >= 0.1) & (e <= 0.9)).mean())


def test_a_placebo_without_effect_holds_zero_and_a_leak_does_not():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(500), 2)
    scores = rng.normal(0, 10, 1_000)
    clean = placebo_effect(scores=scores, groups=groups, days=28, level=0.95, power=0.8)
    leaky = placebo_effect(
        scores=scores + 2 * clean.mde_usd, groups=groups, days=28, level=0.95, power=0.8
    )
    assert clean.effect.ci_low < 0 < clean.effect.ci_high
    assert leaky.effect.ci_low > 0
    assert 0.5 < clean.mde_usd < 1.5
