"""From trial arrays to cross-fitted effects, ranking figures and the placebo."""

from __future__ import annotations

import sys
from typing import Any

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
from promo_uplift.effects import PlaceboEffect, reliability_table
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics, Selection, metric_versions


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


def choose_champion(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    estimation: EstimationParameters,
) -> tuple[Selection, pd.DataFrame]:
    """Choose the learner that speaks for the run, and for each fold without it."""
    selection = analysis.choose_champion(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    return selection, selection.table


def rank_learners(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    seed: int,
) -> tuple[RankingMetrics, pd.DataFrame]:
    """Judge every learner's ranking on held-out folds, with paired intervals."""
    return analysis.rank_learners(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        metrics=metrics,
        seed=seed,
        configured=estimation.learners,
    )


def compare_definitions(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> pd.DataFrame:
    """Put every learner's ranking under every definition of Qini and AUUC."""
    return analysis.compare_definitions(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, metrics=metrics, seed=seed
    )


def find_heterogeneity(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    metrics: MetricParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[analysis.Heterogeneity, pd.DataFrame, pd.DataFrame]:
    """Test every learner of effects for heterogeneity, and value groups of predicted effect."""
    found = analysis.find_heterogeneity(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, metrics=metrics, seed=seed
    )
    blp, gates = (
        analysis.in_outcome_unit(table, policy=policy, wording=wording)
        for table in (found.blp, found.gates)
    )
    return found, blp, gates


def compare_metric_versions(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    ranking: RankingMetrics,
    metrics: MetricParameters,
) -> pd.DataFrame:
    """Naive, IPW and DR versions of each learner's figures, side by side."""
    return metric_versions(
        data=data,
        nuisances=nuisances,
        rankings={name: fitted.held_out() for name, fitted in cross_fitted.items()},
        ranking=ranking,
        uplift_shares=metrics.uplift_shares,
    )


def estimate_effects(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
    seed: int,
) -> pd.DataFrame:
    """Average effects by campaign and pooled: naive, ATE, ATT, overlap, ATO."""
    table = analysis.repeated_effects(
        data=data,
        nuisances=nuisances,
        nuisance=nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        metrics=metrics,
        checks=checks,
        seed=seed,
        progress=_shows_progress(tuning),
    )
    return analysis.in_outcome_unit(table, policy=policy, wording=wording)


def assess_reliability(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    metrics: MetricParameters,
) -> pd.DataFrame:
    """Hold predicted propensities against the shares treated, before and after calibration."""
    return reliability_table(
        nuisances=nuisances,
        treatment=data.treatment,
        groups=data.groups,
        parameters=nuisance,
        level=metrics.level,
    )


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


def judge_effects(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    ranking: RankingMetrics,
    placebo: PlaceboEffect,
    window_audit: dict[str, Any],
    effects: pd.DataFrame,
    trials: TrialParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    wording: WordingParameters,
) -> tuple[pd.DataFrame, dict[str, object], str]:
    """Hold the effects against every check that needs no money; the verdict is the worst."""
    report = analysis.check_effects(
        data=data,
        nuisances=nuisances,
        ranking=ranking,
        placebo=placebo,
        windows=WindowAudit.from_record(window_audit),
        treatment_definition=None if data.row is not None else trials.treatment_definition,
        effects=effects,
        metrics=metrics,
        checks=checks,
        wording=wording,
    )
    return report.table, report.record(), report.text
