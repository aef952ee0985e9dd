"""Throughput of scoring against LightGBM alone on the same trees, and its memory by rows.

``python -m benchmarks.scoring`` prints the ratio and the peak memory for 100,000 to 10,000,000
rows, each in a process of its own that reads a Parquet file and writes the scores chunk by chunk.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from promo_uplift.analysis import households_of_a_table, scores_of
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    NuisanceParameters,
    PolicyParameters,
    ScoringParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import FloatArray, NuisanceValues, TrialData
from promo_uplift.contracts.streams import write_stream
from promo_uplift.learners.registry import build_learner
from promo_uplift.nuisance.boosting import BoostedTrees
from promo_uplift.nuisance.deployment import fit_deployment_nuisances
from promo_uplift.policy import ScoringModel, support_ranges

CONFIGURATION = Path(__file__).resolve().parents[1] / "conf" / "base" / "parameters"
COVARIATES = 43
CAMPAIGNS = 3
TRAINING_HOUSEHOLDS = 1_500
CHUNK_ROWS = 100_000
#: Least share of LightGBM's own throughput.
MIN_RATIO = 0.7
#: Peak memory may grow by this much from the smallest to the largest file.
MAX_GROWTH = 1.25
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="",
)


def covariates(n: int, seed: int) -> pd.DataFrame:
    """Rows of 43 covariates in steps of a tenth, 2 % missing, a row in a hundred out of range."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.round(rng.normal(size=(n, COVARIATES)), 1), -3.0, 3.0)
    values[rng.random(values.shape) < 0.02] = np.nan
    values[rng.random(n) < 0.01, 0] = 9.0
    return pd.DataFrame(values, columns=[f"x{number:02}" for number in range(COVARIATES)])


def defaults(path: str, name: str) -> dict[str, Any]:
    """Sizes of trees as the project's configuration has them."""
    text = (CONFIGURATION / path).read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)[name]["defaults"])


def fitted_model(learner: str) -> ScoringModel:
    """Fit a scoring model with trees of the configured sizes."""
    rng = np.random.default_rng(1)
    table = covariates(TRAINING_HOUSEHOLDS * CAMPAIGNS, seed=2)
    table = table.where(table["x00"] != 9.0, 0.0)
    x = np.nan_to_num(table.to_numpy())
    n = len(table)
    campaign = np.tile(np.arange(CAMPAIGNS), TRAINING_HOUSEHOLDS)
    score = 0.4 * x[:, 1] + 0.2 * campaign
    treatment = (rng.random(n) < 1.0 / (1.0 + np.exp(-score))).astype(np.int64)
    outcome = 50.0 + 10.0 * x[:, 2] + treatment * (3.0 + 2.0 * x[:, 3]) + rng.normal(0.0, 20.0, n)
    data = TrialData(
        covariates=table,
        treatment=treatment,
        outcome=outcome,
        redeemed=treatment * (rng.random(n) < 0.2),
        groups=np.repeat(np.arange(TRAINING_HOUSEHOLDS), CAMPAIGNS),
        campaign=campaign,
    )
    half = np.full(n, 0.5)
    effect = build_learner(
        name=learner, choice=defaults(f"learners/{learner}.yml", f"_{learner}")
    ).fit(
        covariates=table,
        treatment=treatment,
        outcome=outcome,
        nuisances=NuisanceValues(propensity=half, mu0=50.0 + 10.0 * x[:, 2], mu1=half + 53.0),
        groups=data.groups,
        rng=rng,
    )
    rates = fit_deployment_nuisances(
        data=data,
        fold=data.groups % 3,
        parameters=NuisanceParameters(
            n_folds=3,
            propensity_clip=0.02,
            n_trials=0,
            timeout_seconds=60.0,
            model=LearnerParameters(defaults=defaults("nuisance_model.yml", "_nuisance_model")),
        ),
        seed=3,
        n_workers=1,
    )
    return ScoringModel(
        learner=effect,
        propensity_model=rates,
        redemption_model=rates,
        covariates=tuple(table.columns),
        ranges=support_ranges(covariates=table, quantile=0.0, overlap_low=0.05, overlap_high=0.95),
        parameters=PolicyParameters(
            margin_rate=0.25,
            contact_cost_usd=0.75,
            redemption_cost_usd=1.0,
            values_are_assumptions=True,
            grid_points=11,
            support_quantile=0.0,
        ),
        verdict_name="publish",
        cate_threshold_usd=1.0,
        level=0.95,
    )


def boosters(holder: Any) -> Iterator[Any]:
    """LightGBM's models inside a learner."""
    for value in vars(holder).values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, BoostedTrees):
                yield one.booster


def raw_passes(model: ScoringModel, values: FloatArray) -> tuple[list[Any], list[Any]]:
    """Boosters with their matrices: each once, and as often as an average over trials asks."""
    rates = model.propensity_model
    effects = [(booster, values) for booster in boosters(model.learner)]
    in_trials = []
    for trial in np.eye(CAMPAIGNS):
        features = np.hstack([values, np.tile(trial, (len(values), 1))])
        in_trials += [(one.booster, features) for one in (rates.propensity, rates.redemption)]
    return [*effects, *in_trials[:2]], [*effects, *in_trials]


def seconds(works: list[Any], repeats: int) -> list[float]:
    """Least of a few timings of each, in turn: others share the machine."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, times in zip(works, found, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [min(times) for times in found]


def throughput(model: ScoringModel, n: int, repeats: int) -> float:
    """Print ours beside LightGBM's rows per second; return the lower ratio."""
    table = covariates(n, seed=4)
    values = table.to_numpy(dtype=np.float64, copy=True)
    model.score(table.head(10))  # compiles
    once, every = raw_passes(model, np.ascontiguousarray(values))

    def predict(passes: list[Any]) -> None:
        for booster, features in passes:
            booster.predict(features, num_threads=1)

    works = [lambda: model.score(table), lambda: predict(once), lambda: predict(every)]
    ours, *raws = seconds(works, repeats)
    print(f"ScoringModel.score, {n:,} rows                       {n / ours:>9,.0f} rows/s")
    for what, passes, raw in zip(
        ("each booster once", "the rates trial by trial"), (once, every), raws, strict=True
    ):
        n_trees = sum(booster.num_trees() for booster, _ in passes)
        print(
            f"LightGBM, {what:<24} {n_trees:5} trees {n / raw:>9,.0f} rows/s   "
            f"ours / LightGBM {raw / ours:.2f}"
        )
    return min(raws) / ours


def write_households(path: Path, n: int) -> None:
    """Write a file of households, a row group per chunk."""
    block = covariates(min(n, CHUNK_ROWS), seed=5)
    schema = pa.Table.from_pandas(block.assign(household_id=np.int64(0))).schema
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, n, CHUNK_ROWS):
            rows = block.head(n - first).assign(
                household_id=np.arange(first, min(first + CHUNK_ROWS, n))
            )
            writer.write_table(pa.Table.from_pandas(rows, schema=schema))


def score_file(model_file: Path, households: Path) -> None:
    """Score a file in this process; print seconds and peak memory."""
    model: ScoringModel = pickle.loads(model_file.read_bytes())  # noqa: S301 - our own bytes
    model.score(covariates(10, seed=6))
    scoring = ScoringParameters(
        alias="champion",
        table=str(households),
        as_of=None,
        id_column=None,
        chunk_rows=CHUNK_ROWS,
    )
    start = time.perf_counter()
    stream = scores_of(
        model=model,
        households=households_of_a_table(model=model, scoring=scoring),
        stamp={"model_alias": "champion", "model_version": "1"},
        wording=WORDING,
    )
    rows = write_stream(path=households.with_suffix(".scores.parquet"), stream=stream)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f"{rows} {took:.2f} {peak:.0f}")


def memory(model: ScoringModel, sizes: list[int]) -> float:
    """Print seconds and peak memory by rows; return the growth from the first size to the last."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        model_file = Path(folder) / "model.pkl"
        model_file.write_bytes(pickle.dumps(model))
        for n in sizes:
            households = Path(folder) / "households.parquet"
            write_households(households, n)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.scoring", str(model_file), str(households)],
                capture_output=True,
                text=True,
                check=True,
            )
            rows, took, peak = (float(part) for part in done.stdout.split())
            size = households.stat().st_size / 2**20
            print(
                f"file to file, {rows:>12,.0f} rows ({size:6.0f} MiB) {took:8.1f} s   "
                f"{rows / took:>9,.0f} rows/s   peak {peak:5.0f} MiB"
            )
            peaks.append(peak)
    return peaks[-1] / peaks[0]


def main() -> int:
    """Print both tables; 0 if throughput and memory are as they must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", help="score this file with this model")
    parser.add_argument("--learner", default="x_learner", choices=["x_learner", "dr_learner"])
    parser.add_argument("--rows", type=int, default=200_000, help="of the throughput")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    options = parser.parse_args()
    if options.files:
        score_file(*options.files)
        return 0
    model = fitted_model(options.learner)
    print(f"{options.learner}, {COVARIATES} covariates, {CAMPAIGNS} trials, one thread")
    is_fast = throughput(model, options.rows, options.repeats) >= MIN_RATIO
    is_bounded = not options.sizes or memory(model, options.sizes) <= MAX_GROWTH
    return 0 if is_fast and is_bounded else 1


if __name__ == "__main__":
    raise SystemExit(main())
