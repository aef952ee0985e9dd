"""`kedro run --pipelines scoring` on the registered model of a finished run: scores, refusals."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from command_line import Finished, WarmKedro, newest_run
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.e2e

AS_OF = "2017-11-01"
SCORES = "data/07_model_output/scores.parquet"
REPORTS = ("scoring_report.json", "scoring_report.csv", "scoring_report.txt")


@pytest.fixture(scope="module")
def project(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished project, whose store it may write to."""
    assert finished.code == 0, finished.err
    folder = tmp_path_factory.mktemp("scoring") / "promo_uplift"
    shutil.copytree(finished.folder, folder)
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmKedro]:
    with WarmKedro(project) as kedro:
        yield kedro


def scoring(warm: WarmKedro, project: Path, *params: str, env: str = "test") -> Finished:
    words = ("run", "--env", env, "--pipelines", "scoring")
    return warm.run(project, *words, *(("--params", ",".join(params)) if params else ()))


@pytest.fixture(scope="module")
def passed(project: Path) -> bool:
    """Whether the run's model became champion."""
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
    return "champion" in client.get_registered_model("promo_uplift").aliases


@pytest.fixture(scope="module")
def cut(warm: WarmKedro, project: Path) -> Finished:
    """Households as of a date, scored by the challenger."""
    done = scoring(warm, project, "scoring.alias=challenger", f"scoring.as_of={AS_OF}")
    kept = project / "kept"
    kept.mkdir()
    shutil.copy(project / SCORES, kept)
    for name in REPORTS:
        shutil.copy(project / "data/08_reporting" / name, kept)
    return done


def test_a_cut_is_scored_and_the_challenger_said_aloud(
    cut: Finished, project: Path, passed: bool
) -> None:
    assert cut.code == 0, cut.err
    scores = pd.read_parquet(project / "kept/scores.parquet")
    assert cut.out.startswith(f"SCORES of {len(scores):,} households\n")
    said = "is the champion too" if passed else "did not pass the gate: The verdict is "
    assert said in cut.out
    assert set(scores["model_alias"]) == {"challenger"}
    assert scores["household_id"].is_unique
    assert 400 < len(scores) <= 700
    assert (scores["support_reason"] == "").equals(scores["in_support"])
    inside = scores[scores["in_support"]]
    assert np.isfinite(inside[["cate_usd", "expected_profit_usd"]]).all(axis=None)


def test_the_report_is_in_the_run_and_counts_the_scores(cut: Finished, project: Path) -> None:
    assert cut.code == 0, cut.err
    scores = pd.read_parquet(project / "kept/scores.parquet")
    report = json.loads((project / "kept/scoring_report.json").read_text())
    assert report["counts"]["rows"] == len(scores)
    assert report["counts"]["in_support"] == scores["in_support"].sum()
    assert sum(report["outside_support"].values()) == (~scores["in_support"]).sum()
    assert report["warnings"] == []
    assert report["input"]["as_of"] == AS_OF
    assert report["contract"]["trials.pre_days"] == 84
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
    run = newest_run(project)
    assert {"scores.parquet", *REPORTS} <= {
        one.path for one in client.list_artifacts(run.info.run_id)
    }


@pytest.fixture(scope="module")
def from_files(warm: WarmKedro, project: Path, cut: Finished) -> dict[str, pd.DataFrame]:
    """The trials' own rows, scored from a Parquet and a CSV file."""
    assert cut.code == 0, cut.err
    trials = pd.read_parquet(project / "data/05_model_input/trials.parquet")
    trials.to_csv(project / "trials.csv", index=False)
    found = {}
    for path in ("data/05_model_input/trials.parquet", "trials.csv"):
        asked = ("scoring.alias=challenger", f"scoring.table={path}", "scoring.chunk_rows=500")
        done = scoring(warm, project, *asked)
        assert done.code == 0, done.err
        found[path] = pd.read_parquet(project / SCORES)
        assert len(found[path]) == len(trials)
    return found


def test_a_table_is_scored_from_csv_as_from_parquet(from_files: dict[str, pd.DataFrame]) -> None:
    parquet, csv = from_files.values()
    pd.testing.assert_frame_equal(parquet, csv, check_exact=True)


def test_plain_mlflow_gives_the_same_scores(
    project: Path, from_files: dict[str, pd.DataFrame]
) -> None:
    """What others do: load the model by its alias and call `predict`."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    path = list(sys.path)
    try:
        model = mlflow.pyfunc.load_model("models:/promo_uplift@challenger")
        trials = pd.read_parquet(project / "data/05_model_input/trials.parquet")
        found = model.predict(trials[model.metadata.get_input_schema().input_names()])
    finally:
        sys.path[:] = path
        mlflow.set_tracking_uri(before)
    expected = from_files["trials.csv"][list(found.columns)]
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert {"support_reason", "reason"} <= set(found.columns)
    assert model.metadata.metadata["data_contract"]["definition"]["trials.outcome_days"] == 28


def test_without_a_champion_it_refuses_and_says_how_to_ask(
    warm: WarmKedro, project: Path, passed: bool
) -> None:
    done = scoring(warm, project, f"scoring.as_of={AS_OF}")
    if passed:
        assert done.code == 0, done.err
        return
    assert done.code == 1
    assert "No champion of `promo_uplift` stands" in done.err
    assert "no champion without publish" in done.err
    assert "--params scoring.alias=challenger" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (("scoring.table=nowhere.csv",), "`scoring.table` must be a file"),
        (("scoring.table=spoilt.csv",), "`pre_visits` (is it `pre_visit`?)"),
        (("scoring.as_of=2017-02-01",), "starts before the data does"),
        (("scoring.as_of=2018-02-01",), "ends after the data does"),
        (("scoring.as_of=yesterday",), "must be a date as 2017-11-01"),
        ((f"scoring.as_of={AS_OF}", "trials.pre_days=56"), "`trials.pre_days` 84 (now 56)"),
        ((f"scoring.as_of={AS_OF}", "scoring.table=trials.csv"), "not both"),
        ((), "`scoring` must say whom to score"),
        (("scoring.alais=champion",), "alais"),
    ],
)
def test_a_bad_request_is_one_message_and_leaves_the_scores_as_they_were(
    warm: WarmKedro,
    project: Path,
    from_files: dict[str, pd.DataFrame],
    params: tuple[str, ...],
    said: str,
) -> None:
    assert len(from_files) == 2
    trials = pd.read_parquet(project / "data/05_model_input/trials.parquet")
    trials.rename(columns={"pre_visits": "pre_visit"}).to_csv(project / "spoilt.csv", index=False)
    before = (project / SCORES).read_bytes()
    done = scoring(warm, project, "scoring.alias=challenger", *params)
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert (project / SCORES).read_bytes() == before
