"""`kedro run --pipelines prospective` on a finished run: tables, figure, store, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import Finished, WarmKedro, files_of, newest_run
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.e2e

REPORTS = "data/08_reporting"
FILES = {
    "prospective_value.csv",
    "prospective_calibration.csv",
    "prospective_coverage.csv",
    "prospective_verdict.json",
    "prospective.txt",
    "prospective_calibration.png",
}


@pytest.fixture(scope="module")
def project(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert finished.code == 0, finished.err
    folder = tmp_path_factory.mktemp("prospective") / "promo_uplift"
    shutil.copytree(finished.folder, folder)
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmKedro]:
    with WarmKedro(project) as kedro:
        yield kedro


def prospective(warm: WarmKedro, project: Path, *params: str) -> Finished:
    words = ("run", "--env", "test", "--pipelines", "prospective")
    return warm.run(project, *words, *(("--params", ",".join(params)) if params else ()))


@pytest.fixture(scope="module")
def judged(warm: WarmKedro, project: Path) -> Finished:
    """By one of the candidates, which takes a third of the time."""
    return prospective(warm, project, "prospective.learners=[t_learner]")


def test_each_campaign_with_a_past_is_judged_by_it(judged: Finished, project: Path) -> None:
    assert judged.code == 0, judged.err
    coverage = pd.read_csv(project / REPORTS / "prospective_coverage.csv", dtype=str)
    trains = coverage.fillna("").set_index("campaign")["training_campaigns"].to_dict()
    assert trains == {"8": "", "13": "8", "18": "8 13"}
    used = coverage["used"].eq("True")
    until, first = (pd.to_datetime(coverage.loc[used, c]) for c in ("trained_until", "time_zero"))
    assert (until < first).all()
    assert judged.out.startswith("NEXT CAMPAIGNS")
    assert "campaign 8 (2017-05-08) is not judged" in judged.out


def test_tables_verdict_and_store_have_the_same_figures(judged: Finished, project: Path) -> None:
    assert judged.code == 0, judged.err
    values = pd.read_csv(project / REPORTS / "prospective_value.csv", dtype={"campaign": str})
    chosen = values.set_index(["campaign", "policy"]).loc[("pooled", "chosen")]
    calibration = pd.read_csv(project / REPORTS / "prospective_calibration.csv")
    calibration = calibration.set_index("campaign")
    assert list(calibration.index) == ["13", "18", "pooled", "trend_per_campaign"]
    gap = calibration["found_usd"] - calibration["predicted_usd"]
    pd.testing.assert_series_equal(calibration["gap_usd"], gap, check_names=False)
    assert (project / REPORTS / "prospective_calibration.png").stat().st_size > 10_000
    verdict = json.loads((project / REPORTS / "prospective_verdict.json").read_text())
    run = newest_run(project)
    assert f"MLflow run {run.info.run_id}" in judged.out
    assert run.data.tags["prospective_verdict"] == verdict["verdict"]
    assert run.data.tags["prospective_judged"] == "13 18"
    metrics = run.data.metrics
    assert metrics["prospective_profit_per_household"] == pytest.approx(
        chosen["profit_usd_per_household"]
    )
    assert metrics["prospective_gap_change_usd"] == pytest.approx(
        calibration.loc["pooled", "gap_change_usd"]
    )
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
    assert {one.path for one in client.list_artifacts(run.info.run_id)} >= FILES


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (("prospective.campaigns=[99]",), "`prospective.campaigns` must be trials of the run"),
        (("prospective.min_rows=0",), "min_rows"),
    ],
)
def test_a_bad_request_is_one_message_and_leaves_the_tables_as_they_were(
    warm: WarmKedro, project: Path, judged: Finished, params: tuple[str, ...], said: str
) -> None:
    assert judged.code == 0, judged.err
    before = files_of(project, "08_reporting")
    done = prospective(warm, project, *params)
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert files_of(project, "08_reporting") == before
