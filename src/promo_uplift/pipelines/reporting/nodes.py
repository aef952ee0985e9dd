"""Figures, and the record that the tracking store keeps of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from promo_uplift.analysis import held_out_scores, overlap_of, value_of_modelling
from promo_uplift.checks import Verdict
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    PolicyParameters,
    ReportParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.metrics import RankingMetrics, group_effects, uplift_curves
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.policy import PolicyEvaluation
from promo_uplift.reporting.figures import (
    calibration_figure,
    effects_figure,
    overlap_figure,
    profit_figure,
    uplift_figure,
)
from promo_uplift.reporting.run_record import RunRecord, money_tag, run_record
from promo_uplift.reporting.tuning_figures import (
    tuning_history_figure,
    tuning_importances_figure,
)
from promo_uplift.tuning.importance import importances


def draw_uplift_curves(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    metrics: MetricParameters,
    report: ReportParameters,
    wording: WordingParameters,
    seed: int,
) -> Figure:
    """Draw gain curves of the champion and its baselines."""
    names = (evaluation.champion, "response", "random")
    curves = uplift_curves(
        scores=held_out_scores(data=data, nuisances=nuisances),
        rankings={name: cross_fitted[name].held_out() for name in names},
        fold=nuisances.fold,
        groups=data.groups,
        shares=np.linspace(0.0, 1.0, report.curve_points),
        level=metrics.level,
        replicates=metrics.bootstrap_replicates,
        rng=derived_rng(seed=seed, purpose="curves"),
    )
    return uplift_figure(
        curves=curves,
        champion=evaluation.champion,
        level=metrics.level,
        wording=wording,
    )


def draw_profit_curve(
    curve: pd.DataFrame,
    evaluation: PolicyEvaluation,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw profit over the share mailed."""
    return profit_figure(curve=curve, evaluation=evaluation, parameters=policy, wording=wording)


def draw_overlap(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    checks: CheckParameters,
    report: ReportParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw the chance of being mailed, by arm."""
    return overlap_figure(
        raw_propensity=nuisances.assignment_propensity(),
        treatment=data.treatment,
        overlap_low=checks.overlap_low,
        overlap_high=checks.overlap_high,
        bins=report.histogram_bins,
        wording=wording,
    )


def draw_calibration(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    ranking: RankingMetrics,
    metrics: MetricParameters,
    report: ReportParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw predicted effects against the effects found in groups of them."""
    cate = cross_fitted[evaluation.champion].held_out()
    groups = group_effects(
        scores=held_out_scores(data=data, nuisances=nuisances),
        cate=cate,
        fold=nuisances.fold,
        groups=data.groups,
        n_groups=report.calibration_groups,
        level=metrics.level,
    )
    slope = ranking.figures[evaluation.champion]["calibration_slope"]
    return calibration_figure(
        cate=cate,
        groups=groups,
        learner=evaluation.champion,
        slope=f"{slope.estimate:.2f} ({slope.ci_low:.2f} to {slope.ci_high:.2f})",
        bins=report.histogram_bins,
        wording=wording,
    )


def draw_effects(
    effects: pd.DataFrame, metrics: MetricParameters, wording: WordingParameters
) -> Figure:
    """Draw the forest plot of average effects."""
    return effects_figure(effects=effects, level=metrics.level, wording=wording)


def draw_tuning_history(cross_fitted: dict[str, CrossFittedCate]) -> Figure:
    """Draw how far each search got beyond the defaults, and where it ended."""
    return tuning_history_figure(
        trials={name: one.tuning for name, one in cross_fitted.items() if len(one.tuning)}
    )


def draw_tuning_importances(
    cross_fitted: dict[str, CrossFittedCate],
    estimation: EstimationParameters,
    report: ReportParameters,
    seed: int,
) -> Figure:
    """Draw which hyperparameters moved the loss."""
    return tuning_importances_figure(
        found={
            name: importances(
                trials=one.tuning,
                search_space=estimation.learners[name].search_space,
                min_trials=report.importance_min_trials,
                seed=derived_seed(seed=seed, purpose=f"importances/{name}"),
            )
            for name, one in cross_fitted.items()
            if len(one.tuning)
        },
        min_trials=report.importance_min_trials,
    )


def record_run(
    trials: pd.DataFrame,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    ranking: RankingMetrics,
    leaderboard: pd.DataFrame,
    evaluation: PolicyEvaluation,
    by_learner: dict[str, PolicyEvaluation],
    verdict: Verdict,
    data_version: str,
    windows: TrialParameters,
    policy: PolicyParameters,
    checks: CheckParameters,
    metrics: MetricParameters,
    seed: int,
) -> RunRecord:
    """Collect what the tracking store keeps of this run."""
    return run_record(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        ranking=ranking,
        losses=leaderboard,
        evaluation=evaluation,
        by_learner=by_learner,
        overlap=overlap_of(data=data, nuisances=nuisances, checks=checks),
        is_money_stated=policy.are_stated,
        tags={
            "verdict": verdict.name,
            "verdict_reasons": ", ".join(verdict.reasons),
            "champion": evaluation.champion,
            "treatment_definition": data.comparison or windows.treatment_definition,
            "data_version": data_version,
            "money": money_tag(policy),
        },
        inputs={"trials": trials},
        values=value_of_modelling(
            data=data,
            nuisances=nuisances,
            cross_fitted=cross_fitted,
            champion_by_fold=evaluation.learner_by_fold,
            metrics=metrics,
            seed=seed,
        ),
    )
