"""Figures of the outside sets by hand, by brute force, and by closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from promo_uplift.benchmark.sets.bundle import BenchmarkSet
from promo_uplift.benchmark.sets.scoring import imputed, truth_figures
from promo_uplift.benchmark.sets.splitting import drawn_rows, protocol_split, split_set
from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import TrialTruth
from promo_uplift.metrics.arm_curves import arm_figures, binned_calibration_slope


def truth_of(cate):
    nothing = np.zeros(len(cate))
    return TrialTruth(cate=cate, propensity=nothing, mu0=nothing, mu1=cate)


def by_arms(treatment, outcome, ranking, weights=None, shares=(0.5,)):
    return arm_figures(
        treatment=np.asarray(treatment),
        outcome=np.asarray(outcome, dtype=float),
        ranking=np.asarray(ranking, dtype=float),
        weights=np.ones((len(treatment), 1)) if weights is None else weights,
        uplift_shares=shares,
        tie_seed=0,
    )


def test_the_truth_as_prediction_is_perfect_and_its_negative_as_bad_as_can_be():
    cate = np.random.default_rng(0).normal(size=500)
    perfect = truth_figures(cate=cate, is_effect=True, truth=truth_of(cate))
    assert perfect["pehe"].estimate == perfect["ate_error"].estimate == 0.0
    assert perfect["qini_normalised"].estimate == pytest.approx(1.0)
    worst = truth_figures(cate=-cate, is_effect=True, truth=truth_of(cate))
    assert worst["qini_normalised"].estimate == pytest.approx(-1.0)


def test_one_effect_for_all_ranks_nobody_and_misses_by_the_spread():
    cate = np.random.default_rng(1).normal(2.0, 3.0, size=400)
    figures = truth_figures(cate=np.full(400, cate.mean()), is_effect=True, truth=truth_of(cate))
    assert figures["pehe"].estimate == pytest.approx(cate.std())
    assert figures["qini_normalised"].estimate == pytest.approx(0.0, abs=1e-12)


def test_a_constant_truth_has_no_qini_and_a_ranking_no_pehe():
    constant = truth_figures(cate=np.arange(9.0), is_effect=True, truth=truth_of(np.full(9, 2.0)))
    assert set(constant) == {"pehe", "ate_error"}
    ranking = truth_figures(cate=np.arange(9.0), is_effect=False, truth=truth_of(np.arange(9.0)))
    assert set(ranking) == {"qini_normalised", "auuc_normalised"}


def test_four_rows_by_hand():
    # order: treated 1, control 0, treated 0, control 1
    # Qini gain: 1, 1 - 0, 1 - 0, 1 - 1 x 2/2 = 0; area by trapezoids .75, over n = .1875
    found = by_arms([1, 0, 1, 0], [1, 0, 0, 1], [4, 3, 2, 1])
    assert found["published_qini"][0] == pytest.approx((0.5 + 1 + 1 + 0.5) / 4 / 4)
    # rates: -, 1 x 2, .5 x 3, 0; oracle: treated 1, then zeros, then control 1: -, 2 or 1.5 ...
    assert found["published_uplift_at_50"][0] == pytest.approx(1.0)


def brute_force(treatment, outcome, ranking):
    order = np.argsort(-ranking)
    t, y, n = treatment[order], outcome[order], len(order)
    qini, rates = [0.0], [0.0]
    for k in range(1, n + 1):
        n1, n0 = t[:k].sum(), (1 - t[:k]).sum()
        s1, s0 = (y[:k] * t[:k]).sum(), (y[:k] * (1 - t[:k])).sum()
        qini.append(s1 - (s0 * n1 / n0 if n0 else 0.0))
        rates.append((s1 / n1 - s0 / n0) * k if n1 and n0 else 0.0)

    def area(gain):
        return sum((a + b) / 2 for a, b in pairwise(gain)) / n / n

    return area(qini) - qini[-1] / n / 2, area(rates)


@pytest.mark.parametrize("seed", range(5))
def test_a_loop_over_prefixes_gives_the_same(seed):
    rng = np.random.default_rng(seed)
    treatment, outcome = rng.integers(0, 2, 60), rng.normal(size=60)
    ranking = rng.normal(size=60)
    found = by_arms(treatment, outcome, ranking)
    qini, area = brute_force(treatment, outcome, ranking)
    oracle = brute_force(treatment, outcome, outcome * (2 * treatment - 1))[1]
    assert found["published_qini"][0] == pytest.approx(qini)
    assert found["published_auuc_normalised"][0] == pytest.approx(area / oracle)


def test_the_oracle_order_is_one_and_all_rows_are_the_difference_of_means():
    rng = np.random.default_rng(7)
    treatment, outcome = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    found = by_arms(treatment, outcome, outcome * (2 * treatment - 1), shares=(0.999,))
    assert found["published_auuc_normalised"][0] == pytest.approx(1.0)
    difference = outcome[treatment == 1].mean() - outcome[treatment == 0].mean()
    assert found["published_uplift_at_99_9"][0] == pytest.approx(difference)


def test_a_weight_of_two_counts_like_two_rows_in_the_top():
    rng = np.random.default_rng(8)
    treatment, outcome = rng.integers(0, 2, 80), rng.normal(size=80)
    ranking = rng.normal(size=80)
    twice = by_arms(treatment, outcome, ranking, weights=np.full((80, 1), 2.0))
    once = by_arms(treatment, outcome, ranking)
    for name, values in once.items():
        assert twice[name][0] == pytest.approx(values[0])


def test_an_empty_arm_is_refused():
    with pytest.raises(MetricError, match="`treatment` must hold both arms"):
        by_arms([1, 1], [0, 1], [2, 1])


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_predictions_of_the_wrong_size_have_the_inverse_slope(factor):
    rng = np.random.default_rng(9)
    n = 40_000
    cate = rng.normal(1.0, 1.0, n)
    treatment = rng.integers(0, 2, n)
    outcome = cate * treatment + rng.normal(0, 0.5, n)
    slope = binned_calibration_slope(
        treatment=treatment,
        outcome=outcome,
        cate=factor * cate,
        n_bins=10,
        min_arm=10,
        tie_seed=0,
    )
    # error of a bin's difference: sqrt(2 x 1.5 / 2,000) = .04 at most, over a spread of 1
    assert slope == pytest.approx(1.0 / factor, rel=0.06)


def test_a_constant_prediction_has_no_slope():
    slope = binned_calibration_slope(
        treatment=np.arange(100) % 2,
        outcome=np.random.default_rng(0).normal(size=100),
        cate=np.ones(100),
        n_bins=10,
        min_arm=10,
        tie_seed=0,
    )
    assert np.isnan(slope)


def test_missing_covariates_become_training_medians_and_are_counted():
    train = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [5.0, np.nan]])
    new = np.array([[np.nan, 2.0]])
    filled, other, count = imputed(train=train, new=new)
    np.testing.assert_array_equal(filled[:, 0], [1, 3, 3, 5])
    np.testing.assert_array_equal(filled[:, 1], 0.0)
    np.testing.assert_array_equal(other, [[3.0, 2.0]])
    assert count == 6
    assert np.isnan(train[2, 0])


def grouped_set(n=300):
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(n // 3), 3)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "t": groups % 3 == 0, "y": rng.normal(size=n), "g": groups}
    ).astype({"t": "int64"})
    return BenchmarkSet("toy", 1, frame, "t", "y", ("x",), "g", None, None, None)


def test_strata_keep_their_shares_and_rows_are_held_out_once():
    strata = np.repeat([0, 1, 2, 3], [500, 300, 150, 50])
    split = protocol_split(strata=strata, seed=11, shares=(0.6, 0.2))
    assert len(np.intersect1d(split.train, split.test)) == 0
    assert len(split.train) + len(split.test) == 1_000
    np.testing.assert_array_equal(np.bincount(strata[split.test]), [100, 60, 30, 10])


def test_the_split_is_that_of_one_generator_over_strata_in_order():
    strata = np.array([1, 0, 1, 0, 0, 1, 1, 0, 1, 0])
    rng = np.random.default_rng(23)
    held_out = []
    for value in (0, 1):
        members = np.flatnonzero(strata == value)
        rng.shuffle(members)
        held_out += list(members[4:])
    split = protocol_split(strata=strata, seed=23, shares=(0.6, 0.2))
    assert list(split.test) == sorted(held_out)


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(MetricError, match="`training_shares` must leave rows"):
        protocol_split(strata=np.zeros(9, dtype=int), seed=1, shares=(0.6, 0.4))


def test_a_cluster_is_never_divided():
    bench = grouped_set()
    split = split_set(bench=bench, seed=5, shares=(0.6, 0.2))
    groups = bench.group_codes()
    assert not set(groups[split.train]) & set(groups[split.test])
    assert len(split.test) == pytest.approx(60, abs=3)


def test_too_many_clusters_are_drawn_by_lot_whole():
    bench = grouped_set()
    rows = drawn_rows(bench=bench, max_groups=40, seed=1)
    assert len(rows) == 120
    assert len(np.unique(bench.group_codes()[rows])) == 40
    assert drawn_rows(bench=bench, max_groups=100, seed=1) is None
