"""Same commit, data and configuration give the same figures, resumed or from nothing."""

from __future__ import annotations

from pathlib import Path

import optuna
import pandas as pd
import pytest
from command_line import CutOff, Finished
from mlflow.tracking import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

pytestmark = pytest.mark.e2e

TABLES = (
    "05_model_input/trials.parquet",
    "07_model_output/cate_scores.parquet",
    "08_reporting/leaderboard.csv",
    "08_reporting/metric_versions.csv",
    "08_reporting/tuning.csv",
    "08_reporting/policy_curve.csv",
    "08_reporting/policy_value.csv",
    "08_reporting/checks.csv",
    "08_reporting/blp.csv",
    "08_reporting/gates.csv",
    "08_reporting/clan.csv",
    "08_reporting/cate_drivers.csv",
    "08_reporting/cate_rules.csv",
    "08_reporting/targeting_list.csv",
)


def table(run: Finished, path: str) -> pd.DataFrame:
    """Return a table of a run, without the columns that may differ."""
    file = run.folder / "data" / path
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    return frame.loc[:, [name for name in frame if not name.startswith("seconds")]]


def n_optuna_trials(run: Finished) -> int:
    journal = JournalFileBackend(str(run.folder / "data/06_models/optuna_journal.log"))
    studies = optuna.get_all_study_summaries(JournalStorage(journal))
    return sum(study.n_trials for study in studies)


@pytest.mark.parametrize("path", TABLES)
def test_a_second_run_gives_the_same_table(finished: Finished, again: Finished, path: str) -> None:
    assert finished.code == again.code == 0, again.err
    pd.testing.assert_frame_equal(table(again, path), table(finished, path), check_exact=True)


@pytest.mark.parametrize("path", TABLES)
def test_a_run_without_its_studies_gives_the_same_table(
    finished: Finished, finished_cut_off: tuple[Finished, CutOff], path: str
) -> None:
    fresh, _ = finished_cut_off
    assert finished.code == fresh.code == 0, fresh.err
    pd.testing.assert_frame_equal(table(fresh, path), table(finished, path), check_exact=True)


def test_the_comparison_itself_can_fail(finished: Finished) -> None:
    frame = table(finished, "08_reporting/leaderboard.csv")
    moved = frame.assign(qini=frame["qini"] + 1e-12)
    with pytest.raises(AssertionError, match="qini"):
        pd.testing.assert_frame_equal(moved, frame, check_exact=True)


def test_the_second_run_resumes_its_studies(finished: Finished, again: Finished) -> None:
    assert n_optuna_trials(again) == n_optuna_trials(finished) > 0


def test_the_verdict_is_the_same_but_for_the_run_id(finished: Finished, again: Finished) -> None:
    text = Path("data/08_reporting/verdict.txt")
    assert (again.folder / text).read_text() == (finished.folder / text).read_text()


def test_every_run_is_kept_and_the_challenger_is_the_newest(again: Finished) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{again.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("promo_uplift")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FINISHED", "FINISHED"]
    newest = max(parents, key=lambda run: run.info.start_time)
    challenger = client.get_model_version_by_alias("promo_uplift", "challenger")
    assert (challenger.version, challenger.run_id) in {
        (2, newest.info.run_id),
        ("2", newest.info.run_id),
    }
    kept = list((again.folder / "data/06_models/scoring_model.pkl").iterdir())
    assert len(kept) == 2
