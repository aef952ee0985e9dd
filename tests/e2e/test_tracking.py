"""Two runs compare by the same names, and a run is made again from what it logged, bit for bit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import yaml
from command_line import REPOSITORY, Finished, WarmKedro, files_of, newest_run, parent_runs
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from promo_uplift.provenance import flattened, package_versions

pytestmark = pytest.mark.e2e

REPRODUCED = re.compile(r"^REPRODUCED: (\d+) of (\d+) figures are equal\.$", re.MULTILINE)


@pytest.fixture(scope="module")
def pair(changed: Finished) -> tuple[Run, Run]:
    """The run with another margin, and the first one, in one store."""
    assert changed.code == 0, changed.err
    newer, older = parent_runs(changed.folder)
    return newer, older


@pytest.fixture(scope="module")
def client(changed: Finished) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{changed.folder}/mlflow.db")


def learners_of(client: MlflowClient, run: Run) -> dict[str, Run]:
    below = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    return {one.info.run_name: one for one in below}


def moved_paths(pair: tuple[Run, Run]) -> set[str]:
    """Parameters that name a place in the project: the second run lies in a copy of its folder."""
    older = pair[1].data
    return {name for name, value in older.params.items() if older.tags["project_path"] in value}


def test_a_run_of_the_project_is_below_no_other(pair: tuple[Run, Run]) -> None:
    assert ["mlflow.parentRunId" in run.data.tags for run in pair] == [False, False]


# --- two runs -------------------------------------------------------------------------------------


def test_two_runs_differ_in_the_changed_parameter_alone(pair: tuple[Run, Run]) -> None:
    newer, older = (run.data.params for run in pair)
    assert set(newer) == set(older)
    differ = {name for name in newer if newer[name] != older[name]}
    assert differ - moved_paths(pair) == {"policy.margin_rate"}
    assert (newer["policy.margin_rate"], older["policy.margin_rate"]) == ("0.3", "0.25")


def test_two_runs_have_the_same_metric_names_and_so_have_their_learners(
    pair: tuple[Run, Run], client: MlflowClient
) -> None:
    newer, older = pair
    assert set(newer.data.metrics) == set(older.data.metrics)
    assert len(newer.data.metrics) > 40
    new, old = (learners_of(client, run) for run in pair)
    assert set(new) == set(old)
    for name in new:
        assert set(new[name].data.metrics) == set(old[name].data.metrics), name


def test_every_figure_of_the_champion_has_the_same_name_in_each_learners_run(
    pair: tuple[Run, Run], client: MlflowClient
) -> None:
    run = pair[0]
    figures = {name.removesuffix("_ci_low") for name in run.data.metrics if "_ci_low" in name}
    # of the choice among learners, not of one
    figures -= {"winners_curse_usd", "value_of_modelling_response", "value_of_modelling_constant"}
    figures -= {"list_share", "list_profit_per_household"}
    for name, learner in learners_of(client, run).items():
        absent = figures - set(learner.data.metrics)
        assert absent <= {"calibration_slope"}, name  # undefined for a constant


def test_money_moves_what_depends_on_it_and_nothing_else(pair: tuple[Run, Run]) -> None:
    newer, older = (run.data.metrics for run in pair)
    same = ("ate", "qini", "auuc", "autoc", "propensity_auc", "overlap_share")
    assert {name: newer[name] for name in same} == {name: older[name] for name in same}
    assert newer["expected_profit_per_household"] != older["expected_profit_per_household"]


def test_the_table_of_the_how_to_page_works(
    changed: Finished, pair: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (REPOSITORY / "docs/how-to/compare-runs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    before = mlflow.get_tracking_uri()
    monkeypatch.chdir(changed.folder)
    names: dict[str, object] = {}
    try:
        exec(block, names)  # noqa: S102 - the page's own lines
    finally:
        mlflow.set_tracking_uri(before)
    differ = names["differ"]
    assert set(differ.index) - moved_paths(pair) == {"policy.margin_rate"}  # type: ignore[attr-defined]


# --- what makes a run again -----------------------------------------------------------------------


def test_a_run_logs_its_parameters_with_types_and_the_versions_of_its_libraries(
    changed: Finished, pair: tuple[Run, Run], client: MlflowClient, tmp_path: Path
) -> None:
    run = pair[0]
    path = client.download_artifacts(run.info.run_id, "parameters.yml", str(tmp_path))
    typed = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    assert typed["policy"]["margin_rate"] == 0.3
    assert typed["tuning"]["n_trials"] == 2
    leaves = {k: str(v) for name, one in typed.items() for k, v in flattened(name, one).items()}
    assert leaves == run.data.params
    packages = client.download_artifacts(run.info.run_id, "packages.json", str(tmp_path))
    assert yaml.safe_load(Path(packages).read_text(encoding="utf-8")) == package_versions()
    assert {"lightgbm", "numpy", "optuna", "python"} <= set(package_versions())


def test_the_run_is_reproduced_bit_for_bit(reproduced: Finished) -> None:
    assert reproduced.code == 0, reproduced.out + reproduced.err
    (found,) = REPRODUCED.findall(reproduced.out)
    assert found[0] == found[1]
    assert int(found[0]) > 400
    assert "Left out, since no run repeats them: nuisances_reused, seconds, " in reproduced.out
    assert re.search(r"^All \d+ libraries have the version of then\.$", reproduced.out, re.M)


def test_reproducing_touches_nothing_of_the_users(changed: Finished, reproduced: Finished) -> None:
    assert reproduced.code == 0, reproduced.err
    assert len(parent_runs(changed.folder)) == 2
    versions = MlflowClient(
        tracking_uri=f"sqlite:///{changed.folder}/mlflow.db"
    ).search_model_versions("name='promo_uplift'")
    assert len(versions) == 2
    listed = subprocess.run(
        ["git", "-C", str(changed.folder), "worktree", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert len(listed.splitlines()) == 1
    assert files_of(changed.folder, "01_raw") == {}


# --- and what is refused --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm(changed: Finished) -> Iterator[WarmKedro]:
    with WarmKedro(changed.folder) as server:
        yield server


def refused(done: Finished, *says: str) -> None:
    assert done.code == 1, done.out
    assert len(re.findall("^Error: ReproductionError: ", done.err, re.MULTILINE)) == 1
    assert "Traceback" not in done.err
    text = " ".join(done.err.split())
    for one in says:
        assert one in text


def test_an_unknown_run_is_refused(warm: WarmKedro, changed: Finished) -> None:
    done = warm.run(changed.folder, "reproduce", "0" * 32)
    refused(done, f"`{'0' * 32}` must be a run of the tracking store", "MLFLOW_TRACKING_URI")


def test_a_learners_run_is_refused(
    warm: WarmKedro, changed: Finished, pair: tuple[Run, Run], client: MlflowClient
) -> None:
    learner = learners_of(client, pair[0])["zero"].info.run_id
    done = warm.run(changed.folder, "reproduce", learner)
    refused(done, f"it is `zero` below run `{pair[0].info.run_id}`. Reproduce that one")


def test_a_run_of_code_that_is_no_commit_is_refused(
    warm: WarmKedro, changed: Finished, pair: tuple[Run, Run]
) -> None:
    done = warm.run(changed.folder, "reproduce", pair[1].info.run_id)
    refused(done, "its tag git_sha says `unknown: not a git checkout`", "Add --current-code")


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        ("git_sha", "f" * 40, "it is not. Fetch the branch that holds it"),
        ("git_sha", "f" * 40 + "+changes", "must be a commit"),
        ("pipeline_names", "['targeting_policy']", "it ran pipeline targeting_policy"),
        ("from_nodes", "['reach_verdict']", "it ran pipeline uplift with from_nodes"),
    ],
)
def test_a_run_that_says_so_is_refused(
    warm: WarmKedro,
    changed: Finished,
    reproduced: Finished,
    client: MlflowClient,
    tag: str,
    value: str,
    says: str,
) -> None:
    run = newest_run(changed.folder)
    before = run.data.tags.get(tag)
    client.set_tag(run.info.run_id, tag, value)
    try:
        refused(warm.run(changed.folder, "reproduce", run.info.run_id), says)
    finally:
        if before is None:
            client.delete_tag(run.info.run_id, tag)
        else:
            client.set_tag(run.info.run_id, tag, before)


def test_other_data_stop_the_run_at_once(
    warm: WarmKedro, changed: Finished, reproduced: Finished, client: MlflowClient
) -> None:
    run = newest_run(changed.folder)
    version = run.data.tags["data_version"]
    client.set_tag(run.info.run_id, "data_version", "package-000000000000")
    try:
        done = warm.run(changed.folder, "reproduce", run.info.run_id)
    finally:
        client.set_tag(run.info.run_id, "data_version", version)
    refused(done, f"package-000000000000; it is {version}", "Put the earlier files back")
    assert "cross_fit_learners" not in done.err
