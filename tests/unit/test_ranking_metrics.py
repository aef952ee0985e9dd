"""Intervals, paired differences, the leaderboard, group effects, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import clustered_mean
from promo_uplift.metrics import (
    Selection,
    group_effects,
    household_draws,
    leaderboard,
    percentile_interval,
    ranking_metrics,
    uplift_curves,
)
from promo_uplift.metrics.bootstrap import household_codes
from promo_uplift.metrics.gain import share_label

PARAMETERS = MetricParameters(uplift_shares=[0.1, 0.2, 0.3], level=0.95, bootstrap_replicates=100)
N = 900
SELECTION = Selection(
    champion="good",
    learner_by_fold=("good", "constant", "good"),
    table=pd.DataFrame({"learner": ["constant", "good"], "folds_won": [1, 2]}),
)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(N // 3), 3)
    effect = rng.normal(5, 4, N)
    return {
        "scores": effect + rng.normal(0, 10, N),
        "rankings": {
            "good": effect,
            "same": effect + 100.0,
            "constant": np.full(N, 5.0),
            "random": rng.normal(size=N),
            "response": rng.normal(size=N),
        },
        "fold": (groups % 3).astype(np.int64),
        "groups": groups,
    }


@pytest.fixture(scope="module")
def found(world):
    return ranking_metrics(**world, parameters=PARAMETERS, rng=np.random.default_rng(2))


def test_a_ranking_by_the_truth_beats_both_baselines_and_is_calibrated(found):
    good = found.figures["good"]
    for figure in ("auuc", "qini"):
        for baseline in ("random", "response", "constant"):
            assert good[f"{figure}_minus_{baseline}"].ci_low > 0
    slope = good["calibration_slope"]
    assert slope.ci_low < 1.0 < slope.ci_high
    assert slope.ci_low > 0.3


def test_every_interval_holds_its_estimate_and_has_width(found):
    for name, figures in found.figures.items():
        for figure, interval in figures.items():
            is_flat = name in ("constant", "random")
            if is_flat and figure in ("qini", "autoc", "calibration_slope"):
                continue
            if figure == "calibration_slope" and name == "response":
                continue
            flat = ("minus_constant", "minus_random") if is_flat else (f"minus_{name}",)
            if figure.endswith(flat):
                continue
            assert interval.ci_low < interval.estimate < interval.ci_high, (name, figure)


def test_random_is_its_expectation_and_not_the_order_that_it_drew(found, world):
    random = found.figures["random"]
    folds = [world["scores"][world["fold"] == k] for k in range(3)]
    half_ate = sum(part.mean() / 2 * len(part) for part in folds) / N
    assert random["auuc"].estimate == pytest.approx(half_ate, abs=1e-9)
    assert random["qini"] == Interval(0.0, 0.0, 0.0)
    good = found.figures["good"]
    assert good["auuc_minus_random"].estimate == pytest.approx(good["qini"].estimate)
    assert good["auuc_minus_random"].ci_low == pytest.approx(good["qini"].ci_low)


def test_differences_are_paired(found):
    """Two learners with one ranking differ by exactly nothing, interval included."""
    good, same = found.figures["good"], found.figures["same"]
    assert good["auuc_minus_random"] == same["auuc_minus_random"]
    own = found.figures["random"]["auuc_minus_random"]
    assert own == Interval(0.0, 0.0, 0.0)


def test_paired_differences_are_the_same_for_auuc_and_qini(found):
    """Both areas share Q(1) of the same scores, so it cancels."""
    good = found.figures["good"]
    auuc, qini = good["auuc_minus_response"], good["qini_minus_response"]
    assert auuc.estimate == pytest.approx(qini.estimate)
    assert auuc.ci_low == pytest.approx(qini.ci_low)


def test_the_calibration_slope_is_undefined_without_a_predicted_effect(found):
    for name in ("constant", "random", "response"):
        assert np.isnan(found.figures[name]["calibration_slope"].estimate)


def test_the_mean_score_is_the_average_effect(found, world):
    assert found.ate.estimate == pytest.approx(world["scores"].mean())
    sandwich = clustered_mean(values=world["scores"], groups=world["groups"]).interval(level=0.95)
    assert found.ate.ci_low == pytest.approx(sandwich.ci_low, abs=0.25)
    assert (found.n_rows, found.n_households) == (N, N // 3)


def test_one_seed_gives_one_result(found, world):
    again = ranking_metrics(**world, parameters=PARAMETERS, rng=np.random.default_rng(2))
    assert again.figures["good"] == found.figures["good"]
    other = ranking_metrics(**world, parameters=PARAMETERS, rng=np.random.default_rng(3))
    assert other.figures["good"]["auuc"].ci_low != found.figures["good"]["auuc"].ci_low


def test_the_leaderboard_is_sorted_and_names_each_figure_with_its_interval(found):
    ones = dict.fromkeys(found.figures, 1.0)
    table = leaderboard(metrics=found, selection=SELECTION, dr_loss=ones, r_loss=ones, seconds=ones)
    assert (table["note"] == "").all()
    assert table["auuc"].is_monotonic_decreasing
    figures = [
        *("auuc", "qini", "autoc", "uplift_at_10", "uplift_at_20", "uplift_at_30"),
        *("calibration_slope", "auuc_minus_random", "auuc_minus_response"),
        *("auuc_minus_constant", "qini_minus_random"),
        *("qini_minus_response", "qini_minus_constant"),
    ]
    interval, at_once = ("", "_ci_low", "_ci_high"), ("_sim_low", "_sim_high")
    expected = [
        f"{figure}{end}"
        for figure in figures
        for end in interval + (at_once if "_minus_" in figure else ())
    ]
    ends = ["dr_loss", "r_loss", "seconds", "is_champion", "folds_won", "note"]
    assert list(table.columns) == ["learner", *expected, *ends]
    by_learner = table.set_index("learner")
    assert by_learner.index[by_learner["is_champion"]].tolist() == ["good"]
    assert by_learner["folds_won"].dropna().to_dict() == {"constant": 1, "good": 2}


def test_the_leaderboard_refuses_a_learner_without_a_loss(found):
    ones = dict.fromkeys(found.figures, 1.0)
    some = {name: 1.0 for name in found.figures if name != "good"}
    with pytest.raises(MetricError, match=r"`r_loss` .* missing: \['good'\]"):
        leaderboard(metrics=found, selection=SELECTION, dr_loss=ones, r_loss=some, seconds=ones)


@pytest.mark.parametrize("missing", ["random", "response", "constant"])
def test_a_missing_baseline_is_refused_by_name(world, missing):
    rankings = {k: v for k, v in world["rankings"].items() if k != missing}
    with pytest.raises(MetricError, match=rf"missing: \['{missing}'\]"):
        ranking_metrics(
            **(world | {"rankings": rankings}),
            parameters=PARAMETERS,
            rng=np.random.default_rng(0),
        )


def test_values_that_are_not_finite_are_refused_with_their_place(world):
    broken = world["scores"].copy()
    broken[7] = np.nan
    with pytest.raises(MetricError, match=r"`scores` must be finite; 1 of 900 .* row 7"):
        ranking_metrics(
            **(world | {"scores": broken}), parameters=PARAMETERS, rng=np.random.default_rng(0)
        )


def test_a_ranking_of_other_length_is_refused_by_name(world):
    rankings = world["rankings"] | {"short": np.zeros(3)}
    with pytest.raises(MetricError, match=r"`rankings\['short'\]` .* got \(3,\)"):
        ranking_metrics(
            **(world | {"rankings": rankings}),
            parameters=PARAMETERS,
            rng=np.random.default_rng(0),
        )


def test_a_household_in_two_folds_is_refused(world):
    fold = world["fold"].copy()
    fold[0] = (fold[0] + 1) % 3
    with pytest.raises(MetricError, match=r"constant within a household; 1 households .* \[0\]"):
        ranking_metrics(
            **(world | {"fold": fold}), parameters=PARAMETERS, rng=np.random.default_rng(0)
        )


def test_curves_start_at_nothing_and_end_at_the_average_effect(world):
    shares = np.array([0.0, 0.5, 1.0])
    table = uplift_curves(
        **world, shares=shares, level=0.9, replicates=60, rng=np.random.default_rng(0)
    )
    ends = table.pivot_table(index="share", columns="learner", values="gain_usd")
    np.testing.assert_allclose(ends.loc[0.0], 0.0)
    np.testing.assert_allclose(ends.loc[1.0], world["scores"].mean())
    assert ends.loc[0.5, "good"] > ends.loc[0.5, "random"]
    inner = table[table["share"] > 0]
    assert (inner["ci_low"] < inner["gain_usd"]).all()
    assert (inner["gain_usd"] < inner["ci_high"]).all()


def test_group_effects_are_means_of_the_scores_in_fifths_of_each_fold(world):
    table = group_effects(
        scores=world["scores"],
        cate=world["rankings"]["good"] + 1_000.0 * world["fold"],
        fold=world["fold"],
        groups=world["groups"],
        n_groups=5,
        level=0.95,
        draws=10_000,
        rng=np.random.default_rng(0),
    ).table
    assert table["n"].tolist() == [N // 5] * 5
    top = np.zeros(N, dtype=bool)
    for k in range(3):
        rows = np.flatnonzero(world["fold"] == k)
        top[rows[np.argsort(world["rankings"]["good"][rows])[-N // 15 :]]] = True
    assert table["effect_usd"].iloc[4] == pytest.approx(world["scores"][top].mean())
    assert table["effect_usd"].iloc[4] - table["effect_usd"].iloc[0] > 5
    assert (table["band_low"] < table["ci_low"]).all()
    assert (table["band_high"] > table["ci_high"]).all()


def test_more_groups_than_rows_of_a_fold_are_refused(world):
    with pytest.raises(MetricError, match="fold 0 has 300 rows for 301 groups"):
        group_effects(
            scores=world["scores"],
            cate=world["rankings"]["good"],
            fold=world["fold"],
            groups=world["groups"],
            n_groups=301,
            level=0.95,
            draws=10_000,
            rng=np.random.default_rng(0),
        )


def test_draws_count_households_and_keep_their_number():
    draws = household_draws(
        groups=np.array([5, 5, 9, 9, 7]), replicates=20, rng=np.random.default_rng(0)
    )
    assert draws.n_households == 3
    np.testing.assert_array_equal(draws.counts[:, 0], 1)
    np.testing.assert_array_equal(draws.counts.sum(axis=0), 3)
    weights = draws.weights(np.arange(5))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert weights.std() > 0


def test_one_household_cannot_be_resampled():
    with pytest.raises(MetricError, match="at least 2 households to be resampled, found 1"):
        household_draws(groups=np.zeros(4, int), replicates=5, rng=np.random.default_rng(0))


def test_an_undefined_replicate_leaves_the_bounds_undefined():
    interval = percentile_interval(values=np.array([1.0, 0.5, np.nan, 2.0]), level=0.9)
    assert interval.estimate == 1.0
    assert np.isnan(interval.ci_low)


def test_bounds_stand_at_the_rank_p_times_one_more_than_the_replicates():
    values = np.r_[0.0, np.random.default_rng(0).permutation(np.arange(1.0, 200.0))]
    interval = percentile_interval(values=values, level=0.95)
    assert (interval.ci_low, interval.ci_high) == pytest.approx((5.0, 195.0))


def test_shares_name_their_figure():
    assert [share_label(s) for s in (0.1, 0.3, 0.025)] == [
        "uplift_at_10",
        "uplift_at_30",
        "uplift_at_2_5",
    ]


def test_a_clustered_mean_refuses_what_it_cannot_carry():
    with pytest.raises(MetricError, match="1 of 2 are not"):
        clustered_mean(values=np.array([1.0, np.inf]), groups=np.array([1, 2]))


@pytest.mark.parametrize("ids", [[5, 5, 9, 7], [-3, -3, 10**15, 0], [2, 2, 4, 3]])
def test_households_are_coded_in_the_order_of_their_ids(ids):
    code, n_households = household_codes(np.array(ids))
    assert (code.tolist(), n_households) == ([0, 0, 2, 1], 3)


def test_draws_are_with_replacement_and_favour_nobody():
    """More households than one block of draws: counts are as independent as drawing makes them."""
    n, replicates = 2_500, 400
    draws = household_draws(
        groups=np.arange(n), replicates=replicates, rng=np.random.default_rng(1)
    )
    counts = draws.counts[:, 1:].astype(float)
    np.testing.assert_array_equal(counts.sum(axis=0), n)
    # binomial (n, 1 / n): mean 1, variance 1 - 1 / n, P(0) = exp(-1); six standard errors
    size = n * replicates
    assert counts.var() == pytest.approx(1.0, abs=6 * np.sqrt(3.0 / size))
    assert (counts == 0).mean() == pytest.approx(np.exp(-1.0), abs=6 * np.sqrt(0.24 / size))
    by_household = counts.mean(axis=1)
    assert by_household.var() * replicates == pytest.approx(1.0, abs=6 * np.sqrt(2.0 / n))
    assert np.abs(by_household - 1.0).max() < 6 / np.sqrt(replicates)
    half = counts[: n // 2].sum(axis=0)
    assert half.var() == pytest.approx(n / 4, rel=6 * np.sqrt(2.0 / replicates))
    neighbours = np.corrcoef(counts[:-1].ravel(), counts[1:].ravel())[0, 1]
    assert abs(neighbours) < 6 / np.sqrt(size)
