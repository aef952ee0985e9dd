"""Independent pieces of work on several processes, in order, with an optional progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Result = TypeVar("Result")


def run_in_order(
    *,
    work: Callable[..., Result],
    arguments: Iterable[dict[str, Any]],
    n_workers: int,
    progress: str | None = None,
) -> list[Result]:
    """Call ``work(**one)`` for each of ``arguments`` and return the results in their order.

    Parameters
    ----------
    work : callable
        A module-level function; its arguments and result travel between processes.
    arguments : iterable of dict
        Keyword arguments of each call.
    n_workers : int
        Processes; 1 stays in this one. Results do not depend on it.
    progress : str, optional
        Label of a progress bar on stderr; None shows none.
    """
    calls = list(arguments)
    # Arrays are copied, not memory-mapped: workers leave no files behind when they are killed.
    pool = Parallel(n_jobs=n_workers, max_nbytes=None, return_as="generator")
    results = pool(delayed(work)(**one) for one in calls)
    bar = tqdm(results, total=len(calls), desc=progress, disable=progress is None, leave=False)
    return list(bar)
