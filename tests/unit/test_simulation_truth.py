"""The stated truth is the mean of the world's own potential outcomes, and of what it writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulation_worlds import parameters, profile

from promo_uplift.simulation import build_world

PROFILE = profile()
N_WORLDS = 14
#: A mean over worlds may lie this many standard errors off: 1 in 15,000 tests of a right truth.
Z = 4.0

EVERYTHING = {
    "effect": {"function": "sign_changing", "mean_usd": 5.0, "sd_usd": 60.0},
    "interference": {
        "anticipation_usd": 10.0,
        "forward_buying_share": 0.5,
        "cannibalisation_usd": 15.0,
        "spillover_share": 0.5,
    },
    "targeting": {"unobserved_confounding": 1.0},
    "spend": {"tail_variance_share": 0.3},
}


def differences(found):
    """Mean of a list of per-household differences and its standard error over households."""
    values = np.concatenate(found)
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        EVERYTHING,
        {"campaigns": {"arm_multipliers": [1.0, -0.5]}},
        {"campaigns": {"calendar": "staggered", "mailed_share": None}},
    ],
    ids=["plain", "everything at once", "arms", "staggered"],
)
def test_the_truth_is_the_mean_of_the_potential_outcomes(changes):
    gaps = {"mu0": [], "mu1": [], "cate": []}
    for seed in range(N_WORLDS):
        truth = build_world(
            profile=PROFILE, parameters=parameters(n_households=200, **changes), seed=seed
        ).truth
        gaps["mu0"].append((truth["y0_usd"] - truth["mu0_usd"]).to_numpy())
        gaps["mu1"].append((truth["y1_usd"] - truth["mu1_usd"]).to_numpy())
        effect = truth["y1_usd"] - truth["y0_usd"]
        gaps["cate"].append((effect - truth["cate_usd"]).to_numpy())
    for name, found in gaps.items():
        mean, error = differences(found)
        assert abs(mean) < Z * error, (name, mean, error)
        assert error < 6.0, name


def test_the_effects_truth_holds_for_each_kind_of_household():
    """Not only in the mean: by thirds of the true effect."""
    found = {0: [], 1: [], 2: []}
    for seed in range(N_WORLDS):
        truth = build_world(
            profile=PROFILE,
            parameters=parameters(
                n_households=200, effect={"function": "linear", "mean_usd": 20.0, "sd_usd": 40.0}
            ),
            seed=seed,
        ).truth
        third = pd.qcut(truth["cate_usd"], 3, labels=False)
        gap = truth["y1_usd"] - truth["y0_usd"] - truth["cate_usd"]
        for key, values in gap.groupby(third):
            found[key].append(values.to_numpy())
    for values in found.values():
        mean, error = differences(values)
        assert abs(mean) < Z * error


def written_spend(world, first, end, *, covered=None):
    """Merchandise spend of each household in the baskets that really happened, USD."""
    total = np.zeros(len(world.households))
    for block in world.blocks:
        day = np.repeat(block.day, block.n_lines)
        who = np.repeat(block.household, block.n_lines)
        kept = (day >= first) & (day < end)
        if covered is not None:
            kept &= covered[block.product]
        np.add.at(total, who[kept], block.cents[kept] / 100.0)
    return total


def test_what_is_written_is_the_potential_outcome_of_the_arm():
    world = build_world(profile=PROFILE, parameters=parameters(), seed=5)
    start = world.campaigns[0].start_day
    truth = world.truth
    factual = np.where(truth["treatment"] == 1, truth["y1_usd"], truth["y0_usd"])
    assert np.allclose(written_spend(world, start, start + 28), factual)
    assert 0.3 < truth["treatment"].mean() < 0.7


def test_expected_spend_on_the_campaigns_products_is_what_is_bought_of_them():
    """Closed form of the target and other effects against the lines, mailed against not mailed."""
    gaps = []
    for seed in range(N_WORLDS):
        lottery = {"targeting": {"confounding": 0.0}, "n_households": 200}
        knobs = {"interference": {"cannibalisation_usd": 40.0}}
        world = build_world(profile=PROFILE, parameters=parameters(**lottery, **knobs), seed=seed)
        start = world.campaigns[0].start_day
        target = written_spend(world, start, start + 28, covered=world.covered[0])
        mailed = world.truth["treatment"].to_numpy() == 1
        share = (
            written_spend(world, 0, start, covered=world.covered[0]).sum()
            / written_spend(world, 0, start).sum()
        )
        base = share * world.truth["mu0_usd"].to_numpy()
        effect = np.where(mailed, world.truth["target_cate_usd"], 0.0)
        gaps.append([(target - base - effect)[mailed].mean(), (target - base)[~mailed].mean()])
    gaps = np.array(gaps)
    error = gaps.std(axis=0, ddof=1) / np.sqrt(N_WORLDS)
    assert (np.abs(gaps.mean(axis=0)) < Z * error).all()
    assert world.truth["target_cate_usd"].mean() > 30.0
    assert (world.truth["other_cate_usd"] < 0).mean() > 0.9


def test_without_an_effect_the_truth_is_exactly_nothing():
    world = build_world(profile=PROFILE, parameters=parameters(effect={"function": "zero"}), seed=1)
    for name in ("cate_usd", "target_cate_usd", "other_cate_usd", "post_cate_usd"):
        assert (world.truth[name] == 0.0).all()
    for name in ("anticipation_usd", "spillover_usd"):
        assert (world.truth[name] == 0.0).all()
    assert (world.truth["y0_usd"] == world.truth["y1_usd"]).all()
    assert not world.truth["is_limited"].any()


def test_an_effect_below_nothing_is_limited_and_the_truth_is_the_limited_one():
    world = build_world(
        profile=PROFILE,
        parameters=parameters(effect={"function": "constant", "mean_usd": -1e4}),
        seed=1,
    )
    truth = world.truth
    assert truth["is_limited"].all()
    assert np.allclose(truth["mu1_usd"], 0.0)
    assert (truth["y1_usd"] == 0.0).all()
    assert np.allclose(truth["cate_usd"], -truth["mu0_usd"])


def test_a_constant_effect_is_constant_for_everybody():
    world = build_world(profile=PROFILE, parameters=parameters(), seed=2)
    assert np.allclose(world.truth["cate_usd"], 20.0)


@pytest.mark.parametrize(
    ("function", "mean", "sd"),
    [("linear", 20.0, 10.0), ("nonlinear", 20.0, 10.0), ("sign_changing", 20.0, 10.0)],
)
def test_effect_functions_have_the_stated_mean_and_spread(function, mean, sd):
    # so rare a limit that the stated figures hold
    world = build_world(
        profile=PROFILE, parameters=parameters(effect={"function": function}), seed=2
    )
    unlimited = world.truth[~world.truth["is_limited"]]
    assert len(unlimited) > 0.9 * len(world.truth)
    assert world.truth["cate_usd"].mean() == pytest.approx(mean, abs=0.5)
    assert world.truth["cate_usd"].std() == pytest.approx(sd, abs=0.8)


def test_a_sparse_effect_is_all_in_a_few():
    world = build_world(
        profile=PROFILE, parameters=parameters(effect={"function": "sparse"}), seed=2
    )
    responds = world.truth["cate_usd"] > 1e-9
    assert responds.mean() == pytest.approx(0.2, abs=0.01)
    assert world.truth["cate_usd"].mean() == pytest.approx(20.0)


def test_expected_visits_are_the_ones_that_happen():
    """Closed form of a window's spend against the mean of simulated ones, without a campaign."""
    gaps = []
    for seed in range(N_WORLDS):
        world = build_world(
            profile=PROFILE,
            parameters=parameters(
                n_households=200,
                effect={"function": "zero"},
                spend={"frailty_scale": 0.0},
            ),
            seed=seed,
        )
        days = pd.date_range("2017-04-01", periods=240)
        season = np.asarray(PROFILE.weekday)[days.day_of_week][50:150].sum()
        expected = world.households.visits_per_day * season * world.households.basket_usd
        gaps.append(written_spend(world, 50, 150) - expected)
    mean, error = differences(gaps)
    assert abs(mean) < Z * error
    assert error < 12.0
