"""What targeting could add at most: a closed form, and limits that hold in known worlds."""

import numpy as np
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.policy import PolicyRows, ProfitOutcomes, largest_targeting_gain, targeting_bound

METRICS = MetricParameters(
    uplift_shares=[0.1],
    level=0.95,
    bootstrap_replicates=50,
    effect_groups=5,
    simultaneous_draws=2_000,
)


@pytest.mark.parametrize("seed", range(6))
def test_no_law_gains_more_and_a_two_point_law_gains_as_much(seed):
    rng = np.random.default_rng(seed)
    laws = (rng.normal(rng.normal(), 1.0, 5_000), rng.exponential(size=5_000) - rng.uniform())
    for x in laws:
        gain = np.maximum(x, 0.0).mean() - max(x.mean(), 0.0)
        assert 0.0 <= gain <= largest_targeting_gain(mean=x.mean(), sd=x.std()) + 1e-12
    # E|X| = sqrt(E X^2) where |X| is the same for all
    mean, sd = rng.normal(), rng.exponential()
    size = np.hypot(mean, sd)
    chance = (1.0 + mean / size) / 2.0
    attained = chance * size - max(mean, 0.0)
    assert attained == pytest.approx(largest_targeting_gain(mean=mean, sd=sd))


def world(rng, n, sd_effect):
    """Profits whose mean is about 0 and that two learners rank, one well and one blindly."""
    effect = sd_effect * rng.normal(size=n) - 0.1
    treatment = rng.integers(0, 2, n)
    seen = 10.0 + effect * treatment + 8.0 * rng.normal(size=n)
    profit = effect + np.where(treatment == 1, 1, -1) * (seen - 10.0 - effect * treatment) * 2.0
    rankings = {"sharp": effect + sd_effect * rng.normal(size=n), "blind": rng.normal(size=n)}
    outcomes = ProfitOutcomes(
        treatment=treatment,
        seen=seen,
        predicted_treated=10.0 + effect,
        predicted_control=np.full(n, 10.0),
        odds=np.ones(n),
        groups=np.arange(n),
        is_randomised=True,
    )
    return effect, profit, rankings, outcomes


def bound_of(rng, profit, rankings, outcomes):
    n = len(profit)
    # where all money is known only the profit counts
    everyone = PolicyRows(np.ones(n), np.zeros(n), np.zeros(n), np.zeros(n), profit)
    return targeting_bound(
        contacts={name: (ranking > 0.0).astype(float) for name, ranking in rankings.items()},
        rankings=rankings,
        everyone=everyone,
        outcomes=outcomes,
        fold=np.arange(n) % 5,
        metrics=METRICS,
        rng=rng,
    )


@pytest.mark.parametrize("sd_effect", [0.5, 2.0])
def test_limits_hold_the_true_gains(sd_effect):
    held = {"tried": 0, "groups": 0, "households": 0}
    worlds = 60
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        effect, profit, rankings, outcomes = world(rng, 1_500, sd_effect)
        found = bound_of(rng, profit, rankings, outcomes)
        simple = max(effect.mean(), 0.0)
        tried = max((effect * (ranking > 0)).mean() for ranking in rankings.values()) - simple
        cells = np.argsort(np.argsort(rankings["sharp"])) * 5 // len(effect)
        in_groups = sum(max(effect[cells == g].sum(), 0.0) for g in range(5)) / len(effect)
        own = np.maximum(effect, 0.0).mean()
        held["tried"] += found.best_gain_high_usd >= tried
        held["groups"] += found.group_gain_high_usd >= in_groups - simple
        held["households"] += found.household_gain_high_usd >= own - simple
        assert found.best_gain_usd <= found.best_gain_high_usd
    # 95 % less three Monte-Carlo errors
    assert min(held.values()) >= (0.95 - 3 * np.sqrt(0.05 * 0.95 / worlds)) * worlds


def test_the_limit_of_the_groups_falls_with_the_data_and_the_households_does_not():
    found = {}
    for n in (1_000, 16_000):
        rng = np.random.default_rng(1)
        _, profit, rankings, outcomes = world(rng, n, 0.5)
        found[n] = bound_of(rng, profit, rankings, outcomes)
    assert found[16_000].group_sd_high_usd < 0.6 * found[1_000].group_sd_high_usd
    assert found[16_000].household_sd_high_usd == pytest.approx(16.0, rel=0.1)
    assert found[16_000].best_learner == "sharp"
    assert "at most" in found[1_000].sentence(subject="household")


def test_a_deviation_below_zero_and_no_learner_are_refused():
    with pytest.raises(PolicyError, match="at least 0"):
        largest_targeting_gain(mean=1.0, sd=-1.0)
    rng = np.random.default_rng(0)
    _, profit, _, outcomes = world(rng, 200, 1.0)
    with pytest.raises(PolicyError, match="at least one learner"):
        bound_of(rng, profit, {}, outcomes)


def test_a_rule_that_takes_whole_folds_is_limited_by_the_wider_error_of_chosen_rules():
    """Folds chosen by the others: the factor of the profit's interval, 1.217 with five folds."""
    rng = np.random.default_rng(5)
    _, _, _, outcomes = world(rng, 2_000, 1.0)
    profit = rng.normal(-1.0, 2.0, 2_000)
    everyone = {"constant": np.ones(2_000)}
    found = bound_of(rng, profit, everyone, outcomes)
    error = profit.std(ddof=1) / np.sqrt(2_000)
    assert found.best_gain_usd == pytest.approx(profit.mean())
    distance = found.best_gain_high_usd - found.best_gain_usd
    assert distance == pytest.approx(1.645 * 1.217 * error, rel=0.05)
