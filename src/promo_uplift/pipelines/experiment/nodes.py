"""The next experiment: its plan, its power, and who is mailed by lot."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from promo_uplift import analysis
from promo_uplift.analysis import NextExperiment
from promo_uplift.checks import Verdict
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import (
    CheckParameters,
    MetricParameters,
    PolicyParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.experiments import Evidence
from promo_uplift.metrics import Selection
from promo_uplift.policy import PolicyEvaluation, PolicySuite
from promo_uplift.reporting.experiment_figures import power_figure

#: Characters per line of a printed text.
TEXT_WIDTH = 96


def plan_experiment(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    trials: TrialParameters,
    checks: CheckParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    experiment: ExperimentParameters,
    wording: WordingParameters,
) -> tuple[NextExperiment, pd.DataFrame, Figure]:
    """Plan the experiment that would settle what this run could not."""
    planned = analysis.plan_next_experiment(
        data=data,
        nuisances=nuisances,
        fitted=cross_fitted[selection.shown],
        evidence=Evidence(
            data=data,
            nuisances=nuisances,
            policy=policy,
            level=metrics.level,
            power=checks.power,
            # a table brings its own window, of whatever length
            outcome_days=None if data.row is not None else trials.outcome_days,
        ),
        parameters=experiment,
        wording=wording,
    )
    power = analysis.in_outcome_unit(planned.power, policy=policy, wording=wording)
    figure = power_figure(power=planned.power, plan=planned.plan, wording=wording)
    return planned, power, figure


def recommend(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    by_learner: dict[str, PolicyEvaluation],
    suite: PolicySuite,
    verdict: Verdict,
    planned: NextExperiment,
    checks: CheckParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    experiment: ExperimentParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[dict[str, object], str]:
    """Say whether anything beats choosing nobody or everybody, and what would settle it."""
    found = analysis.recommend(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        by_learner=by_learner,
        suite=suite,
        verdict=verdict,
        policy=policy,
        metrics=metrics,
        power=checks.power,
        seed=seed,
    )
    text = analysis.recommendation_text(
        recommendation=found,
        planned=planned,
        experiment=experiment,
        policy=policy,
        wording=wording,
        width=TEXT_WIDTH,
    )
    return found.record(), text


def assign_households(
    planned: NextExperiment,
    policy: PolicyParameters,
    experiment: ExperimentParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, object], str]:
    """Draw the lots of every wave, and say with the plan whether they could be drawn."""
    lots = analysis.draw_lots(experiment=planned, policy=policy, parameters=experiment, seed=seed)
    return (
        lots.table,
        lots.balance,
        analysis.plan_record(experiment=planned, lots=lots, seed=seed),
        analysis.plan_text(experiment=planned, lots=lots, wording=wording),
    )
