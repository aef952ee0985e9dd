"""`kedro run --env simulated`: raw tables of a known world, and the unchanged pipeline on them."""

from __future__ import annotations

import pandas as pd
import pytest
from command_line import Finished, kedro, new_project

from promo_uplift.pipeline_registry import register_pipelines

pytestmark = pytest.mark.e2e

#: Campaigns of the type whose mailings have an effect.
TYPE_A = (8, 13, 18, 30)
#: A lottery among 600 households in which a mailing adds 40 USD to everybody.
WORLD = (
    "simulation.n_households=600,simulation.effect.function=constant,"
    "simulation.effect.mean_usd=40.0,simulation.targeting.confounding=0.0"
)
SIZES = (
    "nuisance.n_folds=3,nuisance.n_trials=0,tuning.n_trials=0,estimation.n_workers=1,"
    "estimation.interval_replicates=2,metrics.bootstrap_replicates=60,source.promotions=false"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return new_project(tmp_path_factory.mktemp("simulated") / "promo_uplift")


@pytest.fixture(scope="module")
def without_a_world(project) -> Finished:
    return kedro(project, "run", "--env", "simulated", "--pipelines", "uplift")


@pytest.fixture(scope="module")
def world(project, without_a_world) -> Finished:
    return kedro(
        project, "run", "--env", "simulated", "--pipelines", "simulation", "--params", WORLD
    )


@pytest.fixture(scope="module")
def analysed(project, world) -> Finished:
    return kedro(project, "run", "--env", "simulated", "--pipelines", "uplift", "--params", SIZES)


def test_without_a_world_the_run_says_how_to_make_one(without_a_world):
    assert without_a_world.code == 1
    assert "kedro run --env simulated --pipelines simulation" in without_a_world.err
    assert "Traceback" not in without_a_world.err


def test_the_world_its_truth_and_its_fit_are_written(world):
    assert world.code == 0, world.err
    data = world.folder / "data" / "simulated"
    truth = pd.read_parquet(data / "truth" / "truth_effects.parquet")
    with_an_effect = truth.loc[truth["campaign_id"].isin(TYPE_A), "cate_usd"]
    assert with_an_effect.mean() == pytest.approx(40.0, abs=1.0)
    assert (truth.loc[~truth["campaign_id"].isin(TYPE_A), "cate_usd"] == 0.0).all()
    for name in ("08_reporting/simulation_fit.csv", "08_reporting/simulation_fit.png"):
        assert (data / name).stat().st_size > 0
    assert (data / "store_study" / "sales_after.csv").stat().st_size > 0


def test_the_unchanged_pipeline_finds_the_effect_that_was_put_in(analysed):
    assert analysed.code == 0, analysed.err
    data = analysed.folder / "data" / "simulated"
    effects = pd.read_csv(data / "08_reporting" / "effects.csv")
    rows = effects["campaign"].eq("pooled") & effects["estimand"].eq("aipw_ate")
    (found,) = effects[rows].to_dict("records")
    assert abs(found["estimate_usd"] - 40.0) < 4 * found["se"]
    assert found["ci_low"] > 0.0
    assert "VERDICT" in analysed.out


def test_no_node_of_the_analysis_reads_the_truth():
    for name in ("uplift", "data_engineering", "causal_estimation", "targeting_policy"):
        datasets = register_pipelines()[name].datasets()
        assert not [dataset for dataset in datasets if "truth" in dataset]
