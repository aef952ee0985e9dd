"""The benchmark from worlds to the card, in memory, and the outside sets without a folder."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from in_memory import parameters, run
from matplotlib.figure import Figure

from promo_uplift.benchmark.judge import COLUMNS
from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.worlds import BenchmarkParameters
from promo_uplift.pipelines import benchmark, outside_sets
from promo_uplift.pipelines.benchmark import nodes
from promo_uplift.reporting.run_record import RunRecord

WORLD = {
    "kind": "nie_wager",
    "setup": "b",
    "n_households": [300],
    "full": 1,
    "effects": 2,
    "pointwise": 1,
    "n_covariates": 5,
    "noise_sd": 0.5,
}
SETTINGS = {
    "root": None,
    "n_workers": 1,
    "progress": False,
    "quantiles": 5,
    "population_households": 2_000,
    "analysis": {
        "n_folds": 3,
        "bootstrap_replicates": 50,
        "interval_replicates": 2,
        "grid_points": 11,
        "redemption_cost_usd": 0.0,
        "learners": {"dr_learner": {"n_estimators": 12}},
    },
    "card": {
        "cover_low": 0.92,
        "cover_high": 0.98,
        "max_false_discovery": 0.05,
        "n_households": 300,
    },
    "worlds": {"trial_of_lotteries": WORLD},
}
SKIPPED = pd.DataFrame({"set": ["ihdp"], "figure": ["skipped"], "note": ["no folder named"]})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    settings = BenchmarkParameters.model_validate(
        {**SETTINGS, "folder": str(tmp_path_factory.mktemp("pieces"))}
    )
    # the worlds of this test need no simulator: what it is drawn from is not read
    pipeline = benchmark.create_pipeline()
    inputs = {
        **parameters(benchmark=settings, simulation=None),
        "world_profile": None,
        "outside_results": SKIPPED,
        "outside_comparison": pd.DataFrame(columns=["learner", "ours", "figure"]),
    }
    known = {name: value for name, value in inputs.items() if name in pipeline.inputs()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "retail_simulator", lambda **_: None)
        return run(pipeline, known)


def test_results_are_one_row_for_each_subject_and_figure(made):
    results = made["benchmark_results"]
    assert list(results.columns) == list(COLUMNS)
    assert not results.duplicated(list(COLUMNS[:6])).any()
    learners = {"zero", "constant", "random", "response", "t_learner", "dr_learner"}
    assert learners | {"champion", "run", "aipw_ate", "plug_in"} <= set(results["subject"])


def test_the_summary_counts_replications_of_both_depths(made):
    summary = made["benchmark_summary"].set_index(["subject", "figure"])
    assert summary.loc[("aipw_ate", "effect_usd"), "intervals"] == 3
    assert summary.loc[("champion", "qini_usd"), "intervals"] == 1
    assert summary.loc[("dr_learner", "pointwise_coverage"), "replications"] == 1
    assert "seconds" not in set(made["benchmark_summary"]["figure"])
    assert made["benchmark_seconds"]["total_seconds"].gt(0.0).all()


def test_in_a_strong_randomised_world_learners_know_more_than_the_average(made):
    summary = made["benchmark_summary"].set_index(["subject", "figure"])
    assert summary.loc[("champion", "pehe_over_constant"), "mean"] < 0.9
    assert summary.loc[("champion", "qini_normalised"), "mean"] > 0.5
    truth = summary.loc[("aipw_ate", "effect_usd"), "truth"]
    # E[X1 + log(1 + exp(X2))] of standard normals, by Gauss-Hermite quadrature
    nodes_, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = (weights * np.log1p(np.exp(nodes_))).sum() / weights.sum()
    assert truth == pytest.approx(expected, abs=4.0 * 1.1 / np.sqrt(900))


def test_card_figures_and_record_come_out(made):
    card = made["trust_card"]
    assert card.startswith("# Trust card\n")
    assert "from 3 simulated data sets in 1 worlds" in card
    assert "Not run: `ihdp` (no folder named)." in card
    figures = [name for name in made if name.endswith("_figure")]
    assert len(figures) == 5
    assert all(isinstance(made[name], Figure) for name in figures)
    assert isinstance(made["benchmark_run"], RunRecord)


def test_outside_sets_without_a_folder_are_skipped_with_the_reason(tmp_path):
    pipeline = outside_sets.create_pipeline()
    settings = BenchmarkParameters.model_validate({**SETTINGS, "folder": str(tmp_path)})
    outside = {
        "root": None,
        "sets": ["ihdp", "hillstrom_womens"],
        "seeds": [11, 23],
        "all_seeds": [1],
        "training_shares": [0.6, 0.2],
        "max_groups": 1_000,
        "large_rows": 10_000,
        "large_folds": 3,
        "small_trials": 0,
        "large_trials": 0,
        "left_out_of_large": [],
        "evidence": 0.95,
        "uplift_shares": [0.2],
        "calibration_bins": 10,
        "calibration_min_arm": 10,
        "tie_seed": 1,
        "tie_orders": 2,
        "bootstrap_replicates": 50,
        "level": 0.95,
        "peers": False,
    }
    inputs = parameters(benchmark=settings, outside_sets=OutsideParameters.model_validate(outside))
    known = {name: value for name, value in inputs.items() if name in pipeline.inputs()}
    made = run(pipeline, known)
    skipped = made["outside_results"]
    assert skipped["figure"].tolist() == ["skipped", "skipped"]
    assert skipped["note"].str.contains("benchmark.root").all()
    assert made["outside_comparison"].empty


def test_no_pipeline_imports_the_peers_libraries_before_it_runs_them():
    # causalml restyles every figure of the process, and is not published for Python 3.13
    program = "import sys, promo_uplift.pipeline_registry; sys.exit('causalml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
