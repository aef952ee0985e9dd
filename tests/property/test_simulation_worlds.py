"""Whatever the knobs, the truth of a world agrees with itself and with what happened."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from simulation_worlds import parameters, profile

from promo_uplift.simulation import build_world

PROFILE = profile()
SMALL = {"n_households": 60, "span": {"first_date": "2017-05-20", "days": 120}}
#: Rates are summed over days in another order than they were drawn in.
ROUNDING = 1e-8

knobs = st.fixed_dictionaries(
    {
        "effect": st.fixed_dictionaries(
            {
                "function": st.sampled_from(
                    ["zero", "constant", "linear", "nonlinear", "sparse", "sign_changing"]
                ),
                "mean_usd": st.floats(-200.0, 200.0),
                "sd_usd": st.floats(0.0, 100.0),
                "days": st.integers(1, 60),
            }
        ),
        "interference": st.fixed_dictionaries(
            {
                "anticipation_usd": st.sampled_from([0.0, -20.0, 20.0]),
                "forward_buying_share": st.floats(0.0, 1.0),
                "cannibalisation_usd": st.sampled_from([0.0, 50.0]),
                "spillover_share": st.floats(-1.0, 1.0),
            }
        ),
        "targeting": st.fixed_dictionaries(
            {
                "confounding": st.floats(0.0, 3.0),
                "steepness": st.floats(0.1, 3.0),
                "min_propensity": st.floats(0.0, 0.4),
                "unobserved_confounding": st.floats(0.0, 2.0),
                "list_lag_days": st.integers(0, 40),
            }
        ),
        "spend": st.fixed_dictionaries({"tail_variance_share": st.floats(0.0, 0.9)}),
        "campaigns": st.fixed_dictionaries(
            {
                "arm_multipliers": st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=3),
                "mailed_share": st.floats(0.2, 0.8),
            }
        ),
        "block_households": st.integers(20, 80),
    }
)


def written_spend(world, first, end):
    total = np.zeros(len(world.households))
    for block in world.blocks:
        kept = (block.day >= first) & (block.day < end)
        total += np.bincount(
            block.household[kept], weights=block.spend_usd()[kept], minlength=len(total)
        )
    return total


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=knobs, seed=st.integers(0, 1000))
def test_a_world_agrees_with_itself(changes, seed):
    world = build_world(profile=PROFILE, parameters=parameters(**{**SMALL, **changes}), seed=seed)
    floor = changes["targeting"]["min_propensity"]
    n_arms = len(changes["campaigns"]["arm_multipliers"])
    mailed = np.zeros(len(world.households))
    n = len(world.households)
    for place, campaign in enumerate(world.campaigns):
        truth = world.truth.iloc[place * n : (place + 1) * n]
        assert np.allclose(truth["cate_usd"], truth["mu1_usd"] - truth["mu0_usd"])
        assert np.allclose(truth["cate_usd"], truth["target_cate_usd"] + truth["other_cate_usd"])
        assert (truth[["mu0_usd", "mu1_usd"]] >= 0.0).all().all()
        assert (truth[["y0_usd", "y1_usd"]] >= 0.0).all().all()
        # to rounding: where everybody stands at the bound, it may end a bit beside it
        low, high = floor / n_arms * (1.0 - 1e-12), (1.0 - floor) / n_arms * (1.0 + 1e-12)
        assert truth["propensity"].between(low, high).all()
        assert truth["redemption_probability"].between(0.0, 1.0).all()
        if changes["effect"]["function"] == "zero":
            assert np.abs(truth["cate_usd"]).max() < ROUNDING
        mailed += truth["treatment"].to_numpy()
        got = written_spend(world, campaign.start_day, campaign.start_day + 28)
        rows = truth["treatment"].to_numpy() == 1
        assert np.allclose(got[rows], truth["y1_usd"].to_numpy()[rows])
        if n_arms == 1:
            assert np.allclose(got[~rows], truth["y0_usd"].to_numpy()[~rows])
    assert mailed.max() <= 1
