"""Learners on shared nuisances against the same learners of econml and causalml, side by side.

``python -m benchmarks.learners`` draws confounded, heavy-tailed spend whose effect is known and,
interleaved in one run, fits on the same rows with the same LightGBM settings and folds: our
nuisances once and every learner on them; econml's classes apart; causalml's classes apart. It
prints seconds of CPU and their ratio. ``--errors`` prints the effects' error (PEHE) on rows that
nobody saw, over draws of the world. ``--forest`` times a causal forest of 500 trees on two threads.
``--scaling`` measures seconds and peak memory from 10,000 to 1,000,000 rows, each size in a process
of its own. ``--quick`` is small.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import yaml
from causalml.inference.meta import (
    BaseDRRegressor,
    BaseRRegressor,
    BaseSRegressor,
    BaseTRegressor,
    BaseXRegressor,
)
from econml.dml import LinearDML, NonParamDML
from econml.dr import DRLearner
from econml.metalearners import SLearner, TLearner, XLearner
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.model_selection import cross_val_predict

from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.learners.registry import learner_spec
from promo_uplift.nuisance.boosting import BinnedRows
from promo_uplift.nuisance.crossfit import held_out_predictions
from promo_uplift.nuisance.models import nuisance_features
from promo_uplift.tuning.search import data_features

FOLDS = 5
COVARIATES = 30
CLIP = 0.02
SEED = 1
#: The nuisances' own sizes in ``conf/base``.
SIZE = {
    "n_estimators": 150,
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 100,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
    "max_bin": 63,
}
#: Learners that all three have, or two of them; ours take part as the registry knows them.
COMMON = ("s_learner", "t_learner", "x_learner", "dr_learner", "r_learner", "linear_dml")
OF_CAUSALML = COMMON[:-1]
SCALING = (10_000, 31_623, 100_000, 316_228, 1_000_000)
CONFIGURED = Path(__file__).resolve().parents[1] / "conf" / "base" / "parameters" / "learners"


@dataclass(frozen=True, slots=True)
class World:
    """Training rows, rows to predict, the effect there, and the seed of all fits."""

    seed: int
    data: TrialData
    new: pd.DataFrame
    effect: np.ndarray


def draw_world(rows: int, number: int = 0, new_rows: int = 20_000) -> World:
    """Spend with a third of zeros and a heavy tail; who spends more is treated more often."""
    rng = np.random.default_rng([rows, number])
    n = rows + new_rows
    x = rng.normal(size=(n, COVARIATES))
    effect = 3.0 + 5.0 * np.tanh(x[:, 0]) + 4.0 * (x[:, 1] > 0.5) - 1.2
    treatment = rng.binomial(1, 1 / (1 + np.exp(-(0.9 * x[:, 2] + 0.6 * x[:, 3]))))
    buys = rng.random(n) < 1 / (1 + np.exp(-(0.9 + 0.5 * x[:, 2])))
    spend = buys * 45.0 * np.exp(0.55 * x[:, 2] + 0.3 * x[:, 4] + rng.normal(0, 0.7, n))
    names = [f"x{number}" for number in range(COVARIATES)]
    own = slice(0, rows)
    return World(
        seed=SEED + number,
        data=TrialData(
            covariates=pd.DataFrame(x[own], columns=names),
            treatment=treatment[own],
            outcome=(spend + effect * treatment)[own],
            redeemed=np.zeros(rows),
            groups=np.arange(rows),
            campaign=np.zeros(rows, dtype=np.int64),
        ),
        new=pd.DataFrame(x[rows:], columns=names),
        effect=effect[rows:],
    )


def shared_nuisances(world: World) -> NuisanceValues:
    """Propensity, mu0 and mu1 of each row from models of the other folds: once."""
    data = world.data
    fold = np.random.default_rng(world.seed).permutation(np.arange(len(data.outcome)) % FOLDS)
    features = nuisance_features(data=data, campaigns=np.unique(data.campaign))
    found = {
        name: held_out_predictions(
            name=name, data=data, features=features, fold=fold, choice=dict(SIZE), seed=world.seed
        )
        for name in ("propensity", "mu0", "mu1")
    }
    return NuisanceValues(np.clip(found["propensity"], CLIP, 1 - CLIP), found["mu0"], found["mu1"])


def configured(name: str) -> dict[str, Any]:
    """Our own defaults of ``conf/base``."""
    content = yaml.safe_load((CONFIGURED / f"{name}.yml").read_text(encoding="utf-8"))
    return dict(content[f"_{name}"].get("defaults", {}))


def our_effects(
    name: str, world: World, nuisances: NuisanceValues, choice: Mapping[str, Any], bins: BinnedRows
) -> np.ndarray:
    """Effects of new rows by one of our learners."""
    spec = learner_spec(name)
    learner = spec.build(spec.parameters.model_validate(choice))
    learner.fit(
        covariates=world.data.covariates,
        treatment=world.data.treatment,
        outcome=world.data.outcome,
        nuisances=nuisances,
        groups=world.data.groups,
        rng=np.random.default_rng(world.seed),
        bins=bins,
    )
    return learner.predict_cate(covariates=world.new)


def every_row(data: TrialData) -> BinnedRows:
    """Bins of all rows, built once for the learners, as a run builds them once for its folds."""
    return BinnedRows.chosen(
        design=data_features(data=data), rows=np.ones(len(data.outcome), dtype=np.bool_)
    )


def ours(world: World, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Nuisances once and bins once, then every learner on them, with the peers' settings."""
    nuisances, bins = shared_nuisances(world), every_row(world.data)
    return {
        name: our_effects(
            name, world, nuisances, configured(name) if name == "linear_dml" else SIZE, bins
        )
        for name in names
    }


def _regressor(seed: int) -> LGBMRegressor:
    return LGBMRegressor(**SIZE, n_jobs=1, random_state=seed, verbosity=-1)


def _classifier(seed: int) -> LGBMClassifier:
    return LGBMClassifier(**SIZE, n_jobs=1, random_state=seed, verbosity=-1)


def econml(world: World, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Each of econml's classes apart, with as many folds for its nuisances."""
    dml = {
        "model_y": _regressor(world.seed),
        "model_t": _classifier(world.seed),
        "discrete_treatment": True,
        "cv": FOLDS,
        "random_state": world.seed,
    }
    builders: dict[str, Callable[[], Any]] = {
        "s_learner": lambda: SLearner(overall_model=_regressor(world.seed)),
        "t_learner": lambda: TLearner(models=_regressor(world.seed)),
        "x_learner": lambda: XLearner(
            models=_regressor(world.seed), propensity_model=_classifier(world.seed)
        ),
        "dr_learner": lambda: DRLearner(
            model_propensity=_classifier(world.seed),
            model_regression=_regressor(world.seed),
            model_final=_regressor(world.seed),
            min_propensity=CLIP,
            cv=FOLDS,
            random_state=world.seed,
        ),
        "r_learner": lambda: NonParamDML(model_final=_regressor(world.seed), **dml),
        "linear_dml": lambda: LinearDML(**dml),
    }
    x, new = world.data.covariates.to_numpy(), world.new.to_numpy()
    return {
        name: np.ravel(
            builders[name]().fit(world.data.outcome, world.data.treatment, X=x).effect(new)
        )
        for name in names
        if name in builders
    }


def causalml(world: World, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Each of causalml's classes apart; its users fit the propensity that it is given, once."""
    classes = {
        "s_learner": BaseSRegressor,
        "t_learner": BaseTRegressor,
        "x_learner": BaseXRegressor,
        "dr_learner": BaseDRRegressor,
        "r_learner": BaseRRegressor,
    }
    x, new = world.data.covariates.to_numpy(), world.new.to_numpy()
    treatment, outcome = world.data.treatment, world.data.outcome
    predicted = cross_val_predict(
        _classifier(world.seed), x, treatment, cv=FOLDS, method="predict_proba"
    )
    own = np.clip(predicted[:, 1], CLIP, 1 - CLIP)
    of_new = np.clip(
        _classifier(world.seed).fit(x, treatment).predict_proba(new)[:, 1], CLIP, 1 - CLIP
    )
    found = {}
    for name in names:
        if name not in classes:
            continue
        np.random.seed(world.seed)  # noqa: NPY002 - some of causalml's splits take no seed of their own
        model = classes[name](learner=_regressor(world.seed))
        rows: dict[str, Any] = {"X": x, "treatment": treatment, "y": outcome}
        if name not in ("s_learner", "t_learner"):
            rows["p"] = own
        model.fit(**rows)
        asks = {"p": of_new} if name in ("x_learner", "dr_learner") else {}
        found[name] = np.ravel(model.predict(new, **asks))
    return found


def cpu_seconds() -> float:
    """CPU of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (
            resource.getrusage(resource.RUSAGE_SELF),
            resource.getrusage(resource.RUSAGE_CHILDREN),
        )
    )


def cpu_of(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    return measured(work)[1]


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, CPU seconds and wall seconds of one call."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = work()
    return result, cpu_seconds() - cpu, time.perf_counter() - wall


def compare(rows: int, repeats: int) -> None:
    """Print CPU seconds of one size: each library, and the cheaper one of each learner."""
    world = draw_world(rows)
    used: dict[str, list[float]] = {name: [] for name in ("ours", "econml", "causalml", "rest")}
    five: list[float] = []
    for _ in range(repeats):
        used["ours"].append(cpu_of(lambda: ours(world, COMMON)))
        used["econml"].append(cpu_of(lambda: econml(world, COMMON)))
        used["causalml"].append(cpu_of(lambda: causalml(world, OF_CAUSALML)))
        used["rest"].append(cpu_of(lambda: econml(world, ("linear_dml",))))
        five.append(cpu_of(lambda: ours(world, OF_CAUSALML)))
    table = pd.DataFrame(used)
    print(f"\n{rows:,} rows x {COVARIATES}, {repeats} repeats, {FOLDS} folds, seconds of CPU")
    print(f"  six learners: {', '.join(COMMON)}")
    cheaper = table["causalml"] + table["rest"]
    for title, theirs, own in (
        ("econml", table["econml"], table["ours"]),
        ("causalml, and econml's linear_dml", cheaper, table["ours"]),
        ("both libraries", table["econml"] + table["causalml"], table["ours"]),
        ("causalml, without linear_dml", table["causalml"], pd.Series(five)),
    ):
        ratio = theirs / own
        print(
            f"  {title:34s} {theirs.median():6.1f}   ours {own.median():5.1f}   x "
            f"{ratio.median():.2f} ({ratio.min():.2f} to {ratio.max():.2f})",
            flush=True,
        )


def errors(rows: int, draws: int) -> None:
    """Print the error of the effects over draws of the world, and its ratio to the better peer."""
    found: list[dict[tuple[str, str], float]] = []
    for number in range(draws):
        world = draw_world(rows, number)
        nuisances, bins = shared_nuisances(world), every_row(world.data)
        defaults = {
            name: our_effects(name, world, nuisances, configured(name), bins) for name in COMMON
        }
        ways = {
            "ours": ours(world, COMMON),
            "econml": econml(world, COMMON),
            "causalml": causalml(world, OF_CAUSALML),
            "defaults": defaults,
        }
        found.append(
            {
                (name, way): float(np.sqrt(np.mean((effect - world.effect) ** 2)))
                for way, effects in ways.items()
                for name, effect in effects.items()
            }
        )
    table = pd.DataFrame(found)
    print(
        f"\nPEHE, {rows:,} rows, mean of {draws} draws (the best constant {world.effect.std():.2f})"
    )
    for name in COMMON:
        peers = [way for way in ("econml", "causalml") if (name, way) in table]
        means = {way: table[(name, way)].mean() for way in ("ours", *peers, "defaults")}
        best = min(peers, key=means.__getitem__)
        ratio = (table[(name, "ours")] / table[(name, best)]).to_numpy()
        error = ratio.std(ddof=1) / np.sqrt(draws)
        print(
            f"  {name:12s} "
            + "  ".join(
                f"{way} {means.get(way, np.nan):6.2f}" for way in ("ours", "econml", "causalml")
            )
            + f"   ours / {best} {ratio.mean():.3f} (standard error {error:.3f});"
            + f"   ours with our defaults {means['defaults']:6.2f}",
            flush=True,
        )


def forest(rows: int, trees: int) -> None:
    """Print the seconds of a causal forest of the configured shape."""
    world = draw_world(rows)
    nuisances, nuisance_cpu, _ = measured(lambda: shared_nuisances(world))
    effects, cpu, wall = measured(
        lambda: our_effects(
            "causal_forest",
            world,
            nuisances,
            configured("causal_forest") | {"n_estimators": trees, "n_jobs": 2},
            every_row(world.data),
        )
    )
    error = float(np.sqrt(np.mean((effects - world.effect) ** 2)))
    print(
        f"\ncausal forest, {trees} trees, {rows:,} rows x {COVARIATES}, 2 threads: "
        f"wall {wall:.0f} s, "
        f"CPU {cpu:.0f} s ({cpu / 2:.0f} s on two idle cores), "
        f"nuisances before {nuisance_cpu:.0f} s; "
        f"PEHE {error:.2f} (the best constant {world.effect.std():.2f})",
        flush=True,
    )


class PeakMemory:
    """Highest resident memory of this process while a block runs, bytes above its start."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self._start = self.peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    @property
    def above_start(self) -> int:
        """Bytes above the start."""
        return self.peak - self._start


def one_size(rows: int, names: list[str]) -> tuple[float, float]:
    """CPU seconds, and peak memory over the covariate matrix, of nuisances and learners."""
    ours(draw_world(2_000), names)  # libraries are loaded, and their threads started
    world = draw_world(rows, new_rows=rows // FOLDS)
    with PeakMemory() as memory:
        _, cpu, _ = measured(lambda: ours(world, names))
    return cpu, memory.above_start / world.data.covariates.to_numpy().nbytes


def scaling(sizes: Iterable[int]) -> None:
    """Print seconds and memory by rows, each size in a fresh process."""
    names = list(COMMON)
    print(f"\nrows, nuisances once and {', '.join(names)}; one process")
    base = None
    for rows in sizes:
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            cpu, memory = pool.apply(one_size, (rows, names))
        per_row = cpu / (rows * np.log(rows))
        base = base or per_row
        print(
            f"  {rows:>9,}  CPU {cpu:7.1f} s  per n log n x {per_row / base:.2f}  "
            f"peak memory {memory:.2f} covariate matrices",
            flush=True,
        )


def main() -> None:
    """Print what was asked for; without a choice the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="5,000 rows, 2 repeats")
    parser.add_argument("--errors", type=int, metavar="DRAWS", help="only the effects' error")
    parser.add_argument("--forest", type=int, nargs="?", const=100_000, metavar="ROWS")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--scaling", type=int, nargs="?", const=SCALING[-1], metavar="MOST_ROWS")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of both libraries, about scikit-learn's next version
    if options.forest:
        forest(options.forest, options.trees)
    if options.scaling:
        scaling([rows for rows in SCALING if rows <= options.scaling])
    if options.errors:
        for rows in options.rows:
            errors(rows, options.errors)
    if not (options.forest or options.scaling or options.errors):
        for rows in [5_000] if options.quick else options.rows:
            compare(rows, 2 if options.quick else options.repeats)


if __name__ == "__main__":
    main()
