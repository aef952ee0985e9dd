"""The next experiment by command line: plan, lots, the result as it comes back, verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import Finished, WarmKedro, files_of, newest_run
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.e2e

REPORTS = "data/08_reporting"
RESULT = "data/01_raw/experiment_result.csv"
FILES = {
    "experiment_result.json",
    "experiment_effects.csv",
    "recalibrated_cate.csv",
    "experiment_verdict.txt",
    "experiment_effects.png",
}
#: What the mailing adds in the upper stratum of predicted effects; nothing elsewhere.
EFFECT_USD = 20.0
HALF = 1.96


@pytest.fixture(scope="module")
def project(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished project, which may be brought results."""
    assert finished.code == 0, finished.err
    folder = tmp_path_factory.mktemp("experiment") / "promo_uplift"
    shutil.copytree(finished.folder, folder)
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmKedro]:
    with WarmKedro(project) as kedro:
        yield kedro


@pytest.fixture(scope="module")
def lots_of_the_whole_way(project: Path) -> bytes:
    return (project / REPORTS / "experiment_assignment.csv").read_bytes()


@pytest.fixture(scope="module")
def planned(warm: WarmKedro, project: Path, lots_of_the_whole_way: bytes) -> Finished:
    """The plan made anew from the finished run's results."""
    assert lots_of_the_whole_way
    return warm.run(project, "run", "--env", "test", "--pipelines", "experiment")


@pytest.fixture(scope="module")
def lots(project: Path, planned: Finished) -> pd.DataFrame:
    assert planned.code == 0, planned.err
    return pd.read_csv(project / REPORTS / "experiment_assignment.csv")


def true_effect(lots: pd.DataFrame, usd: float) -> np.ndarray:
    return np.where(lots["effect_bin"] == lots["effect_bin"].max(), usd, 0.0)


def comes_back(lots: pd.DataFrame, *, usd: float) -> pd.DataFrame:
    """Spend of every drawn household in every wave; one in ten of the mailed redeems."""
    rng = np.random.default_rng(7)
    households = np.sort(lots["household_id"].unique())
    level = pd.Series(rng.normal(0.0, 15.0, len(households)), index=households)
    mailed = (lots["arm"] == "mail").to_numpy()
    outcome = (
        lots["outcome_if_not_mailed"]
        + lots["household_id"].map(level)
        + rng.normal(0.0, 30.0, len(lots))
        + mailed * true_effect(lots, usd)
    )
    return lots[["wave", "household_id"]].assign(
        outcome=outcome.round(2), redeemed=(mailed & (rng.random(len(lots)) < 0.1)).astype(int)
    )


def bring_back(warm: WarmKedro, project: Path, text: str | None) -> Finished:
    (project / RESULT).unlink(missing_ok=True)
    if text is not None:
        (project / RESULT).write_text(text, encoding="utf-8")
    return warm.run(project, "run", "--env", "test", "--pipelines", "experiment_result")


@pytest.fixture(scope="module")
def confirmed(warm: WarmKedro, project: Path, lots: pd.DataFrame) -> Finished:
    """The result of a world whose effect is known, with what it left kept aside."""
    done = bring_back(warm, project, comes_back(lots, usd=EFFECT_USD).to_csv(index=False))
    shutil.copytree(project / REPORTS, project / "confirmed")
    return done


def standard_errors(found: dict[str, float], truth: float) -> float:
    """How many of its own standard errors a figure lies from the truth."""
    return abs(found["estimate"] - truth) / ((found["ci_high"] - found["ci_low"]) / 2.0 / HALF)


def test_the_plan_made_anew_draws_the_same_lots(
    planned: Finished, project: Path, lots_of_the_whole_way: bytes
) -> None:
    assert planned.code == 0, planned.err
    assert "NEXT EXPERIMENT" in planned.out
    assert (project / REPORTS / "experiment_assignment.csv").read_bytes() == lots_of_the_whole_way


def test_the_lots_are_those_of_the_plan(lots: pd.DataFrame, project: Path) -> None:
    plan = json.loads((project / REPORTS / "experiment_plan.json").read_text())
    assert len(lots) == plan["households"]
    assert not lots.duplicated(["wave", "household_id"]).any()
    drawn = {int(wave): one["mailed"] for wave, one in plan["lots"]["waves"].items()}
    assert lots[lots["arm"] == "mail"].groupby("wave").size().to_dict() == drawn


def test_the_known_effect_lies_in_the_intervals(
    confirmed: Finished, project: Path, lots: pd.DataFrame
) -> None:
    assert confirmed.code == 0, confirmed.err
    found = json.loads((project / "confirmed/experiment_result.json").read_text())
    effect = true_effect(lots, EFFECT_USD)
    assert standard_errors(found["effect_usd"], effect.mean()) < 4.0
    assert found["effect_usd"]["ci_low"] > 0.0
    profit = 0.25 * effect.mean() - 0.75 - 0.1
    assert standard_errors(found["profit_usd"]["all"], profit) < 4.0
    slope = np.polyfit(lots["cate"], effect, 1)[0]
    assert standard_errors(found["recalibration"]["slope"], slope) < 4.0
    table = pd.read_csv(project / "confirmed/experiment_effects.csv").set_index("stratum")
    for stratum, rows in lots.assign(effect=effect).groupby("stratum"):
        row = {end: table.loc[stratum, f"effect_{end}usd"] for end in ("", "ci_low_", "ci_high_")}
        interval = {"estimate": row[""], "ci_low": row["ci_low_"], "ci_high": row["ci_high_"]}
        assert standard_errors(interval, rows["effect"].mean()) < 4.0, stratum


def test_every_household_has_its_recalibrated_effect(
    confirmed: Finished, project: Path, lots: pd.DataFrame
) -> None:
    assert confirmed.code == 0, confirmed.err
    found = json.loads((project / "confirmed/experiment_result.json").read_text())
    line = found["recalibration"]
    table = pd.read_csv(project / "confirmed/recalibrated_cate.csv")
    assert set(table["household_id"]) == set(lots["household_id"])
    assert table["household_id"].is_unique
    expected = line["average_usd"]["estimate"] + line["slope"]["estimate"] * (
        table["cate_usd"] - line["mean_prediction_usd"]
    )
    np.testing.assert_allclose(table["recalibrated_cate_usd"], expected, rtol=1e-6)
    pays = (table["expected_profit_usd"] > 0.0).mean()
    assert f"pays for {pays:.0%} of households" in " ".join(confirmed.out.split())


def test_the_verdict_is_updated_printed_and_tracked(confirmed: Finished, project: Path) -> None:
    assert confirmed.code == 0, confirmed.err
    found = json.loads((project / "confirmed/experiment_result.json").read_text())
    verdict = found["verdict"]
    assert verdict["name"] == "publish"
    assert verdict["action"] in {"target", "mail_all"}
    assert confirmed.out.startswith(f"EXPERIMENT publish: {verdict['action']}.\n")
    assert (project / "confirmed/experiment_verdict.txt").read_text().strip() in confirmed.out
    run = newest_run(project)
    assert f"MLflow run {run.info.run_id}" in confirmed.out
    assert run.data.tags["experiment_action"] == verdict["action"]
    assert run.data.metrics["experiment_effect_usd"] == found["effect_usd"]["estimate"]
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
    artifacts = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert artifacts >= FILES
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.name == "experiment_result"


@pytest.fixture(scope="module")
def nothing(
    warm: WarmKedro, project: Path, lots: pd.DataFrame, confirmed: Finished
) -> tuple[Finished, dict[str, bytes]]:
    """The result of a world without an effect, and all that it left."""
    assert confirmed.code == 0, confirmed.err
    done = bring_back(warm, project, comes_back(lots, usd=0.0).to_csv(index=False))
    return done, files_of(project, "08_reporting")


def test_without_an_effect_nobody_is_mailed_on_its_strength(
    nothing: tuple[Finished, dict[str, bytes]],
) -> None:
    done, files = nothing
    assert done.code == 0, done.err
    found = json.loads(files[f"{REPORTS}/experiment_result.json"])
    assert standard_errors(found["effect_usd"], 0.0) < 4.0
    assert found["verdict"]["action"] in {"mail_none", "experiment"}
    assert "Choose everybody" not in done.out


def spoilt(result: pd.DataFrame, how: str) -> str | None:
    words = result["outcome"].astype("str").where(result.index >= 3, "12,50")
    files = {
        "absent": None,
        "duplicates": pd.concat([result, result.head(2)]),
        "wrong ids": result.assign(household_id=result["household_id"] + 900_000),
        "words": result.assign(outcome=words),
    }
    found = files[how]
    return None if found is None else found.to_csv(index=False)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("absent", ("found no file", "household_id,outcome")),
        ("duplicates", ("named once in each wave", "2 rows repeat one", "leave out the copies")),
        ("wrong ids", ("must be in the assignment", "household_id 9000", "Write them as there")),
        ("words", ("`outcome` must be a finite number", "12,50", "decimal point")),
    ],
)
def test_a_bad_file_is_one_message_and_leaves_the_last_result_as_it_was(
    warm: WarmKedro,
    project: Path,
    lots: pd.DataFrame,
    nothing: tuple[Finished, dict[str, bytes]],
    how: str,
    said: tuple[str, ...],
) -> None:
    done = bring_back(warm, project, spoilt(comes_back(lots, usd=0.0), how))
    assert done.code == 1
    assert done.err.startswith("Error: ExperimentError: ")
    assert len(done.err.splitlines()) == 1
    for words in said:
        assert words in done.err
    assert files_of(project, "08_reporting") == nothing[1]


def test_households_lost_from_one_arm_are_refused_as_an_experiment(
    warm: WarmKedro,
    project: Path,
    lots: pd.DataFrame,
    nothing: tuple[Finished, dict[str, bytes]],
) -> None:
    assert nothing[0].code == 0, nothing[0].err
    lost = (lots["arm"] == "mail") & (np.arange(len(lots)) % 3 == 0)
    result = comes_back(lots, usd=EFFECT_USD)[~lost]
    done = bring_back(warm, project, result.to_csv(index=False))
    assert done.code == 0, done.err
    assert done.out.startswith("EXPERIMENT refuse: stop.\n")
    assert f"{lost.sum():,} not in the result" in " ".join(done.out.split())
