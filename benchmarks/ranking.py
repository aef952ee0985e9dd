"""Seconds, memory and coverage of the intervals of Qini and AUUC, against the alternatives.

``python -m benchmarks.ranking`` measures, on one machine in one run and in turns: Qini and AUUC of
one ranking with a 95 % interval from 200 draws, clustered by household, on 100,000 and 1,000,000
rows with a binary outcome. The contestants: ours (bootstrap, and analytic), causalml's own
``return_ci`` (Qini only, rows in place of households), a loop over scikit-uplift (Qini only), both
with ``--loops`` draws whose time is scaled to 200, and as the limit a plain compiled pass over
sorted rows with Poisson weights, on one and on two threads. ``--size`` measures
peak memory in a process of its own against the covariate matrix (30 columns of float64), and time
against ``n log n`` from 10,000 rows. ``--coverage`` simulates how often both intervals hold a known
truth, and how often all simultaneous intervals of many learners do.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numba import njit, prange
from scipy.stats import norm

from benchmarks.ranking_worlds import WORLDS
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.metrics import (
    calibration_slope,
    fold_rows,
    household_draws,
    percentile_interval,
    ranking_metrics,
)
from promo_uplift.metrics.bootstrap import household_codes
from promo_uplift.metrics.fold_dependence import QINI_FACTOR
from promo_uplift.metrics.gain import areas, rank_rows
from promo_uplift.metrics.influence import (
    area_influence,
    clustered_se,
    ranking_influence,
    slope_influence,
)
from promo_uplift.metrics.ranking import ranking_replicates

DRAWS, LEVEL, COVARIATES = 200, 0.95, 30
Z = float(norm.ppf(0.5 + LEVEL / 2.0))
SHARES = (0.1, 0.2, 0.3)
SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000)


class Table:
    """Rows of a randomised trial with a binary outcome, three to a household, and a ranking."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        self.groups = np.arange(n) // 3
        self.ranking = rng.normal(size=n)
        self.treatment = rng.integers(0, 2, n)
        chance = 0.3 + 0.05 * self.treatment * (1.0 + np.tanh(self.ranking))
        self.outcome = (rng.uniform(size=n) < chance).astype(np.float64)
        self.scores = self.outcome * (4.0 * self.treatment - 2.0)
        self.frame = pd.DataFrame({"model": self.ranking, "w": self.treatment, "y": self.outcome})


def ours_bootstrap(table: Table) -> None:
    """Qini and AUUC with percentile intervals."""
    draws = household_draws(groups=table.groups, replicates=DRAWS, rng=np.random.default_rng(0))
    (part,) = fold_rows(fold=np.zeros(len(table.groups), dtype=np.int64), draws=draws)
    ranked = rank_rows(ranking=table.ranking, weights=part.weights)
    for values in areas(ranked=ranked, scores=table.scores):
        percentile_interval(values=values, level=LEVEL)


def ours_analytic(table: Table) -> None:
    """Qini and AUUC with intervals from their influence functions."""
    code, n_households = household_codes(table.groups)
    for one in area_influence(scores=table.scores, ranking=table.ranking).values():
        sums = one.by_household(code=code, n_households=n_households)
        clustered_se(sums=sums, n_rows=len(code))


def causalml_seconds(table: Table, loops: int) -> float:
    """Seconds of Qini with causalml's half-sample interval: the point, and 200 times a draw."""
    from causalml.metrics import qini_score  # noqa: PLC0415 - no wheel for Python 3.13

    columns = {"outcome_col": "y", "treatment_col": "w", "normalize": False}
    point = seconds_of(lambda: qini_score(table.frame, **columns))
    drawn = seconds_of(
        lambda: qini_score(
            table.frame, **columns, return_ci=True, n_bootstrap=loops, random_state=0
        )
    )
    return point + max(drawn - point, 0.0) * DRAWS / loops


def sklift_loop(table: Table, loops: int) -> None:
    """Qini of scikit-uplift on so many resamples of the rows."""
    from sklift.metrics import qini_auc_score  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng(0)
    n = len(table.groups)
    for _ in range(loops):
        rows = rng.integers(0, n, n)
        qini_auc_score(table.outcome[rows], table.ranking[rows], table.treatment[rows])


def _single_pass(order, code, n_households, scores, draws):  # type: ignore[no-untyped-def]
    """Qini and AUUC under Poisson weights of households, a replicate at a time."""
    found = np.empty((2, draws))
    for draw in prange(draws):
        np.random.seed(draw)  # noqa: NPY002 - numba's own generator
        weight = np.empty(n_households)
        for household in range(n_households):
            weight[household] = np.random.poisson(1.0)  # noqa: NPY002
        total = 0.0
        area, gain = 0.0, 0.0
        for row in order:
            w = weight[code[row]]
            area += w * gain + 0.5 * w * w * scores[row]
            gain += w * scores[row]
            total += w
        found[0, draw] = area / total**2
        found[1, draw] = area / total**2 - 0.5 * gain / total
    return found


single_pass_1 = njit(_single_pass)
single_pass_2 = njit(parallel=True)(_single_pass)


def limit(table: Table, compiled: Callable[..., np.ndarray]) -> None:
    """Sort once, then the compiled pass."""
    code, n_households = household_codes(table.groups)
    order = np.argsort(-table.ranking)
    found = compiled(order, code, n_households, table.scores, DRAWS)
    np.quantile(found, [0.025, 0.975], axis=1)


def seconds_of(work: Callable[[], None]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def contest(n: int, repeats: int, loops: int) -> None:
    """Print seconds of all contestants, taken in turns, and what ours is ahead by."""
    table = Table(n)
    ways: dict[str, Callable[[], float]] = {
        "ours, bootstrap": lambda: seconds_of(lambda: ours_bootstrap(table)),
        "ours, analytic": lambda: seconds_of(lambda: ours_analytic(table)),
        "compiled single pass, 1 thread": lambda: seconds_of(lambda: limit(table, single_pass_1)),
        "compiled single pass, 2 threads": lambda: seconds_of(lambda: limit(table, single_pass_2)),
        "causalml, return_ci": lambda: causalml_seconds(table, loops),
        "scikit-uplift, in a loop": lambda: (
            seconds_of(lambda: sklift_loop(table, loops)) * DRAWS / loops
        ),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, measured in ways.items():
            found[name].append(measured())
    print(
        f"\n{n:,} rows, {DRAWS} draws, {repeats} repeats in turns "
        f"(causalml and scikit-uplift: {loops} draws, scaled to {DRAWS})"
    )
    print(f"  {'':34s} median s  (min to max)          x ours, bootstrap   x ours, analytic")
    for name, values in found.items():
        ratios = [
            statistics.median(
                theirs / mine for theirs, mine in zip(values, found[ours], strict=True)
            )
            for ours in ("ours, bootstrap", "ours, analytic")
        ]
        print(
            f"  {name:34s} {statistics.median(values):8.3f}  ({min(values):.3f} to "
            f"{max(values):.3f})   {ratios[0]:12.2f}   {ratios[1]:18.1f}",
            flush=True,
        )


def growth(repeats: int) -> None:
    """Print best seconds by size, ours and the limit's, and their growth against n log n."""
    tables = {n: Table(n) for n in SIZES}
    print("\ntime by rows, best of repeats in turns")
    ways = (
        ("ours, bootstrap", ours_bootstrap),
        ("ours, analytic", ours_analytic),
        ("compiled single pass, 1 thread", lambda table: limit(table, single_pass_1)),
    )
    for name, work in ways:
        taken: dict[int, list[float]] = {n: [] for n in SIZES}
        for _ in range(repeats):
            for n, table in tables.items():
                work(table)  # else a small table would pay for what the large one left behind
                taken[n].append(seconds_of(lambda table=table, work=work: work(table)))
        best = {n: min(values) for n, values in taken.items()}
        print(f"  {name}")
        for n in SIZES:
            grown = best[SIZES[-1]] / best[n]
            expected = SIZES[-1] * math.log(SIZES[-1]) / (n * math.log(n))
            print(
                f"    {n:9,} rows {best[n]:.4f} s, {1e6 * best[n] / n:.3f} microseconds a row; "
                f"from here to the last x {grown:.1f} (n log n: x {expected:.1f})",
                flush=True,
            )


def peak(kind: str, n: int) -> None:
    """Print the peak memory of one interval above the covariate matrix, in this process."""
    table = Table(n)
    matrix = np.random.default_rng(0).normal(size=(n, COVARIATES))
    work = {"bootstrap": ours_bootstrap, "analytic": ours_analytic}[kind]
    work(Table(1_000))  # compiled before the count begins
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    work(table)
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(
        f"  {kind:10s} {above / 1e6:6.0f} MB above data and matrix: "
        f"{above / matrix.nbytes:.2f} times the matrix ({matrix.nbytes / 1e6:.0f} MB)"
    )


def memory(n: int) -> None:
    """Print peaks, each of a process of its own."""
    print(f"\npeak memory at {n:,} rows", flush=True)
    for kind in ("bootstrap", "analytic"):
        subprocess.run(
            [sys.executable, "-m", "benchmarks.ranking", "--peak", kind, "--rows", str(n)],
            check=True,
            env=dict(os.environ),
        )


def coverage(simulations: int, households: int) -> None:
    """Print how often 95 % intervals hold the truth, with the Monte-Carlo error."""
    error = math.sqrt(LEVEL * (1.0 - LEVEL) / simulations)
    print(
        f"coverage of 95 % intervals, {households:,} households of 1, 3 or 5 rows in 5 folds, "
        f"{simulations:,} simulations (Monte-Carlo error {100 * error:.1f} points)"
    )
    for name, world in WORLDS.items():
        truth = world.truth(SHARES)
        hits = {kind: dict.fromkeys(truth, 0) for kind in ("analytic", "bootstrap")}
        for seed in range(simulations):
            rng = np.random.default_rng([seed, households])
            scores, ranking, groups = world.draw(rng, households)
            fold = groups % 5
            found = ranking_influence(
                scores=scores, ranking=ranking, fold=fold, uplift_shares=SHARES
            )
            found["calibration_slope"] = slope_influence(scores=scores, cate=ranking, fold=fold)
            draws = household_draws(groups=groups, replicates=DRAWS, rng=rng)
            folds = fold_rows(fold=fold, draws=draws)
            values = ranking_replicates(
                scores=scores, ranking=ranking, folds=folds, uplift_shares=SHARES
            )
            values["calibration_slope"] = calibration_slope(
                scores=scores, cate=ranking, folds=folds
            )
            for figure, true in truth.items():
                one = found[figure]
                sums = one.by_household(code=draws.code, n_households=households)
                half = Z * clustered_se(sums=sums, n_rows=len(scores))
                hits["analytic"][figure] += abs(one.estimate - true) <= half
                interval = percentile_interval(values=values[figure], level=LEVEL)
                hits["bootstrap"][figure] += interval.ci_low <= true <= interval.ci_high
        for kind, counts in hits.items():
            shown = "  ".join(
                f"{figure} {100 * count / simulations:.1f}" for figure, count in counts.items()
            )
            print(f"  {name:13s} {kind:10s} {shown}", flush=True)


def family(simulations: int, learners: int, households: int) -> None:
    """Print how often all intervals of learners that rank by nothing hold 0 at once."""
    print(
        f"all differences of {learners} learners to 3 baselines at once, {households:,} "
        f"households of 2 rows, {simulations:,} simulations"
    )
    for kind in ("analytic", "bootstrap"):
        parameters = MetricParameters(
            uplift_shares=[0.2], level=LEVEL, bootstrap_replicates=500, interval=kind
        )
        at_once, alone = 0, 0
        for seed in range(simulations):
            rng = np.random.default_rng([seed, households])
            groups = np.repeat(np.arange(households), 2)
            n = len(groups)
            shared = rng.normal(size=n)
            rankings = {
                f"noise_{k}": rng.normal(size=n) + (4.0 * shared if k % 2 else 0.0)
                for k in range(learners - 1)
            }
            rankings |= {"response": shared, "random": shared, "constant": np.ones(n)}
            found = ranking_metrics(
                scores=1.0 + rng.normal(0, 5, n) + rng.normal(0, 5, households)[groups],
                rankings=rankings,
                fold=np.zeros(n, dtype=np.int64),
                groups=groups,
                parameters=parameters,
                rng=rng,
            )
            # these predictions learned nothing from other folds: the widening is taken off
            wide, narrow = (
                all(
                    abs(one.estimate) <= (one.ci_high - one.ci_low) / 2.0 / QINI_FACTOR
                    for figures in by_learner.values()
                    for name, one in figures.items()
                    if "_minus_" in name
                )
                for by_learner in (found.simultaneous, found.figures)
            )
            at_once += wide
            alone += narrow
        print(
            f"  {kind:10s} simultaneous {100 * at_once / simulations:.1f} %   "
            f"each alone {100 * alone / simulations:.1f} %",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loops", type=int, default=5, help="draws of causalml and scikit-uplift")
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--peak", choices=["bootstrap", "analytic"], help=argparse.SUPPRESS)
    parser.add_argument("--size", action="store_true", help="memory, and time by rows")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--simulations", type=int, default=1_000)
    parser.add_argument("--households", type=int, default=1_000)
    options = parser.parse_args()
    if options.peak:
        peak(options.peak, options.rows[0])
    elif options.coverage:
        coverage(options.simulations, options.households)
        family(options.simulations, 10, options.households // 5)
    elif options.size:
        growth(options.repeats)
        memory(max(options.rows))
    else:
        for way in (ours_bootstrap, ours_analytic):
            way(Table(1_000))  # compiled and imported before the clock
        causalml_seconds(Table(1_000), 2)
        for compiled in (single_pass_1, single_pass_2):
            limit(Table(1_000), compiled)
        sklift_loop(Table(1_000), 1)
        for n in options.rows:
            contest(n, options.repeats, options.loops)


if __name__ == "__main__":
    main()
