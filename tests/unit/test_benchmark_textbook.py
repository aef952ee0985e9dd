"""Closed-form worlds against another library's setups and against their own formulas."""

import causalml.dataset
import numpy as np
import pytest
from benchmark_worlds import nie_wager_world, spend_world

from promo_uplift.benchmark.textbook import (
    effect_surface,
    nie_wager_surfaces,
    nie_wager_trials,
    spend_trials,
)
from promo_uplift.contracts.errors import ConfigurationError

MANY = 40_000


def spend(world, *, n=MANY, seed=1):
    return spend_trials(world=world, n_households=n, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(("setup", "mode"), [("a", 1), ("b", 2), ("c", 3), ("d", 4)])
def test_setups_are_those_of_causalml(setup, mode):
    np.random.seed(3)  # noqa: NPY002 - causalml draws from the global state
    _, x, _, tau, baseline, propensity = causalml.dataset.synthetic_data(mode=mode, n=500, p=6)
    surfaces = nie_wager_surfaces(setup=setup, covariates=x)
    np.testing.assert_allclose(surfaces.cate, tau)
    np.testing.assert_allclose(surfaces.baseline, baseline)
    np.testing.assert_allclose(surfaces.propensity, propensity)


@pytest.mark.parametrize("setup", ["a", "b", "c", "d"])
def test_a_setups_outcome_has_the_means_and_noise_that_it_states(setup):
    world = nie_wager_world(setup=setup, noise_sd=2.0)
    data, truth = nie_wager_trials(world=world, n_households=MANY, rng=np.random.default_rng(5))
    residual = data.outcome - np.where(data.treatment == 1, truth.mu1, truth.mu0)
    assert residual.std() == pytest.approx(2.0, rel=0.02)
    assert abs(residual.mean()) < 4.0 * 2.0 / np.sqrt(MANY)
    assert abs((data.treatment - truth.propensity).mean()) < 4.0 * 0.5 / np.sqrt(MANY)
    np.testing.assert_allclose(truth.mu1 - truth.mu0, truth.cate)


@pytest.mark.parametrize(
    ("effect", "mean", "low", "high"),
    [
        ("zero", 0.0, 0.0, 0.0),
        ("constant", 10.0, 10.0, 10.0),
        ("linear", 10.0, 0.0, 20.0),
        ("sparse", 10.0, 0.0, 100.0),
        ("sign_changing", 0.0, -20.0, 20.0),
    ],
)
def test_effects_have_the_mean_and_range_that_they_state(effect, mean, low, high):
    surface = effect_surface(
        world=spend_world(effect=effect),
        driver=np.random.default_rng(2).normal(size=MANY),
    )
    assert surface.mean() == pytest.approx(mean, abs=4.0 * surface.std() / np.sqrt(MANY) + 1e-12)
    assert low <= surface.min() <= low + 0.1
    assert high - 0.1 <= surface.max() <= high


def test_sparse_effects_reach_the_share_that_they_state():
    surface = effect_surface(
        world=spend_world(effect="sparse", responding_share=0.2),
        driver=np.random.default_rng(2).normal(size=MANY),
    )
    assert (surface > 0.0).mean() == pytest.approx(0.2, abs=0.01)


def test_spend_has_the_conditional_means_zeros_and_tail_that_it_states():
    data, truth = spend(spend_world(log_spend_sd=0.6, zero_share=0.25))
    expected = np.where(data.treatment == 1, truth.mu1, truth.mu0)
    ratio = data.outcome / expected
    # a lognormal with mean 1, times a coin: variance exp(s^2) / (1 - z) - 1
    variance = np.exp(0.6**2) / 0.75 - 1.0
    assert ratio.mean() == pytest.approx(1.0, abs=4.0 * np.sqrt(variance / MANY))
    assert ratio.var() == pytest.approx(variance, rel=0.1)
    assert (data.outcome == 0.0).mean() == pytest.approx(0.25, abs=0.01)
    assert truth.mu0.mean() == pytest.approx(100.0, rel=0.02)


def test_spend_is_as_expected_in_every_fifth_of_the_effect():
    data, truth = spend(spend_world(effect="sign_changing", effect_usd=8.0))
    fifth = np.digitize(truth.cate, np.quantile(truth.cate, [0.2, 0.4, 0.6, 0.8]))
    treated = data.treatment == 1
    for number in range(5):
        for arm, mu in ((treated, truth.mu1), (~treated, truth.mu0)):
            rows = arm & (fifth == number)
            error = data.outcome[rows] - mu[rows]
            assert abs(error.mean()) < 4.0 * error.std() / np.sqrt(rows.sum())


def test_targeting_follows_the_stated_log_odds_and_nothing_else():
    data, truth = spend(spend_world(log_odds_sd=1.5))
    log_odds = np.log(truth.propensity / (1.0 - truth.propensity))
    assert log_odds.std() == pytest.approx(1.5, rel=0.02)
    both = data.covariates[["x1", "x2"]].to_numpy().sum(axis=1)
    assert abs(np.corrcoef(log_odds, both)[0, 1]) == pytest.approx(1.0)
    lottery, known = spend(spend_world(log_odds_sd=0.0))
    assert np.all(known.propensity == 0.5)
    assert lottery.treatment.mean() == pytest.approx(0.5, abs=0.01)


def test_a_hidden_trait_confounds_beyond_all_covariates():
    def difference(world):
        data, truth = spend(world)
        treated = data.treatment == 1
        return truth.mu0[treated].mean() - truth.mu0[~treated].mean()

    assert abs(difference(spend_world(log_odds_sd=0.0))) < 2.0
    assert difference(spend_world(log_odds_sd=0.0, hidden_confounding=0.5)) > 10.0


def test_a_household_keeps_its_covariates_and_spend_between_campaigns():
    data, truth = spend(spend_world(n_campaigns=3, household_share=0.8, zero_share=0.0), n=5_000)
    assert data.campaign[:4].tolist() == [1, 2, 3, 1]
    assert np.unique(data.groups, return_counts=True)[1].tolist() == [3] * 5_000
    log_tail = np.log(data.outcome / np.where(data.treatment == 1, truth.mu1, truth.mu0))
    first, second = log_tail[0::3], log_tail[1::3]
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.8, abs=0.03)
    x = data.covariates["x1"].to_numpy()
    assert np.corrcoef(x[0::3], x[1::3])[0, 1] == pytest.approx(0.5, abs=0.04)


def test_an_effect_that_would_make_spend_negative_is_refused():
    world = spend_world(effect="sign_changing", effect_usd=80.0)
    rng = np.random.default_rng(1)
    with pytest.raises(ConfigurationError, match=r"`effect_usd`.*Lower it"):
        spend_trials(world=world, n_households=500, rng=rng)


def test_equal_seeds_give_equal_worlds_and_other_seeds_do_not():
    same = [spend(spend_world(), n=50, seed=seed)[0].outcome for seed in (4, 4, 5)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"full": 0, "effects": 0}, "must not both be 0"),
        ({"pointwise": 2}, "`pointwise` must not exceed `full`"),
        ({"n_households": [300, 300]}, "must not repeat"),
        ({"n_covariates": 3}, "greater than or equal to 4"),
    ],
)
def test_a_world_that_means_nothing_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        spend_world(**changed)
