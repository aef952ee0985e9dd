"""A piece of the outside benchmark: what it returns, what it never looks at, who is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sets_settings import analysis_parameters, outside_parameters
from sets_stand_ins import write_hillstrom, write_ihdp

from promo_uplift.benchmark.sets import load_set
from promo_uplift.benchmark.sets.bundle import BenchmarkSet
from promo_uplift.benchmark.sets.champion import choose_champion
from promo_uplift.benchmark.sets.positivity import positivity_table
from promo_uplift.benchmark.sets.run import (
    cut_set,
    our_predictions,
    run_piece,
    run_set,
    set_pieces,
    sized_analysis,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    write_ihdp(folder)
    write_hillstrom(folder)
    return folder


@pytest.fixture(scope="module")
def piece(root):
    return run_piece(
        name="ihdp",
        replicate=1,
        seed=11,
        analysis=analysis_parameters(),
        parameters=outside_parameters(root=str(root)),
    )


def value(piece, learner, figure):
    rows = piece[(piece["learner"] == learner) & (piece["figure"] == figure)]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


def test_every_learner_has_its_figures_against_the_truth(piece):
    ours = piece[piece["source"] == "ours"]
    for learner in ("zero", "constant", "t_learner", "trend_learner", "champion"):
        figures = set(ours[ours["learner"] == learner]["figure"])
        assert figures >= {"pehe", "ate_error", "qini_normalised", "auuc_normalised"}
    ranking_only = set(ours[ours["learner"] == "response"]["figure"])
    assert "qini_normalised" in ranking_only
    assert "pehe" not in ranking_only


def test_the_champion_is_a_candidate_and_carries_its_figures(piece):
    champion = piece[piece["learner"] == "champion"]
    name = champion["note"].unique()
    assert list(name) == ["trend_learner"]  # the stand-in's effect is a line
    assert value(piece, "champion", "pehe") == value(piece, "trend_learner", "pehe")
    assert value(piece, "champion", "pehe") < value(piece, "constant", "pehe")


def test_a_coin_has_no_qini_and_the_sizes_are_those_of_the_protocol(piece):
    assert value(piece, "random", "qini_normalised") == pytest.approx(0.0, abs=1e-12)
    assert value(piece, "run", "n_train") + value(piece, "run", "n_test") == 240
    assert value(piece, "run", "n_test") == pytest.approx(48, abs=1)


def test_equal_arguments_give_equal_rows(piece, root):
    again = run_piece(
        name="ihdp",
        replicate=1,
        seed=11,
        analysis=analysis_parameters(),
        parameters=outside_parameters(root=str(root)),
    )
    is_time = piece["figure"] == "seconds"
    pd.testing.assert_frame_equal(again[~is_time], piece[~is_time])


def test_outcomes_of_the_held_out_rows_change_no_prediction(root):
    parameters = outside_parameters(root=str(root))
    bench = load_set(name="ihdp", root=root)
    split = cut_set(bench=bench, seed=11, parameters=parameters)
    scrambled = replace(
        split,
        test=replace(
            split.test, outcome=split.test.outcome[::-1] * 9.0, treatment=1 - split.test.treatment
        ),
    )
    predicted, choice = our_predictions(
        split=split, analysis=analysis_parameters(), parameters=parameters, seed=1
    )
    other, other_choice = our_predictions(
        split=scrambled, analysis=analysis_parameters(), parameters=parameters, seed=1
    )
    assert choice == other_choice
    for one, two in zip(predicted, other, strict=True):
        np.testing.assert_array_equal(one.cate, two.cate)


def test_an_experiment_has_both_kinds_of_figures_with_intervals(root):
    piece = run_piece(
        name="hillstrom_womens",
        replicate=1,
        seed=23,
        analysis=analysis_parameters(),
        parameters=outside_parameters(root=str(root)),
    )
    rows = piece[piece["learner"] == "t_learner"].set_index("figure")
    for figure in ("qini", "auuc", "published_qini", "published_uplift_at_30"):
        assert (
            rows.loc[figure, "ci_low"] <= rows.loc[figure, "value"] <= rows.loc[figure, "ci_high"]
        )
    assert {"calibration_slope", "published_calibration_slope"} <= set(rows.index)
    assert "pehe" not in rows.index


def test_an_absent_set_is_one_row_with_its_reason():
    rows = run_set(
        name="lenta",
        root=None,
        seeds=[1, 2],
        analysis=analysis_parameters(),
        parameters=outside_parameters(),
    )
    assert len(rows) == 1
    assert rows["figure"].iloc[0] == "skipped"
    assert rows["note"].iloc[0] == "no folder named: set `benchmark.root`"


def test_pieces_are_replicates_by_seeds_and_absent_sets_once(root):
    parameters = outside_parameters(
        root=str(root), sets=["ihdp", "hillstrom_mens", "lenta", "acic2016"]
    )
    pieces = pd.DataFrame(set_pieces(parameters=parameters))
    counts = pieces.groupby("name").size().to_dict()
    # replicate 1 with both seeds, the four others with the first
    assert counts == {"ihdp": 6, "hillstrom_mens": 2, "lenta": 1, "acic2016": 1}


def test_large_sets_are_run_with_their_own_sizes():
    parameters = outside_parameters(
        large_rows=100, large_folds=4, large_trials=2, left_out_of_large=["t_learner"]
    )
    small, large = (
        sized_analysis(analysis=analysis_parameters(), n_train=rows, parameters=parameters)
        for rows in (99, 100)
    )
    assert (small.nuisance.n_folds, large.nuisance.n_folds) == (3, 4)
    assert (small.tuning.n_trials, large.tuning.n_trials) == (0, 2)
    assert "t_learner" in small.estimation.learners
    assert large.estimation.candidates == ["trend_learner"]


def crossed(name, cate):
    n = len(cate)
    return CrossFittedCate(
        learner=name,
        cate=np.column_stack([cate, cate, cate]),
        fold=np.arange(n) % 3,
        tuning=pd.DataFrame(),
        parameters=({}, {}, {}),
        seconds=0.0,
    )


def chosen(*, spread, found):
    """Effect 2 +- spread; ``found`` is how much of it the candidate sees; noise 1, a coin."""
    rng = np.random.default_rng(5)
    n = 3_000
    sign = rng.choice([-1.0, 1.0], n)
    treatment = rng.integers(0, 2, n)
    cate = 2.0 + spread * sign
    data = TrialData(
        covariates=pd.DataFrame({"x": sign}),
        treatment=treatment,
        outcome=cate * treatment + rng.normal(size=n),
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.ones(n, dtype=np.int64),
    )
    half, mu1 = np.full((n, 3), 0.5), np.full((n, 3), 2.0)
    nuisances = CrossFittedNuisances(
        fold=np.arange(n) % 3,
        propensity=half,
        mu0=np.zeros((n, 3)),
        mu1=mu1,
        redemption=np.zeros((n, 3)),
        raw_propensity_held_out=half[:, 0],
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    return choose_champion(
        cross_fitted={
            "constant": crossed("constant", np.full(n, 2.0)),
            "t_learner": crossed("t_learner", 2.0 + found * sign),
            "s_learner": crossed("s_learner", 2.0 - 0.5 * sign),
        },
        candidates=["t_learner", "s_learner"],
        data=data,
        nuisances=nuisances,
        loss="r_loss",
        evidence=0.95,
    )


def test_the_lowest_loss_is_chosen_where_the_effect_differs():
    choice = chosen(spread=1.0, found=1.0)
    assert choice.learner == choice.best == "t_learner"
    assert choice.z < -5.0
    # R-loss of the constant less that of the truth: E[(T - e)^2] x spread^2 = .25
    difference = choice.losses["constant"] - choice.losses["t_learner"]
    assert difference == pytest.approx(0.25, abs=0.06)


def test_the_constant_is_chosen_where_a_difference_may_be_chance():
    choice = chosen(spread=0.0, found=0.02)
    assert choice.learner == "constant"
    assert choice.best == "t_learner"


def barred_log(n=4_000):
    rng = np.random.default_rng(6)
    share = rng.random(n)
    barred = share >= 0.8
    treatment = np.where(barred, 0, (rng.random(n) < 0.75).astype(int))
    outcome = (rng.random(n) < 0.1 + 0.1 * barred + 0.02 * treatment).astype(int)
    frame = pd.DataFrame({"share": share, "t": treatment, "y": outcome})
    log = BenchmarkSet("log", 1, frame, "t", "y", ("share",), None, None, (0.0, 1.0), None)
    lots = (rng.random(n) < 0.75).astype(int)
    answered = (rng.random(n) < 0.1 + 0.1 * barred + 0.02 * lots).astype(int)
    whole = frame.assign(t=lots, y=answered)
    return log, BenchmarkSet("lots", 1, whole, "t", "y", ("share",), None, 0.75, (0.0, 1.0), None)


def test_a_log_of_a_barred_group_is_not_published_and_its_bounds_hold():
    log, experiment = barred_log()
    table = positivity_table(log=log, experiment=experiment, analysis=analysis_parameters(), seed=1)
    for subject in ("as_observed", "as_experiment"):
        rows = table[table["subject"] == subject].set_index("figure")
        assert rows.loc["verdict", "note"].split(":")[0] in ("refuse", "bounds_only")
        for bounds in ("manski_bounds", "overlap_bounds"):
            assert rows.loc[bounds, "ci_low"] < 0.02 < rows.loc[bounds, "ci_high"]
        assert rows.loc["share_of_overlap", "value"] == pytest.approx(0.8, abs=0.03)
        width = rows.loc["overlap_bounds", "ci_high"] - rows.loc["overlap_bounds", "ci_low"]
        assert 0.2 < width < 0.35  # a fifth is unknown; Manski's is 1
