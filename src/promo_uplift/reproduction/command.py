"""One command: read a run, make it again in a folder of its own, compare every figure."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pandas as pd
from kedro.config import OmegaConfigLoader
from mlflow.tracking import MlflowClient

from promo_uplift.contracts.errors import ReproductionError
from promo_uplift.provenance import git_sha, package_versions
from promo_uplift.reproduction.comparison import Comparison, compare_figures
from promo_uplift.reproduction.logged_run import SOURCES_FILE, LoggedRun, read_figures, read_run
from promo_uplift.reproduction.workspace import code_of_run, furnish
from promo_uplift.settings import CONFIG_LOADER_ARGS

Say = Callable[[str], None]
DATA_VERSION: Final = "data_version.txt"
POLL_SECONDS: Final = 0.5
SHOWN_DIFFERENCES: Final = 20
#: Would lead the run away from its own folder.
REDIRECTING: Final = ("MLFLOW_", "PROMO_UPLIFT_", "KEDRO_ENV", "PYTHONPATH")


def reproduce(
    *, run_id: str, project: Path, tracking_uri: str | None, current_code: bool, say: Say
) -> bool:
    """Make a tracked run again from its parameters, commit and data, and compare every figure.

    Nothing of the project's data folder or tracking store is written: the run has a folder and a
    store of its own, which are removed at the end.

    Parameters
    ----------
    run_id : str
        A run of ``kedro run``, of the pipeline ``uplift``.
    project : Path
        Root of the project; its repository holds the run's commit.
    tracking_uri : str or None
        Store that holds the run; None: that of the project's configuration.
    current_code : bool
        Whether to run the checkout as it is instead of the run's commit.
    say : callable
        Takes each paragraph of the report.

    Returns
    -------
    bool
        Whether every figure is the same to the last bit.

    Raises
    ------
    ReproductionError
        If the run is unknown, cannot be made again, or the data is another.
    """
    logged = read_run(tracking_uri=tracking_uri or configured_store(project), run_id=run_id)
    say(
        f"Run {run_id}: pipeline {logged.pipeline}, environment {logged.environment}, "
        f"data {logged.data_version}\ncode  {logged.git_sha}"
    )
    if current_code:
        say(f"With the code of this checkout ({git_sha(project)}), as --current-code asks.")
    say(packages_text(logged.packages, package_versions()))
    with TemporaryDirectory(prefix="promo_uplift_reproduce_", ignore_cleanup_errors=True) as space:
        folder = Path(space).resolve() / "promo_uplift"
        with code_of_run(
            logged=logged, project=project, folder=folder, current_code=current_code
        ) as root:
            furnish(logged=logged, project=project, root=root)
            run_in_folder(logged=logged, root=root)
            now = figures_of_only_run(f"sqlite:///{root}/mlflow.db")
    compared = compare_figures(then=logged.figures, now=now)
    say(comparison_text(compared))
    return compared.is_reproduced


def configured_store(project: Path) -> str:
    """Tracking store of the project's configuration, or of MLFLOW_TRACKING_URI."""
    loader = OmegaConfigLoader(conf_source=str(project / "conf"), **CONFIG_LOADER_ARGS)
    return str(loader["mlflow"]["server"]["mlflow_tracking_uri"])


def run_in_folder(*, logged: LoggedRun, root: Path) -> None:
    """Run the pipeline in its folder; stop it as soon as the data turn out to be others.

    Raises
    ------
    ReproductionError
        If the data version is another, or the run fails.
    """
    words = ["run", "--env", logged.environment, "--pipelines", logged.pipeline]
    source = str(root / "src")
    kept = {name: v for name, v in os.environ.items() if not name.startswith(REDIRECTING)}
    with (root / "printed.txt").open("w+", encoding="utf-8") as printed:
        running = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "promo_uplift", *words],
            cwd=root,
            env={
                **kept,
                "PYTHONPATH": os.pathsep.join((source, *_inherited_path())),
                "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db",
                "PROMO_UPLIFT_ARTIFACTS": f"file://{root}/mlartifacts",
            },
            stdout=printed,
        )
        try:
            while running.poll() is None:
                _refuse_other_data(logged=logged, root=root)
                time.sleep(POLL_SECONDS)
        finally:
            if running.poll() is None:
                running.terminate()
                running.wait()
    _refuse_other_data(logged=logged, root=root)
    if running.returncode != 0:
        raise ReproductionError(
            f"Run `{logged.run_id}` must run again to be compared; `{' '.join(words)}` ended with "
            f"exit code {running.returncode}. What it said stands above."
        )


def _inherited_path() -> tuple[str, ...]:
    given = os.environ.get("PYTHONPATH")
    return () if not given else (given,)


def _refuse_other_data(*, logged: LoggedRun, root: Path) -> None:
    (found, *_) = [*(root / "data").rglob(DATA_VERSION), None]
    version = "" if found is None else found.read_text(encoding="utf-8")
    if version in {"", logged.data_version}:
        return
    reports = sorted((root / "data").rglob(SOURCES_FILE))
    which = changed_tables(logged.sources, reports[0].read_text("utf-8") if reports else "")
    raise ReproductionError(
        f"The data must be that of run `{logged.run_id}`, {logged.data_version}; it is {version}. "
        f"Changed: {which}. Put the earlier files back: figures of other data are another run's."
    )


def changed_tables(then: str, now: str) -> str:
    """Name the tables whose bytes differ between two ``source_report.csv``."""
    if not then or not now:
        return "the table's file"
    old, new = (
        pd.read_csv(io.StringIO(text)).set_index("table")[["file", "sha256", "rows"]].astype(str)
        for text in (then, now)
    )
    both = old.index.intersection(new.index)
    differ = [
        f"{name} ({old.loc[name, 'rows']} rows then, {new.loc[name, 'rows']} now)"
        for name in both
        if old.loc[name, "sha256"] != new.loc[name, "sha256"]
    ]
    missing = [f"{name} (gone)" for name in old.index.difference(new.index)]
    added = [f"{name} (new)" for name in new.index.difference(old.index)]
    return ", ".join((*differ, *missing, *added)) or "how the tables are read, not their files"


def figures_of_only_run(tracking_uri: str) -> dict[str, dict[str, float]]:
    """Figures of the one run of the project in a store of its own."""
    client = MlflowClient(tracking_uri=tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, filter_string="tags.kedro_env != ''", max_results=2)
    return read_figures(client=client, run=runs[0])


def packages_text(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say which libraries have another version than when the run was made."""
    if not then:
        return "The run did not log the versions of its libraries."
    differ = [
        f"  {name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    if not differ:
        return f"All {len(then)} libraries have the version of then."
    head = f"{len(differ)} libraries have another version than then (figures may move with them):"
    return "\n".join((head, *differ))


def comparison_text(compared: Comparison) -> str:
    """Write the table of runs, the differences, and the last line."""
    differing: dict[str, int] = {}
    for one in compared.differences:
        differing[one.run] = differing.get(one.run, 0) + 1
    rows: dict[str, list[int]] = {}
    for run, equal in compared.equal.items():
        learner, _, is_trial = run.partition("/")
        row = rows.setdefault(f"{learner}, trials" if is_trial else learner, [0, 0])
        row[0] += equal
        row[1] += differing.get(run, 0)
    width = max(len(name) for name in rows)
    lines = [f"{'':{width}}   equal  different"]
    lines += [f"{name:{width}}  {equal:6}  {other:9}" for name, (equal, other) in rows.items()]
    lines.append(f"Left out, since no run repeats them: {', '.join(compared.left_out)}")
    if compared.is_reproduced:
        lines.append(f"REPRODUCED: {compared.n_figures} of {compared.n_figures} figures are equal.")
        return "\n".join(lines)
    lines += [
        f"  {one.run}, {one.metric}: {_shown(one.then)} then, {_shown(one.now)} now"
        for one in compared.differences[:SHOWN_DIFFERENCES]
    ]
    n_more = len(compared.differences) - SHOWN_DIFFERENCES
    if n_more > 0:
        lines.append(f"  and {n_more} more")
    n_equal = compared.n_figures - len(compared.differences)
    lines.append(f"NOT REPRODUCED: {n_equal} of {compared.n_figures} figures are equal.")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "absent" if value is None else repr(value)
