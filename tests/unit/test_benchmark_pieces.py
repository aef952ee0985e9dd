"""Pieces are pure, kept, resumed after a kill, and take in whatever learner is registered."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmark_worlds import (
    NOTHING,
    analysis_parameters,
    benchmark_parameters,
    nie_wager_world,
    spend_world,
)

from promo_uplift.analysis import estimate_nuisances
from promo_uplift.benchmark.held_out import held_out_nuisances
from promo_uplift.benchmark.jobs import Job, code_digest, run_jobs, statements
from promo_uplift.benchmark.judge import COLUMNS, SECONDS
from promo_uplift.benchmark.piece import run_piece, sized_parameters, world_trials
from promo_uplift.benchmark.pieces import plan_pieces, run_benchmark
from promo_uplift.benchmark.simulated import overridden
from promo_uplift.benchmark.summary import summarise
from promo_uplift.benchmark.worlds import SimulatedWorld
from promo_uplift.contracts.errors import ConfigurationError, LearnerError
from promo_uplift.learners.constant import Constant
from promo_uplift.learners.registry import LEARNERS

PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from benchmark_worlds import analysis_parameters, benchmark_parameters, spend_world
from promo_uplift.benchmark import jobs, pieces, summary

quick = jobs.save_rows
def slowed(**arguments):
    time.sleep(float(sys.argv[4]))
    quick(**arguments)
jobs.save_rows = slowed

results = pieces.run_benchmark(
    benchmark=benchmark_parameters(
        folder=sys.argv[2], worlds={"w": spend_world(full=1, effects=5, n_households=[200])}
    ),
    parameters=analysis_parameters(),
    seed=3,
)
summary.summarise(results=results, level=0.95).to_csv(sys.argv[3], index=False)
"""


def sized(folder, **changed):
    benchmark = benchmark_parameters(folder=folder, worlds={"w": spend_world()})
    return sized_parameters(parameters=analysis_parameters(**changed), sizes=benchmark.analysis)


def piece(parameters, *, world=None, depth="effects", replication=0, seed=1, n=300):
    return run_piece(
        name="w",
        world=world or spend_world(),
        n_households=n,
        depth=depth,
        replication=replication,
        parameters=parameters,
        quantiles=3,
        seed=seed,
    )


def without_seconds(table):
    return table[table["figure"] != SECONDS].reset_index(drop=True)


def test_equal_seeds_give_equal_rows_but_for_seconds(tmp_path):
    parameters = sized(tmp_path)
    first, again = (piece(parameters, depth="full") for _ in range(2))
    pd.testing.assert_frame_equal(without_seconds(first), without_seconds(again))
    assert (first["figure"] == SECONDS).any()


def test_replications_sizes_and_depths_are_different_draws(tmp_path):
    parameters = sized(tmp_path)
    values = [
        piece(parameters).query("subject == 'aipw_ate'")["value"].iloc[0],
        piece(parameters, replication=1).query("subject == 'aipw_ate'")["value"].iloc[0],
        piece(parameters, seed=2).query("subject == 'aipw_ate'")["value"].iloc[0],
        piece(parameters, depth="full").query("subject == 'aipw_ate'")["value"].iloc[0],
    ]
    assert len(set(values)) == 4


def test_a_run_keeps_its_parameters_but_for_the_sizes(tmp_path):
    own = analysis_parameters()
    parameters = sized(tmp_path)
    assert parameters.nuisance.n_folds == 3
    assert parameters.nuisance.n_trials == parameters.tuning.n_trials == 0
    assert parameters.tuning.storage is None
    assert parameters.estimation.n_workers == 1
    assert parameters.metrics.bootstrap_replicates == 50
    assert parameters.policy.redemption_cost_usd == 0.0
    assert parameters.policy.margin_rate == own.policy.margin_rate
    assert parameters.estimation.learners == own.estimation.learners


@pytest.mark.parametrize("calibration", ["none", "beta"])
def test_held_out_nuisances_are_those_of_the_whole_analysis(tmp_path, calibration):
    own = sized(tmp_path)
    nuisance = own.nuisance.model_copy(update={"calibration": calibration})
    parameters = own.model_copy(update={"nuisance": nuisance})
    data, _ = world_trials(world=nie_wager_world(), n_households=300, seed=4, simulator=None)
    short = held_out_nuisances(data=data, parameters=parameters.nuisance, seed=9)
    whole = estimate_nuisances(
        data=data,
        nuisance=parameters.nuisance,
        n_workers=1,
        tuning=parameters.tuning,
        seed=9,
    )
    for name in ("propensity", "mu0", "mu1"):
        expected = getattr(whole.held_out(), name)
        np.testing.assert_array_equal(getattr(short.held_out(), name), expected)
    assert short.n_clipped == whole.n_clipped


def test_a_registered_learner_takes_part_without_another_change(tmp_path, monkeypatch):
    class Opposite(Constant):
        """The average effect with the wrong sign, and a little difference between rows."""

        def _predict(self, *, features):
            return -super()._predict(features=features) - features[:, 0]

    spec = dataclasses.replace(LEARNERS["constant"], name="mine", role="cate", build=Opposite)
    monkeypatch.setitem(LEARNERS, "mine", spec)
    table = piece(sized(tmp_path, learners={"mine": NOTHING}), depth="full")
    figures = set(table.loc[table["subject"] == "mine", "figure"])
    assert {"pehe_usd", "qini_usd", "profit_usd", "group_1_of_3_usd", SECONDS} <= figures
    assert "champion" in set(table["subject"])


def test_pointwise_intervals_are_taken_of_the_first_replications_only(tmp_path):
    parameters = sized(tmp_path)
    world = spend_world(full=2, pointwise=1)
    taken, left = (
        piece(parameters, world=world, depth="full", replication=number) for number in (0, 1)
    )
    assert not (left["figure"] == "pointwise_coverage").any()
    rows = taken[taken["figure"] == "pointwise_coverage"]
    assert rows["subject"].tolist() == ["t_learner"]
    assert rows["value"].between(0.0, 1.0).all()


def test_the_grid_is_run_and_collected_in_its_own_order(tmp_path):
    worlds = {
        "b": spend_world(full=0, effects=2, n_households=[200, 250]),
        "a": nie_wager_world(full=1, effects=1, n_households=[200]),
    }
    benchmark = benchmark_parameters(folder=tmp_path, worlds=worlds)
    results = run_benchmark(benchmark=benchmark, parameters=analysis_parameters(), seed=3)
    assert list(results.columns) == list(COLUMNS)
    keys = ["world", "n_households", "depth", "replication"]
    assert results[keys].drop_duplicates().astype(
        {"world": str, "depth": str}
    ).to_numpy().tolist() == [
        ["b", 200, "effects", 0],
        ["b", 200, "effects", 1],
        ["b", 250, "effects", 0],
        ["b", 250, "effects", 1],
        ["a", 200, "full", 0],
        ["a", 200, "effects", 0],
    ]
    files = sorted(tmp_path.rglob("*.parquet"))
    times = [file.stat().st_mtime_ns for file in files]
    again = run_benchmark(benchmark=benchmark, parameters=analysis_parameters(), seed=3)
    pd.testing.assert_frame_equal(results, again)
    assert [file.stat().st_mtime_ns for file in files] == times


def folders(tmp_path, *, worlds=None, parameters=None, seed=3):
    plan = plan_pieces(
        benchmark=benchmark_parameters(folder=tmp_path, worlds=worlds or {"w": spend_world()}),
        parameters=parameters or analysis_parameters(),
        seed=seed,
        simulator=None,
    )
    return {one.path.parent.name for one in plan}


def test_more_replications_add_pieces_and_other_settings_start_anew(tmp_path):
    known = folders(tmp_path)
    more = {"w": spend_world(full=9, effects=9, n_households=[300, 400])}
    assert folders(tmp_path, worlds=more) == known
    others = [
        folders(tmp_path, worlds={"w": spend_world(effect_usd=11.0)}),
        folders(tmp_path, seed=4),
        folders(tmp_path, parameters=analysis_parameters(learners={"s_learner": NOTHING})),
    ]
    assert len(set().union(known, *others)) == 4


def test_the_code_counts_without_its_comments():
    assert statements('"""Why."""\nx = 1  # one\n') == statements("x  =  1")
    assert statements("x = 1") != statements("x = 2")
    both = [code_digest(rooms=(), modules=modules) for modules in (("judge",), ("judge", "truth"))]
    assert both[0] != both[1]


def fail(**_):
    raise LearnerError("`outcome` is odd.")


def rows_of(*, number):
    return pd.DataFrame({"number": [number]})


def test_a_failing_piece_says_which_one_it_is(tmp_path):
    job = Job(label="w, 300 households", path=tmp_path / "x.parquet", work=fail, arguments={})
    with pytest.raises(LearnerError, match="is odd") as caught:
        run_jobs(jobs=[job], n_workers=1, progress=False, title="t")
    assert any("w, 300 households" in note for note in caught.value.__notes__)
    assert not job.path.exists()


def test_progress_is_a_log_line_where_there_is_no_terminal(tmp_path, caplog):
    jobs = [
        Job(str(number), tmp_path / f"{number}.parquet", rows_of, {"number": number})
        for number in range(3)
    ]
    jobs[1].path.write_bytes(b"done")
    with caplog.at_level(logging.INFO, logger="promo_uplift.benchmark.jobs"):
        run_jobs(jobs=jobs, n_workers=1, progress=True, title="worlds")
    assert "worlds: 3 pieces, 1 of them done" in caplog.messages[0]
    assert "worlds: 2 of 2 pieces" in caplog.messages[-1]
    assert pd.read_parquet(jobs[2].path)["number"].tolist() == [2]


def program(tmp_path, folder, out, pause):
    arguments = [Path(__file__).parent, tmp_path / folder, tmp_path / out, pause]
    return [sys.executable, "-c", PROGRAM, *map(str, arguments)]


def finished(folder):
    """Results of replications; a file that is being written begins with a dot."""
    return [file for file in folder.rglob("*.parquet") if file.name[0] != "."]


def test_a_killed_run_resumes_to_the_same_summary(tmp_path):
    subprocess.run(program(tmp_path, "whole", "whole.csv", 0), check=True, timeout=120)
    killed = subprocess.Popen(program(tmp_path, "cut", "cut.csv", 0.5), start_new_session=True)
    deadline = time.monotonic() + 60.0
    while len(finished(tmp_path / "cut")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    kept = finished(tmp_path / "cut")
    assert 2 <= len(kept) < 6
    assert not (tmp_path / "cut.csv").exists()
    before = {file: file.stat().st_mtime_ns for file in kept}
    subprocess.run(program(tmp_path, "cut", "cut.csv", 0), check=True, timeout=120)
    assert {file: file.stat().st_mtime_ns for file in kept} == before
    whole, cut = ((tmp_path / name).read_bytes() for name in ("whole.csv", "cut.csv"))
    assert whole == cut


def test_results_do_not_depend_on_the_number_of_processes(tmp_path):
    worlds = {"w": spend_world(full=0, effects=3, n_households=[200])}
    tables = [
        summarise(
            results=run_benchmark(
                benchmark=benchmark_parameters(
                    folder=tmp_path / str(n), worlds=worlds, n_workers=n
                ),
                parameters=analysis_parameters(),
                seed=3,
            ),
            level=0.95,
        )
        for n in (1, 2)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_simulated_world_without_a_simulator_is_refused():
    world = SimulatedWorld(kind="simulated", n_households=[300], full=1, effects=0, pointwise=0)
    with pytest.raises(ConfigurationError, match="no simulator"):
        world_trials(world=world, n_households=300, seed=1, simulator=None)


def test_a_world_overrides_leaves_only():
    base = {"effect": {"function": "linear", "sd": 2}, "n": 5}
    assert overridden(base, {"effect": {"function": "zero"}}) == {
        "effect": {"function": "zero", "sd": 2},
        "n": 5,
    }
    assert base["effect"]["function"] == "linear"
