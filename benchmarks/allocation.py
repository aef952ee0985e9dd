"""Seconds and memory of a budgeted allocation, beside the linear program that it solves.

``python -m benchmarks.allocation`` allocates three arms among 1,000 to 30,000 households both ways,
and among 10,000 to 1,000,000 by ours alone. Each measurement has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from promo_uplift.policy import allocate

ARMS = 3
#: Budget of one household in the mean; what all would take is about five times as much.
BUDGET = 0.3
#: 1,000,000 households with three arms must take less.
MAX_SECONDS = 10.0
MAX_DIFFERENCE = 1e-6


def instance(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and costs of every arm for every household."""
    rng = np.random.default_rng(n)
    return rng.normal(0.3, 1.0, (n, ARMS)), rng.uniform(0.5, 2.0, (n, ARMS))


def linear_programme(rewards: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """Value of the relaxation by HiGHS, as anybody would write it down."""
    n, arms = rewards.shape
    row, column = np.repeat(np.arange(n), arms), np.arange(n * arms)
    matrix = coo_array(
        (
            np.r_[np.ones(n * arms), costs.ravel()],
            (np.r_[row, np.full(n * arms, n)], np.r_[column, column]),
        ),
        shape=(n + 1, n * arms),
    ).tocsr()
    found = linprog(
        -rewards.ravel(), A_ub=matrix, b_ub=np.r_[np.ones(n), budget], bounds=(0.0, 1.0)
    )
    assert found.status == 0, found.message
    return -float(found.fun)


def measure(n: int, way: str) -> dict[str, float]:
    """Seconds, MiB above the inputs, value per household and gap of one way at one size."""
    small = instance(100)
    allocate(rewards=small[0], costs=small[1], budget=1.0)  # compiles
    rewards, costs = instance(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if way == "ours":
        found = allocate(rewards=rewards, costs=costs, budget=BUDGET * n)
        value, gap = found.upper_bound, found.gap
    else:
        value, gap = linear_programme(rewards, costs, BUDGET * n), 0.0
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "mebibytes": (peak - before) / 1024,
        "value": value / n,
        "gap": gap / value,
    }


def apart(n: int, way: str) -> dict[str, float]:
    """:func:`measure` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.allocation", "--one", str(n), way],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print the tables; 0 if ours is fast enough and finds the program's value."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--both", type=int, nargs="*", default=[1_000, 10_000, 30_000])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", nargs=2, metavar=("HOUSEHOLDS", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(int(options.one[0]), options.one[1])))
        return 0
    print(f"{ARMS} arms, a budget of {BUDGET} per household")
    difference = 0.0
    for n in options.both:
        ours, theirs = apart(n, "ours"), apart(n, "linprog")
        difference = max(difference, abs(ours["value"] - theirs["value"]))
        print(
            f"{n:>9,} households   ours {ours['seconds']:8.4f} s   linprog "
            f"{theirs['seconds']:8.3f} s   ratio {theirs['seconds'] / ours['seconds']:8.0f}   "
            f"values differ by {abs(ours['value'] - theirs['value']):.1e} per household"
        )
    seconds = 0.0
    for n in options.sizes:
        ours = apart(n, "ours")
        seconds = ours["seconds"]
        print(
            f"{n:>9,} households   ours {seconds:8.4f} s   {ours['mebibytes']:7.0f} MiB above the "
            f"inputs   {ours['gap']:.1e} of the value below the bound at most"
        )
    return 0 if seconds < MAX_SECONDS and difference < MAX_DIFFERENCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
