"""Figures, and the record that the tracking store keeps of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from promo_uplift.analysis import (
    HiddenConfounding,
    held_out_scores,
    in_outcome_unit,
    overlap_of,
)
from promo_uplift.checks import Verdict
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    ExplanationParameters,
    MetricParameters,
    PolicyParameters,
    ReportParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.explanation import Explanation
from promo_uplift.metrics import (
    RankingMetrics,
    Selection,
    group_effects,
    targeting_operator,
    uplift_curves,
)
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.policy import DecidingPolicy, PolicyEvaluation, PolicySuite
from promo_uplift.reporting.figures import (
    calibration_figure,
    effects_figure,
    overlap_figure,
    profit_figure,
    reliability_figure,
    uplift_figure,
)
from promo_uplift.reporting.heterogeneity_figures import (
    affected_figure,
    drivers_figure,
    rules_figure,
    toc_figure,
)
from promo_uplift.reporting.policy_figures import breakeven_figure
from promo_uplift.reporting.policy_rule_figures import policy_comparison_figure
from promo_uplift.reporting.run_record import RunRecord, money_tag, run_record
from promo_uplift.reporting.sensitivity_figures import policy_sensitivity_figure
from promo_uplift.reporting.tuning_figures import (
    tuning_history_figure,
    tuning_importances_figure,
)
from promo_uplift.tuning.importance import importances


def draw_uplift_curves(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    metrics: MetricParameters,
    report: ReportParameters,
    wording: WordingParameters,
    seed: int,
) -> Figure:
    """Draw gain curves of the champion and its baselines."""
    names = (selection.champion, selection.shown, "response", "random")
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
        champion=selection.champion,
        shown=selection.shown,
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


def draw_policy_sensitivity(
    hidden: HiddenConfounding,
    policy: PolicyParameters,
    metrics: MetricParameters,
    report: ReportParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw bounds of the chosen policy's profit over the strength of a hidden trait."""
    return policy_sensitivity_figure(
        hidden=hidden,
        is_money_stated=policy.are_stated,
        level=metrics.level,
        shown=report.yardsticks_shown,
        wording=wording,
    )


def draw_breakeven_grid(
    grid: pd.DataFrame,
    policy: PolicyParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw profit over contact cost and margin."""
    return breakeven_figure(grid=grid, parameters=policy, level=metrics.level, wording=wording)


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


def draw_reliability(
    reliability: pd.DataFrame, metrics: MetricParameters, wording: WordingParameters
) -> Figure:
    """Draw predicted propensities against the shares treated."""
    return reliability_figure(reliability=reliability, level=metrics.level, wording=wording)


def draw_calibration(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    ranking: RankingMetrics,
    metrics: MetricParameters,
    report: ReportParameters,
    wording: WordingParameters,
    seed: int,
) -> Figure:
    """Draw predicted effects against the effects found in groups of them."""
    learner = selection.shown
    cate = cross_fitted[learner].held_out()
    groups = group_effects(
        scores=held_out_scores(data=data, nuisances=nuisances),
        cate=cate,
        fold=nuisances.fold,
        groups=data.groups,
        n_groups=report.calibration_groups,
        level=metrics.level,
        draws=metrics.simultaneous_draws,
        rng=derived_rng(seed=seed, purpose="calibration"),
    ).table
    slope = ranking.figures[learner]["calibration_slope"]
    return calibration_figure(
        cate=cate,
        groups=groups,
        learner=learner,
        champion=selection.champion,
        slope=f"{slope.estimate:.2f} ({slope.ci_low:.2f} to {slope.ci_high:.2f})",
        bins=report.histogram_bins,
        wording=wording,
    )


def draw_toc(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    metrics: MetricParameters,
    report: ReportParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[pd.DataFrame, Figure]:
    """Draw how far the top share's effect exceeds the average, by learner and baselines."""
    names = (selection.shown, "response", "random")
    toc = targeting_operator(
        scores=held_out_scores(data=data, nuisances=nuisances),
        rankings={name: cross_fitted[name].held_out() for name in names},
        fold=nuisances.fold,
        groups=data.groups,
        shares=np.linspace(report.toc_smallest_share, 1.0, report.curve_points),
        level=metrics.level,
        replicates=metrics.bootstrap_replicates,
        rng=derived_rng(seed=seed, purpose="toc"),
    )
    figure = toc_figure(toc=toc, learner=selection.shown, level=metrics.level, wording=wording)
    return in_outcome_unit(toc, policy=policy, wording=wording), figure


def draw_policy_comparison(
    suite: PolicySuite, policy: PolicyParameters, wording: WordingParameters
) -> Figure:
    """Draw every policy's value beside the baselines."""
    return policy_comparison_figure(suite=suite, parameters=policy, wording=wording)


def draw_affected(
    clan: pd.DataFrame,
    found: Explanation,
    explanation: ExplanationParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
) -> Figure:
    """Draw who the most and the least affected are."""
    return affected_figure(
        clan=clan,
        learner=found.learner,
        warning=found.warning,
        shown=explanation.shown,
        n_groups=metrics.effect_groups,
        level=metrics.level,
        wording=wording,
    )


def draw_drivers(
    found: Explanation, explanation: ExplanationParameters, wording: WordingParameters
) -> Figure:
    """Draw what drives the champion's effects."""
    return drivers_figure(found=found, shown=explanation.shown, wording=wording)


def draw_rules(found: Explanation, metrics: MetricParameters, wording: WordingParameters) -> Figure:
    """Draw the effects that a few rules find."""
    return rules_figure(found=found, level=metrics.level, wording=wording)


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
    decider: DecidingPolicy,
    verdict: Verdict,
    data_version: str,
    windows: TrialParameters,
    policy: PolicyParameters,
    checks: CheckParameters,
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
        decider=decider,
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
    )
