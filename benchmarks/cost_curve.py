"""Seconds of a multi-arm cost curve: the path, and its household bootstrap.

``python benchmarks/cost_curve.py`` times 10,000 to 1,000,000 households with three arms.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from promo_uplift.metrics import cost_curve, cost_path, household_draws

ARMS = 3
BUDGETS = 50
#: The path of 1,000,000 households with three arms must take less.
MAX_SECONDS = 10.0


def measure(n: int, replicates: int) -> tuple[float, float]:
    """Seconds of the path alone, and of the curve with its replicates."""
    rng = np.random.default_rng(n)
    rewards = rng.normal(0.3, 1.0, (n, ARMS))
    costs = rng.uniform(0.5, 2.0, (n, ARMS))
    scores = rng.normal(rewards, 3.0)
    groups = np.arange(n)
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    start = time.perf_counter()
    path = cost_path(rewards=rewards, costs=costs)
    middle = time.perf_counter()
    cost_curve(
        rewards=rewards,
        costs=costs,
        scores=scores,
        budgets=np.linspace(0.0, float(path.spend[-1]), BUDGETS),
        groups=groups,
        draws=draws,
    )
    return middle - start, time.perf_counter() - middle


def main() -> int:
    """Print the table; 0 if the path of the largest size is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--replicates", type=int, default=200)
    options = parser.parse_args()
    measure(1000, 2)  # compiles
    print(f"{ARMS} arms, {options.replicates} replicates, {BUDGETS} budgets")
    path = 0.0
    for n in options.sizes:
        path, curve = measure(n, options.replicates)
        print(f"{n:>9,} households   path {path:6.2f} s   curve with interval {curve:6.2f} s")
    return 0 if path < MAX_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
