"""Differences to peers and to published figures, and the figures as they were published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.benchmark.published import PUBLISHED, SEEDS
from promo_uplift.benchmark.sets import SETS
from promo_uplift.benchmark.sets.compare import comparison_table, mean_interval
from promo_uplift.benchmark.sets.run import COLUMNS


def rows_of(name, source, learner, figure, values, width=float("nan"), replicates=None):
    n = len(values)
    seeds = SEEDS[:n] if replicates is None else [SEEDS[0]] * n
    values = np.asarray(values)
    return pd.DataFrame(
        {
            "set": name,
            "replicate": [1] * n if replicates is None else replicates,
            "seed": seeds,
            "source": source,
            "learner": learner,
            "figure": figure,
            "value": values,
            "ci_low": values - width,
            "ci_high": values + width,
            "note": "",
        }
    )[list(COLUMNS)]


def compared(*parts):
    return comparison_table(
        rows=pd.concat(parts, ignore_index=True), replicates=200, level=0.95, seed=1
    )


def published(name, learner, figure):
    return next(
        one
        for one in PUBLISHED
        if (one.set_name, one.learner, one.figure) == (name, learner, figure)
    )


def test_the_mean_of_the_seeds_is_the_published_mean():
    with_seeds = [one for one in PUBLISHED if one.by_seed]
    assert len(with_seeds) == 8 * 4 + 6
    for one in with_seeds:
        assert len(one.by_seed) == len(SEEDS)
        assert np.mean(one.by_seed) == pytest.approx(one.value, abs=6e-5)


def test_published_figures_are_of_known_sets_and_lie_in_their_intervals():
    assert {one.set_name for one in PUBLISHED} <= set(SETS)
    for one in PUBLISHED:
        assert one.ci_low < one.value < one.ci_high


def test_a_gap_that_is_the_same_on_every_seed_has_an_interval_of_no_width():
    theirs = published("hillstrom_womens", "s-learner", "published_qini")
    ours = [value + 0.001 for value in theirs.by_seed]
    table = compared(
        rows_of("hillstrom_womens", "ours", "champion", "published_qini", ours, width=0.002)
    )
    row = table[table["learner"] == "s-learner"].iloc[0]
    assert row["difference"] == pytest.approx(0.001)
    assert row["difference_ci_low"] == pytest.approx(0.001)
    assert row["difference_ci_high"] == pytest.approx(0.001)
    assert (row["n_pairs"], row["interval"], row["source"]) == (5, "pairs", "itx")
    # the mean of the splits' own bounds, as the published interval is
    assert row["ours_ci_high"] - row["value_ours"] == pytest.approx(0.002)


def test_a_published_learner_stands_beside_ours_of_its_kind():
    table = compared(
        rows_of("hillstrom_womens", "ours", "response", "published_qini", [0.002] * 5, width=0.001)
    )
    assert list(table["learner"]) == ["outcome-ranking"]
    assert list(table["ours"]) == ["response"]


def test_without_published_seeds_both_intervals_count():
    theirs = published("lenta", "s-learner", "published_qini")
    table = compared(
        rows_of("lenta", "ours", "champion", "published_qini", [0.002] * 5, width=0.0003)
    )
    row = table[table["learner"] == "s-learner"].iloc[0]
    half = np.hypot(0.0003, (theirs.ci_high - theirs.ci_low) / 2)
    assert row["difference"] == pytest.approx(0.002 - theirs.value)
    assert row["difference_ci_high"] - row["difference"] == pytest.approx(half)
    assert row["interval"] == "two intervals"
    assert "not the same rows" in row["note"]


def test_the_best_single_peer_is_the_best_in_the_mean_by_the_figures_own_sense():
    replicates = [1, 2, 3]
    parts = [
        rows_of("ihdp", "ours", "champion", "pehe", [0.5, 0.6, 0.4], replicates=replicates),
        rows_of("ihdp", "econml", "x_learner", "pehe", [0.7, 0.7, 0.7], replicates=replicates),
        rows_of("ihdp", "causalml", "x_learner", "pehe", [0.6, 0.6, 0.6], replicates=replicates),
        rows_of("ihdp", "ours", "champion", "qini_normalised", [0.9] * 3, replicates=replicates),
        rows_of("ihdp", "econml", "x_learner", "qini_normalised", [0.8] * 3, replicates=replicates),
        rows_of(
            "ihdp", "causalml", "x_learner", "qini_normalised", [0.7] * 3, replicates=replicates
        ),
    ]
    table = compared(*parts)
    best = table[table["learner"] == "best single peer"].set_index("figure")
    assert best.loc["pehe", "note"] == "causalml x_learner"
    assert best.loc["pehe", "difference"] == pytest.approx(-0.1)
    assert best.loc["pehe", "difference_ci_low"] < -0.1 < best.loc["pehe", "difference_ci_high"]
    assert best.loc["qini_normalised", "note"] == "econml x_learner"
    assert best.loc["qini_normalised", "difference"] == pytest.approx(0.1)


def test_the_best_slope_is_the_one_nearest_to_one():
    def slopes(source, learner, value):
        return rows_of("lenta", source, learner, "calibration_slope", [value] * 2)

    table = compared(
        slopes("ours", "champion", 1.1),
        slopes("econml", "x_learner", 3.0),
        slopes("causalml", "x_learner", 0.8),
    )
    best = table[table["learner"] == "best single peer"].iloc[0]
    assert best["note"] == "causalml x_learner"
    assert best["share_as_good"] == 1.0


def test_a_replicate_without_a_figure_takes_no_part():
    parts = [
        rows_of(
            "acic2016", "ours", "champion", "qini_normalised", [0.9, np.nan], replicates=[1, 2]
        ),
        rows_of(
            "acic2016", "econml", "x_learner", "qini_normalised", [0.8, np.nan], replicates=[1, 2]
        ),
    ]
    table = compared(*parts)
    row = table[table["learner"] == "x_learner"].iloc[0]
    assert row["n_pairs"] == 1
    assert np.isnan(row["difference_ci_low"])  # one pair has no interval


def test_an_interval_of_a_mean_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        low, high = mean_interval(values=rng.normal(size=40), replicates=300, level=0.9, rng=rng)
        inside += low < 0.0 < high
    assert 0.83 < inside / 300 < 0.95  # error of 300 draws: .017


def test_each_replicate_counts_once_and_simulated_sets_also_together():
    def figures(source, learner, values):
        acic = [
            rows_of("acic2016", source, learner, "pehe", values[:2]).assign(replicate=1),
            rows_of("acic2016", source, learner, "pehe", values[2:3], replicates=[2]),
        ]
        return [*acic, rows_of("ihdp", source, learner, "pehe", values[3:], replicates=[1])]

    table = compared(
        *figures("ours", "champion", [1.0, 2.0, 4.0, 7.0]),
        *figures("ours", "constant", [2.0, 2.0, 4.0, 6.0]),
        *figures("econml", "x_learner", [2.0, 3.0, 5.0, 8.0]),
    )
    rows = table.set_index(["set", "learner"])
    assert rows.loc[("acic2016", "x_learner"), "value_ours"] == pytest.approx((1.5 + 4.0) / 2)
    together = rows.loc["acic2016 + ihdp"]
    assert together.loc["x_learner", "value_ours"] == pytest.approx((1.5 + 4.0 + 7.0) / 3)
    assert together.loc["x_learner", ["difference", "share_as_good"]].tolist() == [-1.0, 1.0]
    assert together.loc["constant", "share_as_good"] == pytest.approx(2 / 3)


def test_figures_of_ours_alone_give_no_row():
    table = compared(rows_of("ggl_self", "ours", "champion", "qini", [0.1, 0.2]))
    assert table.empty
