"""What the tracking store knows of a run: enough to make it again, or why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from promo_uplift.contracts.errors import ReproductionError
from promo_uplift.provenance import (
    CHANGES,
    PACKAGES_FILE,
    PARAMETERS_FILE,
    UNKNOWN,
    flattened,
)

#: Pipelines that begin at the data's door and so depend on nothing that an earlier run left.
WHOLE: Final = ("uplift", "__default__")
#: Options of ``kedro run`` that leave a part of the pipeline out.
SLICES: Final = (
    "tags",
    "node_names",
    "from_nodes",
    "to_nodes",
    "from_inputs",
    "to_outputs",
    "namespaces",
    "load_versions",
    "only_missing_outputs",
)
SOURCES_FILE: Final = "source_report.csv"
#: Runs that a store returns at once, more than any run has below it.
MAX_RESULTS: Final = 50_000


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run of the project as it was logged.

    Attributes
    ----------
    run_id, environment, pipeline, git_sha, data_version, project_path : str
        Tags. ``git_sha`` may be no commit: see :attr:`is_committed`.
    parameters : dict
        Complete and typed.
    packages : dict of str to str
        Versions of the libraries that decide figures; empty for runs that did not log them.
    sources : str
        ``source_report.csv`` of the run; empty where it has none.
    figures : dict
        ``{run name: {metric: value}}`` of the run itself (name ``run``), its learners and trials.
    """

    run_id: str
    environment: str
    pipeline: str
    git_sha: str
    data_version: str
    project_path: str
    parameters: dict[str, Any]
    packages: dict[str, str]
    sources: str
    figures: dict[str, dict[str, float]]

    @property
    def is_committed(self) -> bool:
        """Whether the commit is all of the code that ran."""
        return not self.git_sha.startswith(UNKNOWN) and not self.git_sha.endswith(CHANGES)


def read_run(*, tracking_uri: str, run_id: str) -> LoggedRun:
    """Read a run of the project from the tracking store.

    Raises
    ------
    ReproductionError
        If the store does not know the run, or the run cannot be made again: it is a learner's or
        a trial's, made from Python, not finished, a part of a pipeline, or its parameters were
        not logged or contradict each other.
    """
    client = MlflowClient(tracking_uri=tracking_uri)
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise ReproductionError(
            f"`{run_id}` must be a run of the tracking store {tracking_uri}, which does not know "
            "it. The id is in the last line that `kedro run` prints; another store is named by "
            "MLFLOW_TRACKING_URI."
        ) from error
    tags = run.data.tags
    _refuse_what_is_no_whole_run(run)
    files = _artifacts(client, run_id, (PARAMETERS_FILE, PACKAGES_FILE, SOURCES_FILE))
    if PARAMETERS_FILE not in files:
        raise ReproductionError(
            f"Run `{run_id}` must have the artifact {PARAMETERS_FILE}; it has none, since an "
            "earlier version of the project made it. Check out its commit "
            f"({tags.get('git_sha', 'unknown')}) and run it by hand with the parameters that it "
            "logged."
        )
    parameters: dict[str, Any] = yaml.safe_load(files[PARAMETERS_FILE])
    _refuse_parameters_that_contradict(run_id, parameters, run.data.params)
    return LoggedRun(
        run_id=run_id,
        environment=tags["kedro_env"],
        pipeline=_pipelines(tags)[0],
        git_sha=tags["git_sha"],
        data_version=tags["data_version"],
        project_path=tags.get("project_path", ""),
        parameters=parameters,
        packages=json.loads(files.get(PACKAGES_FILE, "{}")),
        sources=files.get(SOURCES_FILE, ""),
        figures=read_figures(client=client, run=run),
    )


def read_figures(*, client: MlflowClient, run: Run) -> dict[str, dict[str, float]]:
    """Metrics of a run, of its learners and of their trials, by the names of the nested runs."""
    figures = {"run": dict(run.data.metrics)}
    for learner in _below(client, run):
        figures[learner.info.run_name] = dict(learner.data.metrics)
        for trial in _below(client, learner):
            figures[f"{learner.info.run_name}/{trial.info.run_name}"] = dict(trial.data.metrics)
    return figures


def _below(client: MlflowClient, run: Run) -> list[Run]:
    found: list[Run] = client.search_runs(
        [run.info.experiment_id],
        filter_string=f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'",
        max_results=MAX_RESULTS,
    )
    return found


def _pipelines(tags: Mapping[str, str]) -> list[str]:
    """Names in a tag that kedro-mlflow wrote as the text of a Python list."""
    names: Any = yaml.safe_load(tags.get("pipeline_names") or tags.get("pipeline_name") or "[]")
    return ([names] if isinstance(names, str) else list(names)) or ["__default__"]


def _refuse_what_is_no_whole_run(run: Run) -> None:
    tags, run_id = run.data.tags, run.info.run_id
    if MLFLOW_PARENT_RUN_ID in tags:
        raise ReproductionError(
            f"`{run_id}` must be a run of the project; it is `{run.info.run_name}` below run "
            f"`{tags[MLFLOW_PARENT_RUN_ID]}`. Reproduce that one: it holds all learners and trials."
        )
    if "kedro_env" not in tags:
        raise ReproductionError(
            f"`{run_id}` must be a run of `kedro run`; it has no tag `kedro_env`, so that it was "
            "logged by `promo_uplift.analyse` or by something else. Call `analyse` again with the "
            "same table, arguments and seed: it gives the same figures."
        )
    if run.info.status != "FINISHED":
        raise ReproductionError(
            f"`{run_id}` must have finished; its status is {run.info.status}. It left no complete "
            "figures: run it anew."
        )
    names = _pipelines(tags)
    sliced = [name for name in SLICES if tags.get(name, "[]") not in {"[]", "{}", "False", "None"}]
    if len(names) != 1 or names[0] not in WHOLE or sliced:
        found = f"pipeline {', '.join(names)}" + (f" with {', '.join(sliced)}" if sliced else "")
        raise ReproductionError(
            f"`{run_id}` must be a run of the whole way, from the data to the list (pipeline "
            f"{' or '.join(WHOLE)}); it ran {found}, on what other runs had left. Reproduce a run "
            "of the whole."
        )
    absent = [name for name in ("git_sha", "data_version") if name not in tags]
    if absent:
        raise ReproductionError(
            f"`{run_id}` must have the tags git_sha and data_version; missing: "
            f"{', '.join(absent)}. Without them nobody knows what it ran on: run it anew."
        )


def _refuse_parameters_that_contradict(
    run_id: str, parameters: Mapping[str, Any], logged: Mapping[str, str]
) -> None:
    leaves = {
        key: str(leaf)
        for name, value in parameters.items()
        for key, leaf in flattened(name, value).items()
    }
    wrong = sorted(key for key, text in leaves.items() if logged.get(key) != text)
    if wrong:
        first = wrong[0]
        raise ReproductionError(
            f"The parameters of run `{run_id}` must be the same in {PARAMETERS_FILE} and in its "
            f"list of parameters; {len(wrong)} differ, first `{first}`: {leaves[first]} and "
            f"{logged.get(first, 'nothing')}. Someone changed the record: it proves nothing."
        )


def _artifacts(client: MlflowClient, run_id: str, names: tuple[str, ...]) -> dict[str, str]:
    there = {one.path for one in client.list_artifacts(run_id)}
    with TemporaryDirectory() as folder:
        return {
            name: Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")
            for name in names
            if name in there
        }
