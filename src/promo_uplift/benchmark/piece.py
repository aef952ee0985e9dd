"""One world, once: simulate it, analyse it as a run would, judge the analysis by the truth."""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
import pandas as pd

from promo_uplift.analysis import (
    Analysis,
    AnalysisParameters,
    analyse_trials,
    average_effects,
    held_out_scores,
)
from promo_uplift.benchmark.held_out import held_out_nuisances
from promo_uplift.benchmark.judge import (
    COLUMNS,
    SECONDS,
    Judgements,
    Question,
    judge_analysis,
    judge_effects,
    judge_groups,
    judge_ranking,
)
from promo_uplift.benchmark.simulated import RetailSimulator, simulated_trials
from promo_uplift.benchmark.textbook import nie_wager_trials, spend_trials
from promo_uplift.benchmark.truth import sample_folds
from promo_uplift.benchmark.worlds import (
    AnalysisSizes,
    AnyWorld,
    NieWagerWorld,
    SpendWorld,
)
from promo_uplift.contracts.results import (
    CrossFittedNuisances,
    FloatArray,
    TrialData,
    TrialTruth,
)
from promo_uplift.learners.registry import learner_role
from promo_uplift.metrics import ranking_metrics
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.tuning import held_out_interval

Depth = Literal["full", "effects"]
#: The ranking that costs nothing: the difference of the two outcome nuisances.
PLUG_IN = "plug_in"


def sized_parameters(*, parameters: AnalysisParameters, sizes: AnalysisSizes) -> AnalysisParameters:
    """Return a run's own parameters with the benchmark's sizes; nothing is tuned, nothing resumes.

    Whatever learner the run has takes part: a new one joins by being registered and configured.
    """
    learners = {
        name: learner.model_copy(
            update={"defaults": {**learner.defaults, **sizes.learners.get(name, {})}}
        )
        for name, learner in parameters.estimation.learners.items()
    }
    return parameters.model_copy(
        update={
            "nuisance": parameters.nuisance.model_copy(
                update={"n_folds": sizes.n_folds, "n_trials": 0, "n_repeats": 1, "store": None}
            ),
            "estimation": parameters.estimation.model_copy(
                update={
                    "learners": learners,
                    "n_workers": 1,
                    "interval_replicates": sizes.interval_replicates,
                }
            ),
            "tuning": parameters.tuning.model_copy(
                update={"n_trials": 0, "storage": None, "progress": False}
            ),
            "metrics": parameters.metrics.model_copy(
                update={"bootstrap_replicates": sizes.bootstrap_replicates}
            ),
            "policy": parameters.policy.model_copy(
                update={
                    "redemption_cost_usd": sizes.redemption_cost_usd,
                    "grid_points": sizes.grid_points,
                }
            ),
        }
    )


def with_nuisance_of(*, world: AnyWorld, parameters: AnalysisParameters) -> AnalysisParameters:
    """Return the parameters with the world's own sizes of the nuisances, if it has any."""
    if not isinstance(world, NieWagerWorld) or not world.nuisance:
        return parameters
    model = parameters.nuisance.model
    # nothing is tuned here, so nothing is searched
    own = model.model_copy(
        update={"defaults": {**model.defaults, **world.nuisance}, "search_space": {}}
    )
    return parameters.model_copy(
        update={"nuisance": parameters.nuisance.model_copy(update={"model": own})}
    )


def world_trials(
    *,
    world: AnyWorld,
    n_households: int,
    seed: int,
    simulator: RetailSimulator | None,
) -> tuple[TrialData, TrialTruth]:
    """Trials and truth of a world, a pure function of its parameters, size and seed."""
    if isinstance(world, NieWagerWorld):
        rng = np.random.default_rng(seed)
        return nie_wager_trials(world=world, n_households=n_households, rng=rng)
    if isinstance(world, SpendWorld):
        rng = np.random.default_rng(seed)
        return spend_trials(world=world, n_households=n_households, rng=rng)
    return simulated_trials(world=world, n_households=n_households, seed=seed, simulator=simulator)


def run_piece(  # noqa: PLR0913 - one piece, named in full by its caller
    *,
    name: str,
    world: AnyWorld,
    n_households: int,
    depth: Depth,
    replication: int,
    parameters: AnalysisParameters,
    quantiles: int,
    seed: int,
    simulator: RetailSimulator | None = None,
) -> pd.DataFrame:
    """Simulate, analyse and judge one replication of a world.

    Parameters
    ----------
    name : str
        The world's name; with size, depth and replication it decides the seed.
    world : World
        Its parameters.
    n_households : int
    depth : {"full", "effects"}
        ``effects`` runs nuisances, average effects and the ranking by their difference only.
    replication : int
    parameters : AnalysisParameters
        Of :func:`sized_parameters`.
    quantiles : int
        Groups of predicted effect.
    seed : int
        The benchmark's seed.
    simulator : RetailSimulator, optional
        What simulated worlds are drawn from.

    Returns
    -------
    DataFrame
        ``world, n_households, depth, replication, subject, figure, value, truth, ci_low, ci_high,
        covered``; equal inputs give equal rows but for those of the figure ``seconds``.
    """
    parameters = with_nuisance_of(world=world, parameters=parameters)
    own = derived_seed(
        seed=seed, purpose=f"benchmark/{name}/{depth}", index=(n_households, replication)
    )
    started = time.perf_counter()
    data, truth = world_trials(
        world=world,
        n_households=n_households,
        seed=derived_seed(seed=own, purpose="world"),
        simulator=simulator,
    )
    simulated = time.perf_counter() - started
    question = Question(
        data=data,
        truth=truth,
        metrics=parameters.metrics,
        checks=parameters.checks,
        policy=parameters.policy,
        quantiles=quantiles,
    )
    if depth == "effects":
        table = _effects_only(question=question, parameters=parameters, seed=own)
    else:
        analysis = analyse_trials(data=data, parameters=parameters, seed=own)
        table = judge_analysis(question=question, analysis=analysis)
        if replication < world.pointwise:
            pointwise = _pointwise(
                question=question, analysis=analysis, parameters=parameters, seed=own
            )
            table = pd.concat([table, pointwise], ignore_index=True)
    rows = Judgements()
    rows.add("stage: world", SECONDS, simulated)
    rows.add("stage: piece", SECONDS, time.perf_counter() - started)
    table = pd.concat([table, rows.table()], ignore_index=True)
    keys: dict[str, Any] = {
        "world": name,
        "n_households": n_households,
        "depth": depth,
        "replication": replication,
    }
    return table.assign(**keys)[list(COLUMNS)]


def _effects_only(*, question: Question, parameters: AnalysisParameters, seed: int) -> pd.DataFrame:
    rows = Judgements()
    data = question.data
    nuisances = held_out_nuisances(data=data, parameters=parameters.nuisance, seed=seed)
    effects = average_effects(
        data=data, nuisances=nuisances, metrics=parameters.metrics, checks=parameters.checks
    )
    judge_effects(rows=rows, question=question, nuisances=nuisances, effects=effects)
    cate = _plug_in(nuisances)
    ranking = ranking_metrics(
        scores=held_out_scores(data=data, nuisances=nuisances),
        rankings={
            PLUG_IN: cate,
            "random": np.zeros_like(cate),
            "constant": np.zeros_like(cate),
            "response": nuisances.held_out().mu0,
        },
        fold=nuisances.fold,
        groups=data.groups,
        parameters=parameters.metrics,
        rng=derived_rng(seed=seed, purpose="ranking"),
    )
    judge_ranking(
        rows=rows,
        question=question,
        folds=sample_folds(fold=nuisances.fold, groups=data.groups),
        learner=PLUG_IN,
        cate=cate,
        ranking=ranking,
    )
    judge_groups(rows=rows, question=question, nuisances=nuisances, learner=PLUG_IN, cate=cate)
    return rows.table()


def _plug_in(nuisances: CrossFittedNuisances) -> FloatArray:
    held_out = nuisances.held_out()
    return held_out.mu1 - held_out.mu0


def _multiple(off: FloatArray, half: FloatArray, level: float) -> float:
    """Multiple of the half-widths that holds ``level`` of the errors; NaN if no multiple does."""
    needed = np.full(len(off), np.inf)
    np.divide(off, half, out=needed, where=half > 0.0)
    multiple = float(np.quantile(needed, level, method="higher"))
    return multiple if np.isfinite(multiple) else float("nan")


def _pointwise(
    *, question: Question, analysis: Analysis, parameters: AnalysisParameters, seed: int
) -> pd.DataFrame:
    """Share of rows whose true effect lies in the learner's own interval, and its mean width.

    ``pointwise_multiple`` is the multiple of the half-width that would have held the level's share
    of rows: 1 where the interval is right, NaN where a learner without spread is wrong.
    """
    rows = Judgements()
    for name, fitted in analysis.cross_fitted.items():
        if learner_role(name) != "cate":
            continue
        started = time.perf_counter()
        bounds = held_out_interval(
            fitted=fitted,
            data=question.data,
            nuisances=analysis.nuisances,
            level=question.metrics.level,
            n_replicates=parameters.estimation.interval_replicates,
            seed=seed,
            n_workers=1,
        )
        cate = question.truth.cate
        half = (bounds[:, 1] - bounds[:, 0]) / 2.0
        off = np.abs(cate - bounds.mean(axis=1))
        rows.add(name, "pointwise_coverage", float((off <= half).mean()), question.metrics.level)
        rows.add(name, "pointwise_width_usd", float(2.0 * half.mean()))
        rows.add(name, "pointwise_multiple", _multiple(off, half, question.metrics.level), 1.0)
        rows.add(f"stage: interval of {name}", SECONDS, time.perf_counter() - started)
    return rows.table()
