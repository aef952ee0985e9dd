"""From trial arrays to cross-fitted effects, ranking figures and the placebo."""

from __future__ import annotations

import sys

import pandas as pd

from promo_uplift import analysis
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TrialParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.effects import PlaceboEffect
from promo_uplift.metrics import RankingMetrics


def _shows_progress(tuning: TuningParameters) -> bool:
    """Whether bars are wanted and stderr is a terminal that can redraw them."""
    return tuning.progress and sys.stderr.isatty()


def estimate_nuisances(
    data: TrialData,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> CrossFittedNuisances:
    """Cross-fit propensity, outcome and redemption models by household, once."""
    return analysis.estimate_nuisances(
        data=data,
        nuisance=nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        seed=seed,
        progress=_shows_progress(tuning),
    )


def cross_fit_learners(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> dict[str, CrossFittedCate]:
    """Tune, fit and predict every learner for each held-out fold."""
    return analysis.cross_fit_learners(
        data=data,
        nuisances=nuisances,
        nuisance=nuisance,
        estimation=estimation,
        tuning=tuning,
        seed=seed,
        progress=_shows_progress(tuning),
    )


def rank_learners(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> tuple[RankingMetrics, pd.DataFrame]:
    """Judge every learner's ranking on held-out folds, with paired intervals."""
    return analysis.rank_learners(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, metrics=metrics, seed=seed
    )


def estimate_effects(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    metrics: MetricParameters,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> pd.DataFrame:
    """Average effects by campaign and pooled: naive, ATE, ATT, overlap, ATO."""
    table = analysis.average_effects(data=data, nuisances=nuisances, metrics=metrics, checks=checks)
    return analysis.in_outcome_unit(table, policy=policy, wording=wording)


def estimate_placebo(
    data: TrialData,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    trials: TrialParameters,
    seed: int,
) -> tuple[PlaceboEffect, pd.DataFrame]:
    """Estimate the same effects on an outcome from before the treatment."""
    return analysis.estimate_placebo(
        data=data,
        days=0 if data.row is not None else trials.placebo_shift_days,  # a table names no window
        nuisance=nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        metrics=metrics,
        checks=checks,
        seed=seed,
        progress=_shows_progress(tuning),
    )


def collect_studies(cross_fitted: dict[str, CrossFittedCate]) -> pd.DataFrame:
    """Collect every study: its trials, its gain over the defaults, what ended it."""
    return analysis.tuning_table(cross_fitted)


def collect_scores(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    policy: PolicyParameters,
    wording: WordingParameters,
) -> pd.DataFrame:
    """Held-out effects, scores and nuisances of every row, for whoever wants to look closer."""
    table = analysis.scores_table(data=data, nuisances=nuisances, cross_fitted=cross_fitted)
    return analysis.in_outcome_unit(table, policy=policy, wording=wording)
