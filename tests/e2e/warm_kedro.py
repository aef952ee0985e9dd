# ruff: noqa: PLC0415 - what is imported, and when, is the point of this file
"""Runs `kedro` commands in forks of a process that has imported everything already.

Each command is a process of its own with Kedro's own entry point; only the imports, four of a
command's five seconds, are shared. One JSON line in, one out: ``{"folder", "words"}`` and
``{"code", "out", "err"}``.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

IMPORTED_BY_A_RUN = (
    "kedro.runner",
    "kedro_datasets.ibis.file_dataset",
    "kedro_datasets.json.json_dataset",
    "kedro_datasets.matplotlib.matplotlib_dataset",
    "kedro_datasets.pandas.csv_dataset",
    "kedro_datasets.pandas.parquet_dataset",
    "kedro_datasets.pickle.pickle_dataset",
    "kedro_datasets.text.text_dataset",
    "kedro_mlflow.framework.cli.cli",
    "kedro_mlflow.framework.hooks.mlflow_hook",
    "kedro_mlflow.io.artifacts",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandera.ibis",
    "promo_uplift.cli",
    "promo_uplift.datasets",
)


def main() -> None:
    """Import the project from the working folder, then serve standard input."""
    from kedro.framework.cli.cli import _init_plugins
    from kedro.framework.project import pipelines
    from kedro.framework.startup import bootstrap_project

    _init_plugins()
    bootstrap_project(Path.cwd())
    len(pipelines)
    for name in IMPORTED_BY_A_RUN:
        importlib.import_module(name)

    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = run_in_fork(asked["folder"], asked["words"], out.fileno(), err.fileno())
            out.seek(0)
            err.seek(0)
            answer = {"code": code, "out": out.read(), "err": err.read()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def run_in_fork(folder: str, words: list[str], out: int, err: int) -> int:
    """Run one command in a child and return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(folder)
        sys.argv = ["kedro", *words]
        code = run_command()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_command() -> int:
    """Call Kedro's entry point as its script does."""
    from kedro.framework.cli.cli import main as kedro

    try:
        kedro()
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    return code


if __name__ == "__main__":
    main()
