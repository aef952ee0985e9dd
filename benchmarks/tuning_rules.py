"""When to believe a search: rules for taking its best trial, on worlds with a known truth.

``python -m benchmarks.tuning_rules --replications 6`` draws worlds, searches the configured space
of each learner inside the training folds of one held-out fold without any stop, and asks each rule
what it would have used. Judged on the held-out fold by the true effect: root mean squared error of
the rule's choice over that of the defaults (below 1: tuning helped), how often it was above 1, and
the true Qini gained, in shares of the oracle's. Figures of ``docs/adr/0014-unproven-gains.md``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import rankdata

from promo_uplift.benchmark.textbook import nie_wager_trials, spend_trials
from promo_uplift.benchmark.worlds import NieWagerWorld, SpendWorld
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.studies import Choice, run_study
from promo_uplift.trials import household_folds
from promo_uplift.tuning.crossfit import _inner_splits, _split
from promo_uplift.tuning.losses import named_loss
from promo_uplift.tuning.search import Split, fit_on_split, learner_plan

ROOT = Path(__file__).resolve().parents[1]
LEARNERS = ("s_learner", "t_learner", "x_learner", "dr_learner")
FOLDS, HELD_OUT, BUDGETS, CHECK_AFTER = 3, 0, (8, 16), 5
#: What a rule does when the gain is not proven at the check, or at the end.
RULES = ("prove both", "prove at the check", "stop, use the best so far")
#: The last one: 0.95 for the best of seven, by Bonferroni.
LEVELS = (0.5, 0.8, 0.95, 1.0 - 0.05 / 7)
TUNING = TuningParameters(
    loss="r_loss",
    n_trials=max(BUDGETS),
    timeout_seconds=600.0,
    n_startup_trials=4,
    pruner_warmup_folds=1,
)


def worlds(names: list[str]) -> dict[str, NieWagerWorld | SpendWorld]:
    """Worlds of the benchmark's own configuration, by name."""
    text = (ROOT / "conf/base/parameters/benchmark.yml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)["benchmark"]["worlds"]
    kinds = {"nie_wager": NieWagerWorld, "spend": SpendWorld}
    return {name: kinds[found[name]["kind"]].model_validate(found[name]) for name in names}


def configured(name: str) -> LearnerParameters:
    """Defaults and space of a learner (or of the nuisances' model) in ``conf/base``."""
    folder = ROOT / "conf/base/parameters"
    file = folder / ("nuisance_model.yml" if name == "nuisance_model" else f"learners/{name}.yml")
    return LearnerParameters.model_validate(
        yaml.safe_load(file.read_text(encoding="utf-8"))[f"_{name}"]
    )


def true_qini(*, cate: FloatArray, truth: FloatArray) -> float:
    """Area that a ranking by ``cate`` gains on a random order, by the true effects."""
    weights = rankdata(cate) / len(cate) - 0.5
    return float(np.mean(weights * (truth - truth.mean())))


class Search:
    """One learner's search in one world, with the loss and the true error of every choice."""

    def __init__(self, name: str, drawn: dict[str, Any], seed: int) -> None:
        self.name, self.seed = name, seed
        self.data, self.truth, self.nuisances = (
            drawn[key] for key in ("data", "truth", "nuisances")
        )
        self.parameters = configured(name)
        self.defaults = dict(self.parameters.defaults)
        self.inner = _inner_splits(nuisances=self.nuisances, held_out=HELD_OUT)
        self.outer = _split(nuisances=self.nuisances, held_out=HELD_OUT, fold=HELD_OUT)
        self.groups = np.concatenate([self.data.groups[split.test] for split in self.inner])
        self.known: dict[str, tuple[FloatArray, FloatArray]] = {}
        self.trials = run_study(
            plan=learner_plan(
                name=name,
                held_out=HELD_OUT,
                parameters=self.parameters,
                tuning=TUNING,
                seed=seed,
                storage=None,
                study_prefix="rules",
            ),
            split_loss=lambda choice, index: float(self.fit(choice, self.inner[index])[0].mean()),
            n_splits=len(self.inner),
        ).trials

    def fit(self, choice: Choice, split: Split) -> tuple[FloatArray, FloatArray]:
        """Loss of each row of a split that the fit did not see, and its predicted effects."""
        key = f"{split.index} {sorted(choice.items())}"
        if key not in self.known:
            learner = fit_on_split(
                name=self.name, data=self.data, split=split, choice=choice, seed=self.seed
            )
            test = split.test
            cate = learner.predict_cate(covariates=self.data.covariates.loc[test])
            terms = named_loss(TUNING.loss)(
                cate=cate,
                treatment=self.data.treatment[test],
                outcome=self.data.outcome[test],
                nuisances=split.nuisances.take(test),
            )
            self.known[key] = (terms, cate)
        return self.known[key]

    def best(self, budget: int) -> Choice:
        """Parameters of the best complete trial among the first ``budget``."""
        trials = self.trials.iloc[:budget]
        complete = trials[trials["state"] == "COMPLETE"]
        row = complete.loc[complete["loss"].idxmin()]
        space = self.parameters.search_space
        point = {key: int(row[key]) if space[key].kind == "int" else row[key] for key in space}
        return {**self.defaults, **point}

    def is_proven(self, choice: Choice, level: float) -> bool:
        """Whether the interval of the gain over the defaults lies above 0."""
        before, after = (
            np.concatenate([self.fit(one, split)[0] for split in self.inner])
            for one in (self.defaults, choice)
        )
        gain = clustered_mean(values=before - after, groups=self.groups)
        return gain.interval(level=level).ci_low > 0.0

    def judged(self, rule: str, level: float, budget: int) -> dict[str, Any]:
        """Return what a rule would have used, and how good that truly is on the held-out fold."""
        early, last = self.best(CHECK_AFTER), self.best(budget)
        goes_on = rule == "always" or self.is_proven(early, level)
        if not goes_on:
            used = early if rule == "stop, use the best so far" else self.defaults
        elif rule == "prove both" and not self.is_proven(last, level):
            used = self.defaults
        else:
            used = last
        truth = self.truth.cate[self.outer.test]
        errors, areas = [], []
        for choice in (used, self.defaults):
            cate = self.fit(choice, self.outer)[1]
            errors.append(float(np.sqrt(np.mean((cate - truth) ** 2))))
            areas.append(true_qini(cate=cate, truth=truth))
        oracle = true_qini(cate=truth, truth=truth)
        return {
            "learner": self.name,
            "budget": budget,
            "rule": rule if rule == "always" else f"{rule}, {level:.3g}",
            "trials": budget if goes_on else CHECK_AFTER,
            "is_taken": used != self.defaults,
            "ratio": errors[0] / errors[1],
            "qini_gain": (areas[0] - areas[1]) / oracle if np.ptp(truth) > 0.0 else np.nan,
        }


def replication(
    *, world: NieWagerWorld | SpendWorld, n_households: int, seed: int
) -> list[dict[str, Any]]:
    """Rows of one draw: one per learner, budget and rule."""
    draw: Any = nie_wager_trials if isinstance(world, NieWagerWorld) else spend_trials
    data, truth = draw(world=world, n_households=n_households, rng=np.random.default_rng(seed))
    model = configured("nuisance_model")
    sizes = {**model.defaults, **getattr(world, "nuisance", {})}
    nuisances = cross_fit_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=FOLDS, seed=seed),
        parameters=NuisanceParameters(
            n_folds=FOLDS,
            propensity_clip=0.02,
            n_trials=0,
            timeout_seconds=60.0,
            model=LearnerParameters(defaults=sizes),
        ),
        seed=seed,
        n_workers=1,
    )
    drawn = {"data": data, "truth": truth, "nuisances": nuisances}
    return [
        search.judged(rule, level, budget)
        for search in (Search(name, drawn, seed) for name in LEARNERS)
        for budget in BUDGETS
        for rule, level in (("always", 0.0), *((rule, x) for rule in RULES for x in LEVELS))
    ]


def summary(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Error over that of the defaults, with its error; how often and how far it was worse."""
    table = table.assign(is_worse=table["ratio"] > 1.0)
    found = table.groupby(by, sort=False).agg(
        error=("ratio", "mean"),
        error_se=("ratio", "sem"),
        median=("ratio", "median"),
        worse=("is_worse", "mean"),
        worst=("ratio", "max"),
        qini_gain=("qini_gain", "mean"),
        qini_se=("qini_gain", "sem"),
        taken=("is_taken", "mean"),
        trials=("trials", "mean"),
        n=("ratio", "size"),
    )
    return found.round(3)


def main() -> None:
    """Run the comparison and print its tables."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--replications", type=int, default=6)
    words.add_argument("--first", type=int, default=0, help="seed of the first replication")
    words.add_argument("--households", type=int, default=1500)
    words.add_argument("--out", type=Path, help="CSV of every replication")
    words.add_argument("--read", type=Path, nargs="*", help="CSVs to print instead of running")
    words.add_argument("worlds", nargs="*")
    given = words.parse_args()
    if given.read:
        table = pd.concat([pd.read_csv(file) for file in given.read])
    else:
        table = pd.DataFrame(
            {"world": name, "seed": seed, **row}
            for name, world in worlds(given.worlds).items()
            for seed in range(given.first, given.first + given.replications)
            for row in replication(world=world, n_households=given.households, seed=seed)
        )
        if given.out:
            table.to_csv(given.out, index=False)
    print(summary(table, ["budget", "rule"]).to_string())
    print(summary(table, ["world", "budget", "rule"]).to_string())


if __name__ == "__main__":
    main()
