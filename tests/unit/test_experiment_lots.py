"""Lots are exact in every stratum, repeatable, balanced, and refused by name where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_world import randomised_world
from test_experiment_plan import MONEY, design

from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.experiments import Evidence, assign_households, plan_experiment, population
from promo_uplift.experiments.assignment import shares_of
from promo_uplift.experiments.balance import balance_rows, comparable, joint_balance


def drawn(*, n_households=150, seed=1, control_share=0.5, data=None, **changed):
    """Lots of a world of two covariates; by default four waves."""
    base, nuisances = randomised_world(n_households=n_households, seed=3, effect_usd=2.0)
    data = base if data is None else data(base)
    parameters = design(control_share=control_share, **changed)
    eligible = population(
        data=data,
        nuisances=nuisances,
        cate=1.0 + base.covariates["visits"].to_numpy(),
        n_strata=parameters.n_strata,
        segment=parameters.segment,
    )
    plan = plan_experiment(
        evidence=Evidence(data, nuisances, MONEY, 0.95, 0.8, 28),
        population=eligible,
        parameters=parameters,
    )
    found = assign_households(
        population=eligible, plan=plan, policy=MONEY, parameters=parameters, seed=seed
    )
    return found, plan, eligible


def test_every_stratum_of_every_wave_has_its_exact_share():
    lots, plan, eligible = drawn(control_share=0.3)
    table = lots.table
    assert plan.waves == 4
    assert len(table) == plan.households
    assert not table.duplicated(["wave", "household_id"]).any()
    for _, rows in table.groupby("wave"):
        assert len(rows) == plan.households_per_wave
        mailed = (rows["arm"] == "mail").groupby(rows["stratum"])
        sizes = np.array([(eligible.stratum == name).sum() for name in mailed.size().index])
        wanted = sizes / 150 * plan.households_per_wave
        assert (np.abs(mailed.size() - wanted) < 1).all()
        assert (np.abs(mailed.sum() - 0.7 * mailed.size()) < 1).all()
        assert (rows["arm"] == "mail").sum() == round(0.7 * len(rows))
        np.testing.assert_allclose(
            rows.groupby("stratum")["probability_mail"].first(), mailed.mean()
        )


def test_the_same_seed_draws_the_same_lots_and_waves_draw_their_own():
    first, second, other = (drawn(seed=seed)[0].table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, second)
    assert not first["arm"].equals(other["arm"])
    arms = first.pivot_table(
        index="household_id", columns="wave", values="arm", aggfunc="first"
    ).dropna()
    assert (arms[1] == arms[2]).mean() == pytest.approx(0.5, abs=0.15)


def test_every_household_of_a_stratum_has_the_chance_that_is_written_down():
    draws = 120
    mailed = sum(
        (drawn(seed=seed, max_waves=1)[0].table["arm"] == "mail").astype(int)
        for seed in range(draws)
    )
    # 150 binomial shares about one half
    assert np.abs(mailed / draws - 0.5).max() < 4.5 * np.sqrt(0.25 / draws)


def test_lots_are_drawn_until_no_difference_exceeds_the_threshold():
    strict, plan, _ = drawn(max_smd=0.08, max_draws=2_000)
    assert strict.balance["smd"].abs().max() <= 0.08
    assert strict.table["n_draws"].max() > 1
    assert len(strict.table[["wave", "n_draws"]].drop_duplicates()) == plan.waves
    assert drawn(max_smd=9.0)[0].table["n_draws"].max() == 1
    assert set(strict.balance["wave"]) == set(range(1, plan.waves + 1))


def test_balance_that_no_draw_reaches_is_refused_with_names():
    with pytest.raises(ExperimentError, match=r"max_smd.*in the best of 3 draws.*`spend`|`visits`"):
        drawn(max_smd=1e-6, max_draws=3)


def test_lots_are_drawn_until_all_covariates_together_are_close():
    strict = drawn(min_joint_p_value=0.8, max_draws=2_000)[0]
    assert strict.balance["joint_p_value"].min() >= 0.8
    assert strict.table["n_draws"].max() > 1
    with pytest.raises(ExperimentError, match=r"of 3 draws only all covariates together did"):
        drawn(min_joint_p_value=0.999999, max_draws=3)


def test_strata_that_are_too_small_are_refused_with_names():
    with pytest.raises(ExperimentError, match=r"`effect 1`: \d+ of \d+ mailed.*n_strata"):
        drawn(min_arm_households=30)


def test_who_is_targeted_is_written_down_before_any_result():
    table = drawn()[0].table
    # margin .25, contact .25, nobody redeems: an effect of 1 breaks even
    np.testing.assert_array_equal(table["targeted"], (table["cate"] > 1.0).astype(int))


def test_rows_of_a_users_table_are_kept():
    lots, _, eligible = drawn(data=lambda base: replace(base, row=np.arange(300) + 1000))
    drawn_rows = set(zip(lots.table["household_id"], lots.table["row"], strict=True))
    assert drawn_rows <= set(zip(eligible.household, eligible.row, strict=True))
    assert lots.table["row"].min() >= 1000


def test_counts_are_in_proportion_and_add_up():
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = rng.integers(1, 40, 7)
        total = int(rng.integers(0, weights.sum()))
        counts = shares_of(total=total, weights=weights)
        assert counts.sum() == total
        assert (np.abs(counts - total * weights / weights.sum()) < 1).all()
        assert (counts <= weights).all()


def test_balance_is_that_computed_by_hand():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 6.0], "b": [1.0, np.nan, 3.0, 3.0], "c": 7.0})
    mailed = np.array([True, True, False, False])
    rows = balance_rows(covariates=comparable(frame), mailed=mailed, wave=2).set_index("covariate")
    assert rows.loc["a", "smd"] == pytest.approx((1.5 - 4.5) / frame["a"].std())
    filled = frame["b"].fillna(frame["b"].mean())
    expected = (filled[:2].mean() - filled[2:].mean()) / filled.std()
    assert rows.loc["b", "smd"] == pytest.approx(expected)
    assert rows.loc["b", "n_missing"] == 1
    assert rows.loc["b is missing", "mean_mailed"] == 0.5
    assert np.isnan(rows.loc["c", "smd"])
    assert rows.loc["c", "reason"] == "constant"
    assert (rows["wave"] == 2).all()


def test_nothing_that_varies_has_no_joint_test():
    covariates = comparable(pd.DataFrame({"c": np.ones(6)}))
    joint = joint_balance(
        covariates=covariates, mailed=np.arange(6) < 3, stratum=np.zeros(6, dtype=np.int64)
    )
    assert joint.degrees == 0
    assert np.isnan(joint.p_value)
