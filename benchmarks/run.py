"""Seconds and memory of whole runs, and of the choices that make them quick.

``python -m benchmarks.run`` measures, in one go and on this machine: the default run and the test
run in fresh copies of the project (no study to resume), with the peak memory of the whole process
tree; a causal forest on shared residuals against econml's CausalForestDML, which fits nuisances of
its own; LightGBM with one thread against two.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from econml.dml import CausalForestDML
from econml.grf import CausalForest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("conf", "src", "pyproject.toml", ".telemetry")
#: Shape of the default run: three trials of 2,300 households with 43 covariates.
HOUSEHOLDS, TRIALS, COVARIATES = 2_300, 3, 43
TREES = 120


def tree_memory_gb(process: psutil.Process) -> float:
    """Resident memory of a process and its children, GB; shared pages count more than once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e9


def measured_run(*, env: str | None) -> tuple[float, float]:
    """Seconds and peak GB of one ``kedro run`` in a fresh copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            else:
                shutil.copy(source, copy / name)
        command = [str(Path(sys.executable).parent / "kedro"), "run", "--pipelines", "uplift"]
        started = time.perf_counter()
        running = subprocess.Popen(
            command + (["--env", env] if env else []),
            cwd=copy,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(copy / "src")},
        )
        peak = [0.0]

        def watch() -> None:
            process = psutil.Process(running.pid)
            while running.poll() is None:
                try:
                    peak[0] = max(peak[0], tree_memory_gb(process))
                except psutil.NoSuchProcess:
                    return
                time.sleep(0.1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = running.wait()
        watcher.join()
        if code != 0:
            raise SystemExit(f"kedro run {env or ''} ended with {code}")
        return time.perf_counter() - started, peak[0]


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way, taken in turn so that a drifting machine hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            found[name].append(seconds_of(work))
    return found


def report(title: str, found: dict[str, list[float]]) -> None:
    """Print medians and the ratio of each to the first."""
    print(f"\n{title}")
    base = statistics.median(next(iter(found.values())))
    for name, values in found.items():
        median = statistics.median(values)
        print(
            f"  {name:46s} {median:7.2f} s  ({min(values):.2f} to {max(values):.2f})  "
            f"x {median / base:.2f}"
        )


def choices(repeats: int) -> None:
    """Compare the two choices with their alternatives on data of the default run's shape."""
    rng = np.random.default_rng(0)
    rows = HOUSEHOLDS * TRIALS
    groups = np.repeat(np.arange(HOUSEHOLDS), TRIALS)
    X = rng.normal(size=(rows, COVARIATES))
    T = rng.binomial(1, 1 / (1 + np.exp(-X[:, 0])))
    Y = 100 * np.exp(0.5 * X[:, 1]) + 5 * T + rng.normal(0, 80, rows)

    def trees(model: type, threads: int) -> object:
        return model(
            n_estimators=150, num_leaves=8, min_child_samples=100, n_jobs=threads, verbose=-1
        )

    folds = GroupKFold(5)
    fitted_t = cross_val_predict(
        trees(LGBMClassifier, 1), X, T, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]
    fitted_y = cross_val_predict(trees(LGBMRegressor, 1), X, Y, groups=groups, cv=folds)
    forest = {"n_estimators": TREES, "min_samples_leaf": 50, "max_samples": 0.35, "n_jobs": 1}
    report(
        "causal forest",
        interleaved(
            {
                "on shared residuals (ours)": lambda: CausalForest(
                    criterion="het", **forest, random_state=0
                ).fit(X, (T - fitted_t).reshape(-1, 1), Y - fitted_y),
                "CausalForestDML, nuisances of its own": lambda: CausalForestDML(
                    model_y=trees(LGBMRegressor, 1),
                    model_t=trees(LGBMClassifier, 1),
                    discrete_treatment=True,
                    cv=5,
                    **forest,
                    random_state=0,
                ).fit(Y, T, X=X, groups=groups),
            },
            repeats,
        ),
    )
    report(
        "LightGBM, one outcome model",
        interleaved(
            {
                "one thread (ours)": lambda: trees(LGBMRegressor, 1).fit(X, Y),
                "two threads": lambda: trees(LGBMRegressor, 2).fit(X, Y),
            },
            repeats * 4,
        ),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["runs", "choices"])
    options = parser.parse_args()
    if options.only != "choices":
        print("whole runs, in a fresh copy (limits: default 240 s and 4 GB, test 40 s)")
        for name, env in (("default", None), ("--env test", "test")):
            seconds, peak = measured_run(env=env)
            print(f"  kedro run {name:12s} {seconds:7.1f} s   peak {peak:.2f} GB")
    if options.only != "runs":
        choices(options.repeats)


if __name__ == "__main__":
    main()
