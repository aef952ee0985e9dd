"""Adjusted effects find the truth of confounded worlds, and hold it as often as they say."""

from dataclasses import replace

import numpy as np
import pytest

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.effects.adjusted import (
    adjusted_effects,
    campaign_samples,
    match_nearest,
    matched_effects,
    redeemer_effect,
)
from promo_uplift.nuisance.linear import linear_nuisances
from promo_uplift.trials.splits import household_folds
from tests.unit.adjusted_worlds import OVERLAP, RULES, by_name, confounded, sample_of

REPLICATES = 400
CALIPER = 0.25


@pytest.fixture(scope="module")
def known():
    data, nuisances, cate = confounded(n_households=8_000, slope=4.0, seed=1)
    sample = sample_of(data, nuisances)
    e = nuisances.propensity
    inside = (e >= OVERLAP[0]) & (e <= OVERLAP[1])
    matching = match_nearest(sample=sample, caliper=CALIPER, seed=0)
    effects = adjusted_effects(sample=sample, overlap=OVERLAP, rules=RULES)
    truth = {
        "ate": cate.mean(),
        "att": cate[data.treatment == 1].mean(),
        "ate_overlap": cate[inside].mean(),
        "ato": np.average(cate, weights=e * (1 - e)),
        "att_matched": cate[matching.treated].mean(),
    }
    return by_name((*effects, *matched_effects(sample=sample, matching=matching))), truth


@pytest.mark.parametrize(
    "name",
    [
        ("ols_interacted", "ate"),
        ("ols_interacted", "att"),
        ("ipw", "ate"),
        ("ipw", "att"),
        ("overlap_weights", "ato"),
        ("aipw", "ate"),
        ("aipw", "att"),
        ("aipw", "ate_overlap"),
        ("plr", "ato"),
        ("nearest_neighbour_adjusted", "att_matched"),
    ],
)
def test_each_estimator_finds_the_truth_of_its_population(known, name):
    effects, truth = known
    found = effects[name].estimate
    assert abs(found.value - truth[name[1]]) < 3.5 * found.se
    assert 0.1 < found.se < 0.7


def test_the_naive_difference_does_not(known):
    effects, truth = known
    naive = effects["naive", "difference"].estimate
    assert naive.value - truth["att"] > 25 * naive.se


def test_populations_differ_enough_to_be_told_apart(known):
    effects, truth = known
    assert truth["att"] - truth["ate"] > 4 * effects["aipw", "ate"].estimate.se


@pytest.fixture(scope="module")
def intervals():
    """Each estimator's intervals over many draws of one world, effect 5 for all."""
    found = {}
    for seed in range(REPLICATES):
        data, nuisances, _ = confounded(n_households=250, seed=1_000 + seed)
        # the outcome models miss a part; propensities are right, as cross-fitting would have it
        nuisances = NuisanceValues(nuisances.propensity, nuisances.mu0 - 3.0, nuisances.mu1 + 1.0)
        sample = sample_of(data, nuisances)
        matching = match_nearest(sample=sample, caliper=CALIPER, seed=seed)
        effects = (
            *adjusted_effects(sample=sample, overlap=OVERLAP, rules=RULES),
            *matched_effects(sample=sample, matching=matching),
        )
        for name, one in by_name(effects).items():
            found.setdefault(name, []).append(one.estimate)
    return found


@pytest.mark.parametrize(
    "name",
    [
        ("aipw", "ate"),
        ("aipw", "att"),
        ("ipw", "ate"),
        ("ipw", "att"),
        ("overlap_weights", "ato"),
        ("plr", "ato"),
        ("ols", "regression_weighted"),
        ("ols_interacted", "ate"),
        ("ols_interacted", "att"),
        ("nearest_neighbour_adjusted", "att_matched"),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(intervals, name):
    held = [one.ci_low <= 5.0 <= one.ci_high for one in intervals[name]]
    assert len(held) == REPLICATES
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_naive_interval_does_not(intervals):
    held = [one.ci_low <= 5.0 <= one.ci_high for one in intervals["naive", "difference"]]
    assert np.mean(held) < 0.05


def test_errors_are_the_spread_of_the_estimates(intervals):
    for name in (("aipw", "att"), ("nearest_neighbour_adjusted", "att_matched"), ("ipw", "att")):
        spread = np.std([one.value for one in intervals[name]])
        assert np.mean([one.se for one in intervals[name]]) == pytest.approx(spread, rel=0.12)


def test_household_influence_adds_up_to_the_error(intervals):
    for estimates in intervals.values():
        one = estimates[0]
        n = len(one.influence)
        assert one.n_households == n
        assert abs(one.influence.sum()) < 1e-8
        assert one.se == pytest.approx(np.sqrt(n / (n - 1) * np.square(one.influence).sum()))


def redeemers(*, seed, n_households=400, share=0.3):
    """Redeeming is worth 20; only the mailed can, and the rich do more often."""
    data, nuisances, _ = confounded(n_households=n_households, seed=seed, effect=0.0)
    rng = np.random.default_rng(seed + 10_000)
    a = data.covariates["a"].to_numpy()
    rate = np.clip(share + 0.1 * a * share, 0.0, 1.0)
    redeemed = data.treatment * rng.binomial(1, rate)
    data = replace(
        data, outcome=data.outcome + 20.0 * redeemed, redeemed=redeemed.astype(np.float64)
    )
    return sample_of(
        data, NuisanceValues(nuisances.propensity, nuisances.mu0, nuisances.mu0 + 20.0 * rate)
    ), rate


@pytest.mark.parametrize("population", ["ate", "att"])
def test_the_effect_of_redeeming_is_held_by_both_intervals(population):
    wald, robust, strength = [], [], []
    for seed in range(300):
        sample, rate = redeemers(seed=seed)
        found = redeemer_effect(sample=sample, redemption=rate, population=population)
        one = found.effect.estimate
        wald.append(one.ci_low <= 20.0 <= one.ci_high)
        inside = found.ar_low <= 20.0 <= found.ar_high
        robust.append(inside if found.ar_shape == "interval" else not inside)
        strength.append(found.f_statistic)
    assert 0.92 <= np.mean(wald) <= 0.98
    assert 0.92 <= np.mean(robust) <= 0.98
    assert np.median(strength) > 50


def test_the_effect_of_redeeming_is_the_ratio_of_two_effects_of_the_mailing():
    sample, rate = redeemers(seed=3, n_households=4_000)
    found = redeemer_effect(sample=sample, redemption=rate, population="att")
    att = by_name(adjusted_effects(sample=sample, overlap=OVERLAP, rules=RULES))["aipw", "att"]
    share = sample.data.redeemed[sample.treated].mean()
    assert found.first_stage == pytest.approx(share)
    assert found.effect.estimate.value == pytest.approx(att.estimate.value / share)
    assert abs(found.effect.estimate.value - 20.0) < 3.5 * found.effect.estimate.se


def test_linear_nuisances_recover_the_effect_of_a_linear_world():
    data, _, _ = confounded(n_households=2_000, seed=9)
    nuisances = linear_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=3, seed=0),
        clip=0.01,
        logistic_c=1.0,
        ridge_alphas=[1.0, 10.0],
    ).held_out
    for sample in campaign_samples(pooled=sample_of(data, nuisances)):
        effects = by_name(adjusted_effects(sample=sample, overlap=OVERLAP, rules=RULES))
        found = effects["aipw", "att"].estimate
        assert abs(found.value - 5.0) < 3.5 * found.se
        assert effects["naive", "difference"].estimate.value > 10.0
