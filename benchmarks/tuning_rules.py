"""When to believe a search: rules for taking its best trial, on worlds with a known truth.

``python -m benchmarks.tuning_rules --replications 6`` draws worlds, searches the configured space
of each learner inside the training folds of one held-out fold without any stop, and asks each rule
what it would have used. Judged on the held-out fold by the true effect: root mean squared error of
the rule's choice over that of the defaults (below 1: tuning helped), and how often a gain that was
believed was none. Figures of ``docs/adr/0014-unproven-gains.md``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from promo_uplift.benchmark.textbook import nie_wager_trials, spend_trials
from promo_uplift.benchmark.worlds import NieWagerWorld, SpendWorld
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.studies import run_study
from promo_uplift.trials import household_folds
from promo_uplift.tuning.crossfit import _inner_splits, _split
from promo_uplift.tuning.losses import named_loss
from promo_uplift.tuning.search import fit_on_split, learner_plan

ROOT = Path(__file__).resolve().parents[1]
LEARNERS = ("s_learner", "t_learner", "x_learner", "dr_learner")
FOLDS, HELD_OUT, BUDGETS, CHECK_AFTER = 3, 0, (8, 16), 5
LEVELS = (0.5, 0.8, 0.95)
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


def replication(
    *, world: NieWagerWorld | SpendWorld, n_households: int, seed: int
) -> list[dict[str, Any]]:
    """Rows of one draw: one per learner and rule."""
    draw = nie_wager_trials if isinstance(world, NieWagerWorld) else spend_trials
    rng = np.random.default_rng(seed)
    data, truth = draw(world=world, n_households=n_households, rng=rng)  # type: ignore[arg-type]
    model = configured("nuisance_model")
    nuisance = NuisanceParameters(
        n_folds=FOLDS,
        propensity_clip=0.02,
        n_trials=0,
        timeout_seconds=60.0,
        model=model.model_copy(
            update={
                "defaults": {**model.defaults, **getattr(world, "nuisance", {})},
                "search_space": {},
            }
        ),
    )
    nuisances = cross_fit_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=FOLDS, seed=seed),
        parameters=nuisance,
        seed=seed,
        n_workers=1,
        storage=None,
        study_prefix="rules",
        progress=False,
    )
    loss_of = named_loss(TUNING.loss)
    inner = _inner_splits(nuisances=nuisances, held_out=HELD_OUT)
    outer = _split(nuisances=nuisances, held_out=HELD_OUT, fold=HELD_OUT)
    groups = np.concatenate([data.groups[split.test] for split in inner])
    rows: list[dict[str, Any]] = []
    for name in LEARNERS:
        parameters = configured(name)
        cache: dict[str, Any] = {}

        def terms(choice, split, name=name, cache=cache):
            key = f"{split.index} {sorted(choice.items())}"
            if key not in cache:
                learner = fit_on_split(name=name, data=data, split=split, choice=choice, seed=seed)
                cate = learner.predict_cate(covariates=data.covariates.loc[split.test])
                test = split.test
                cache[key] = (
                    loss_of(
                        cate=cate,
                        treatment=data.treatment[test],
                        outcome=data.outcome[test],
                        nuisances=split.nuisances.take(test),
                    ),
                    float(np.sqrt(np.mean((cate - truth.cate[test]) ** 2))),
                )
            return cache[key]

        study = run_study(
            plan=learner_plan(
                name=name,
                held_out=HELD_OUT,
                parameters=parameters,
                tuning=TUNING,
                seed=seed,
                storage=None,
                study_prefix="rules",
            ),
            split_loss=lambda choice, index, terms=terms: float(
                np.mean(terms(choice, inner[index])[0])
            ),
            n_splits=len(inner),
        )
        defaults = dict(parameters.defaults)
        before = np.concatenate([terms(defaults, split)[0] for split in inner])
        error_of_defaults = terms(defaults, outer)[1]

        def best_of(budget, study=study, defaults=defaults, parameters=parameters):
            trials = study.trials.iloc[:budget]
            complete = trials[trials["state"] == "COMPLETE"]
            row = complete.loc[complete["loss"].idxmin()]
            kinds = parameters.search_space
            point = {
                key: int(row[key]) if kinds[key].kind == "int" else row[key] for key in kinds
            }
            return {**defaults, **point}

        def gain(choice, level, terms=terms, before=before):
            after = np.concatenate([terms(choice, split)[0] for split in inner])
            return clustered_mean(values=before - after, groups=groups).interval(level=level)

        for budget in BUDGETS:
            rules = {"always": 0.0} | {f"proven_{level:g}": level for level in LEVELS}
            rules["proven_bonferroni"] = 1.0 - 0.05 / (budget - 1)
            for rule, level in rules.items():
                early = best_of(CHECK_AFTER)
                is_on = rule == "always" or gain(early, level).ci_low > 0.0
                best = best_of(budget) if is_on else early
                is_taken = rule == "always" or (is_on and gain(best, level).ci_low > 0.0)
                used = best if is_taken else defaults
                rows.append(
                    {
                        "learner": name,
                        "budget": budget,
                        "rule": rule,
                        "trials": budget if is_on else CHECK_AFTER,
                        "is_taken": used != defaults,
                        "ratio": terms(used, outer)[1] / error_of_defaults,
                    }
                )
    return rows


def summary(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Error over that of the defaults (geometric mean), believed gains, and wrong ones among them."""
    table = table.assign(
        log_ratio=np.log(table["ratio"]),
        is_wrong=np.where(table["is_taken"], table["ratio"] > 1.0, np.nan),
    )
    found = table.groupby(by, sort=False).agg(
        error=("log_ratio", "mean"),
        error_se=("log_ratio", lambda x: x.std(ddof=1) / np.sqrt(len(x))),
        worst=("ratio", "max"),
        taken=("is_taken", "mean"),
        wrong=("is_wrong", "mean"),
        trials=("trials", "mean"),
        n=("ratio", "size"),
    )
    return found.assign(error=np.exp(found["error"])).round(3)


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
