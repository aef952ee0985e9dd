"""How often the 95 % interval of the chosen policy's profit holds that policy's true profit.

``python -m benchmarks.policy_profit --replications 50 --csv profit.csv`` draws worlds of spend with
known effects, runs nuisances, learners and the choice of a policy as a run does, and holds each
promised profit against the true profit of the rules that were chosen. Beside it: the profit that
the predictions promise which chose the households (plug-in), and the maximum read off the data that
chose it. ``--first`` continues an earlier draw; ``--read`` joins CSV files into one table.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta

from promo_uplift.benchmark.textbook import spend_trials
from promo_uplift.benchmark.worlds import SpendWorld
from promo_uplift.contracts.configuration import base_parameters
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.metrics import SelectionRule
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.policy import (
    PolicyCandidates,
    contact_weights,
    evaluate_policy,
    expected_profit,
    policy_scores,
)
from promo_uplift.trials import household_folds
from promo_uplift.tuning import cross_fit_learner, loss_terms

LEVEL, N_FOLDS, REPLICATES = 0.95, 5, 200
#: Compete to become champion, simplest first.
COMPETITORS = ("constant", "linear_dml", "s_learner", "dr_learner")
#: The rule of a run, which rarely leaves one effect for all, and the lowest loss, which often does.
CHOICES = {"as a run": SelectionRule(1.0, 3.0), "lowest loss": SelectionRule(0.0, 0.0)}
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.75,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=51,
    support_quantile=0.0,
)
METRICS = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=REPLICATES)
TUNING = TuningParameters.model_validate(
    base_parameters(file="causal_estimation", key="tuning")
    | {"n_trials": 0, "storage": None, "progress": False}
)
#: What all worlds share; a contact pays for itself from an effect of about 3.5 USD on.
SHARED: dict[str, Any] = {
    "kind": "spend",
    "n_households": [1],
    "full": 1,
    "effects": 0,
    "pointwise": 0,
    "effect": "linear",
    "effect_usd": 3.5,
    "n_campaigns": 1,
    "n_covariates": 8,
    "base_usd": 100.0,
    "baseline_spread": 0.8,
    "responding_share": 0.1,
    "log_odds_sd": 0.8,
    "hidden_confounding": 0.0,
    "zero_share": 0.1,
    "log_spend_sd": 0.7,
    "household_share": 0.5,
}
#: name -> (households, knobs).
WORLDS: dict[str, tuple[int, dict[str, Any]]] = {
    "no effect": (4_000, {"effect": "zero"}),
    "one effect for all, at break-even": (4_000, {"effect": "constant"}),
    "one effect for all, pays": (4_000, {"effect": "constant", "effect_usd": 12.0}),
    "differing around break-even": (4_000, {}),
    "differing strongly": (4_000, {"effect": "sign_changing", "effect_usd": 20.0}),
    "few respond": (4_000, {"effect": "sparse", "effect_usd": 5.0}),
    "differing strongly, 3 campaigns each": (
        1_500,
        {"effect": "sign_changing", "effect_usd": 15.0, "n_campaigns": 3},
    ),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A world, drawn: its trials, and the true profit of contacting each row, USD ``(n,)``."""

    data: TrialData
    profit: FloatArray


def draw_world(*, name: str, seed: int) -> Drawn:
    """Trials of a world with redemptions, and the true profit of each contact."""
    n_households, knobs = WORLDS[name]
    world = SpendWorld.model_validate(SHARED | knobs)
    rng = np.random.default_rng(seed)
    data, truth = spend_trials(world=world, n_households=n_households, rng=rng)
    chance = expit(-2.2 + 0.5 * data.covariates["x5"].to_numpy())
    redeemed = (rng.uniform(size=len(chance)) < chance) & (data.treatment == 1)
    return Drawn(
        data=TrialData(
            covariates=data.covariates,
            treatment=data.treatment,
            outcome=data.outcome,
            redeemed=redeemed.astype(np.float64),
            groups=data.groups,
            campaign=data.campaign,
        ),
        profit=expected_profit(cate_usd=truth.cate, redemption=chance, parameters=MONEY),
    )


def _smaller(defaults: dict[str, Any], trees: int) -> LearnerParameters:
    return LearnerParameters(defaults=defaults | {"n_estimators": trees}, search_space={})


def _analysed(
    data: TrialData, seed: int
) -> tuple[CrossFittedNuisances, dict[str, CrossFittedCate]]:
    """Nuisances and learners as a run has them, with fewer trees and without tuning."""
    boosted = base_parameters(file="nuisance_model", key="_nuisance_model")["defaults"]
    nuisance = NuisanceParameters(
        n_folds=N_FOLDS,
        propensity_clip=0.02,
        n_trials=0,
        timeout_seconds=60.0,
        model=_smaller(boosted, 150),
    )
    nuisances = cross_fit_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=N_FOLDS, seed=seed),
        parameters=nuisance,
        seed=seed,
        n_workers=1,
    )
    cross_fitted = {}
    for name in (*COMPETITORS, "response"):
        own = base_parameters(file=f"learners/{name}", key=f"_{name}")
        parameters = LearnerParameters(defaults=own["defaults"], search_space={})
        if "n_estimators" in own["defaults"]:
            parameters = _smaller(own["defaults"], min(60, own["defaults"]["n_estimators"]))
        cross_fitted[name] = cross_fit_learner(
            name=name,
            data=data,
            nuisances=nuisances,
            parameters=parameters,
            tuning=TUNING,
            seed=seed,
            n_workers=1,
        )
    return nuisances, cross_fitted


def judge_world(*, name: str, replication: int, seed: int) -> pd.DataFrame:
    """One world, drawn, analysed and held against its truth.

    Returns
    -------
    DataFrame
        One row per rule of choice and figure: ``world, replication, choice, figure, estimate,
        ci_low, ci_high, truth, share``. Figures: ``profit`` of the chosen policy, ``minus_all`` and
        ``minus_current``, ``plug_in`` (predicted profit of those whose prediction is above 0) and
        ``in_sample_maximum``, each against the true profit of its own rule, USD per row.
    """
    own = derived_seed(seed=seed, purpose=f"policy_profit/{name}", index=(replication,))
    drawn = draw_world(name=name, seed=own)
    nuisances, cross_fitted = _analysed(drawn.data, own)
    scores = policy_scores(data=drawn.data, nuisances=nuisances, parameters=MONEY)
    cate = {learner: fitted.cate for learner, fitted in cross_fitted.items()}
    losses = {
        learner: loss_terms(
            loss="dr_loss", cate=cate[learner], data=drawn.data, nuisances=nuisances
        )
        for learner in COMPETITORS
    }
    rows = []
    for choice, rule in CHOICES.items():
        found = evaluate_policy(
            scores=scores,
            candidates=PolicyCandidates(
                cate={learner: cate[learner] for learner in COMPETITORS},
                losses=losses,
                response=cate["response"],
                rule=rule,
            ),
            fold=nuisances.fold,
            groups=drawn.data.groups,
            parameters=MONEY,
            intervals=METRICS,
            rng=derived_rng(seed=own, purpose="policy"),
        )

        def contacts(learners: tuple[str, ...], shares: tuple[float, ...]) -> FloatArray:
            return contact_weights(
                cate=cate, learner_by_fold=learners, share_by_fold=shares, fold=nuisances.fold
            )

        chosen = contacts(found.learner_by_fold, found.share_by_fold)
        best = contacts((found.champion,) * N_FOLDS, (found.roi_optimal_share.estimate,) * N_FOLDS)
        plug_in, selected = _plug_in(
            cross_fitted[found.champion], nuisances, groups=drawn.data.groups
        )
        beyond = {name: found.baselines[name].chosen_minus_this_usd for name in ("all", "current")}
        figures = {
            "profit": (found.chosen.profit_usd, chosen),
            "minus_all": (beyond["all"], chosen - 1.0),
            "minus_current": (beyond["current"], chosen - drawn.data.treatment),
            "plug_in": (plug_in, selected),
            "in_sample_maximum": (found.optimistic_profit_usd, best),
        }
        rows += [
            {
                "choice": choice,
                "figure": figure,
                "estimate": interval.estimate,
                "ci_low": interval.ci_low,
                "ci_high": interval.ci_high,
                "truth": float((weights * drawn.profit).mean()),
                "share": float(chosen.mean()),
            }
            for figure, (interval, weights) in figures.items()
        ]
    return pd.DataFrame(rows).assign(world=name, replication=replication)


def _plug_in(
    fitted: CrossFittedCate, nuisances: CrossFittedNuisances, *, groups: Any
) -> tuple[Interval, FloatArray]:
    """Predicted profit of everybody whose predicted profit is above 0, and who they are."""
    predicted = expected_profit(
        cate_usd=fitted.held_out(),
        redemption=nuisances.redemption_held_out(),
        parameters=MONEY,
    )
    promised = clustered_mean(values=np.maximum(predicted, 0.0), groups=groups)
    return promised.interval(level=LEVEL), (predicted > 0.0).astype(np.float64)


def with_coverage(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each interval holds its truth, and whether the rule does anything at all."""
    width = rows["ci_high"] - rows["ci_low"]
    rounding = 1e-9
    held = (rows["ci_low"] - rounding <= rows["truth"]) & (
        rows["truth"] <= rows["ci_high"] + rounding
    )
    return rows.assign(held=held, acts=width > rounding)


def coverage(held: pd.Series) -> tuple[float, float, float]:
    """Share of intervals that hold the truth, with its Clopper-Pearson interval."""
    hits, n = int(held.sum()), len(held)
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return hits / n, low, high


def summary(rows: pd.DataFrame) -> str:
    """Coverage by rule of choice, figure and world, as Markdown.

    A policy that differs from its baseline for nobody has a figure of 0 without an error, which is
    right: those are counted apart and left out.
    """
    judged = with_coverage(rows)
    lines = [
        "| choice | figure | world | worlds | without error | holds the truth | mean error, USD |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (choice, figure), of_figure in judged.groupby(["choice", "figure"], sort=False):
        parts = [("all", of_figure), *of_figure.groupby("world", sort=False)]
        for world, own in parts:
            acting = own[own["acts"]]
            if acting.empty:
                continue
            share, low, high = coverage(acting["held"])
            error = (acting["estimate"] - acting["truth"]).mean()
            lines.append(
                f"| {choice} | {figure} | {world} | {len(acting)} | {len(own) - len(acting)} | "
                f"{share:.1%} ({low:.0%} to {high:.0%}) | {error:+.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Draw worlds, or read those that were drawn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--replications", type=int, default=50)
    parser.add_argument("--seed", type=int, default=2025)
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS))
    parser.add_argument("--csv")
    parser.add_argument("--read", nargs="*")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.read:
        rows = pd.concat([pd.read_csv(path) for path in arguments.read], ignore_index=True)
    else:
        rows = pd.concat(
            [
                judge_world(name=name, replication=replication, seed=arguments.seed)
                for replication in range(arguments.first, arguments.first + arguments.replications)
                for name in arguments.worlds
            ],
            ignore_index=True,
        )
    if arguments.csv:
        rows.to_csv(arguments.csv, index=False)
    print(summary(rows))


if __name__ == "__main__":
    main()
