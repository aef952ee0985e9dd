"""Independent jobs whose rows are kept in a file each: run in parallel, resumed after a kill."""

from __future__ import annotations

import ast
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

#: Packages whose version, and rooms whose code, decides what an analysis finds.
LIBRARIES = ("econml", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")
ROOMS = (
    "contracts",
    "trials",
    "nuisance",
    "learners",
    "effects",
    "metrics",
    "tuning",
    "policy",
    "checks",
    "analysis",
)
#: Log lines of a run without a terminal.
LOG_LINES = 20
#: Start of the name of a file that is being written.
UNFINISHED = ".part-"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Work whose rows are kept.

    Attributes
    ----------
    label : str
        What it is, for messages.
    path : Path
        Parquet file of its rows; the job is done if it exists.
    work : callable
        A module-level function that returns a DataFrame.
    arguments : mapping
        Its keyword arguments; both travel between processes.
    """

    label: str
    path: Path
    work: Callable[..., pd.DataFrame]
    arguments: Mapping[str, Any]


def run_jobs(*, jobs: Sequence[Job], n_workers: int, progress: bool, title: str) -> None:
    """Do whatever jobs have no file yet, in their order.

    Parameters
    ----------
    jobs : sequence of Job
    n_workers : int
        Processes; rows do not depend on it.
    progress : bool
        A bar on a terminal; elsewhere a log line now and then.
    title : str
        Name in the bar and the log.
    """
    pending = [job for job in jobs if not job.path.is_file()]
    if pending and progress:
        logger.info("%s: %d pieces, %d of them done", title, len(jobs), len(jobs) - len(pending))
    pool = Parallel(
        n_jobs=n_workers, max_nbytes=None, return_as="generator_unordered", batch_size=1
    )
    finished = pool(delayed(_finish)(job) for job in pending)
    for _ in _shown(finished, total=len(pending), is_wanted=progress, title=title):
        pass


def _finish(job: Job) -> str:
    try:
        table = job.work(**job.arguments)
    except Exception as error:
        error.add_note(f"In the benchmark's piece {job.label}.")
        raise
    save_rows(table=table, path=job.path)
    return job.label


def save_rows(*, table: pd.DataFrame, path: Path) -> None:
    """Write rows so that the file is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    table.to_parquet(unfinished, index=False)
    unfinished.replace(path)


def _shown(finished: Iterator[str], *, total: int, is_wanted: bool, title: str) -> Iterator[str]:
    if is_wanted and sys.stderr.isatty():
        with tqdm(total=total, desc=title, leave=False) as bar:
            for label in finished:
                bar.set_postfix_str(label, refresh=False)
                bar.update()
                yield label
        return
    started = time.perf_counter()
    every = max(1, total // LOG_LINES)
    for done, label in enumerate(finished, start=1):
        if is_wanted and (done % every == 0 or done == total):
            seconds = time.perf_counter() - started
            logger.info(
                "%s: %d of %d pieces in %.0f s, about %.0f s to go",
                title,
                done,
                total,
                seconds,
                seconds / done * (total - done),
            )
        yield label


@cache
def code_digest(*, rooms: tuple[str, ...], modules: tuple[str, ...]) -> str:
    """Digest of the code and libraries that decide some rows, 12 hexadecimal characters.

    Parameters
    ----------
    rooms : tuple of str
        Packages besides :data:`ROOMS`, whole.
    modules : tuple of str
        Modules of this package, by path without suffix.
    """
    root = Path(__file__).resolve().parents[1]
    files = [file for room in ROOMS + rooms for file in sorted((root / room).glob("*.py"))]
    files += [root / "benchmark" / f"{module}.py" for module in modules]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(statements(file.read_text(encoding="utf-8")).encode())
    digest.update("|".join(f"{name}=={version(name)}" for name in LIBRARIES).encode())
    return digest.hexdigest()[:12]


def statements(source: str) -> str:
    """Return what a module does, without comments, docstrings and layout.

    Examples
    --------
    >>> statements("x = 1  # one") == statements("x  =  1")
    True
    >>> statements("x = 1") == statements("x = 2")
    False
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                line
                for line in body
                if not (
                    isinstance(line, ast.Expr)
                    and isinstance(line.value, ast.Constant)
                    and isinstance(line.value.value, str)
                )
            ]
    return ast.dump(tree)
