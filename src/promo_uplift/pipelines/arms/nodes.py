"""From a table with several arms to an allocation under a budget, and its value."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from promo_uplift import analysis
from promo_uplift.analysis import Analysis, ArmAllocation, ArmCurves, ArmEffects, ArmsTable
from promo_uplift.contracts.arm_parameters import ArmsParameters
from promo_uplift.contracts.parameters import (
    AnalysisParameters,
    CheckParameters,
    EstimationParameters,
    ExplanationParameters,
    MetricParameters,
    NuisanceParameters,
    PoliciesParameters,
    PolicyParameters,
    TableParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.reporting.arm_figures import arm_run_record, cost_curve_figure
from promo_uplift.reporting.run_record import RunRecord
from promo_uplift.sources import read_table_file

#: Characters per line of a printed text.
TEXT_WIDTH = 96


def open_arms(
    table: TableParameters,
    arms: ArmsParameters,
    estimation: EstimationParameters,
    policy: PolicyParameters,
) -> tuple[ArmsTable, pd.DataFrame]:
    """Read the table with all its arms, their costs and the budget; refuse what has no meaning."""
    path = None if table.path is None else Path(table.path)
    read = analysis.read_arms(
        frame=read_table_file(path=path),
        table=table,
        arms=arms,
        estimation=analysis.only_what_competes(estimation),
        policy=policy,
    )
    return read, read.columns


def parametrise_arms(
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    policies: PoliciesParameters,
    checks: CheckParameters,
    wording: WordingParameters,
    explanation: ExplanationParameters,
) -> AnalysisParameters:
    """Bring together what the analyses of all arms are a function of."""
    return AnalysisParameters(
        nuisance=nuisance,
        estimation=analysis.only_what_competes(estimation),
        tuning=tuning,
        metrics=metrics,
        policy=policy,
        policies=policies,
        checks=checks,
        wording=wording,
        explanation=explanation,
    )


def analyse_arms(
    table: ArmsTable, parameters: AnalysisParameters, seed: int
) -> dict[str, Analysis]:
    """Analyse each arm against the control, to its verdict."""
    return analysis.analyse_arms(
        table=table,
        parameters=parameters,
        seed=seed,
        progress=parameters.tuning.progress and sys.stderr.isatty(),
    )


def judge_arms(
    table: ArmsTable, analyses: dict[str, Analysis], parameters: AnalysisParameters
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Lay out checks and average effects of each arm, and say its verdict."""
    return (
        analysis.arm_checks_table(analyses=analyses),
        analysis.arm_effects_table(analyses=analyses, parameters=parameters),
        analysis.arm_verdicts_text(table=table, analyses=analyses, width=TEXT_WIDTH),
    )


def cross_fit_arms(table: ArmsTable, parameters: AnalysisParameters, seed: int) -> ArmEffects:
    """Predict and score every arm for every row, by models that did not see it."""
    return analysis.cross_fit_arms(
        arms=table.arms, learner=table.learner, parameters=parameters, seed=seed
    )


def value_budgets(
    table: ArmsTable,
    effects: ArmEffects,
    arms: ArmsParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[ArmCurves, pd.DataFrame, Figure]:
    """Value what every budget buys with all arms, with each alone, and at random."""
    curves = analysis.arm_cost_curves(
        effects=effects,
        costs=table.costs,
        budgets=arms.budgets,
        budget=table.budget_usd,
        policy=policy,
        replicates=arms.replicates,
        level=metrics.level,
        seed=seed,
    )
    figure = cost_curve_figure(
        curves=curves, budget_usd=table.budget_usd, policy=policy, wording=wording
    )
    return curves, analysis.cost_curve_table(curves), figure


def allocate_budget(
    table: ArmsTable,
    effects: ArmEffects,
    analyses: dict[str, Analysis],
    arms: ArmsParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    seed: int,
) -> tuple[ArmAllocation, pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Give each row an arm or none within the budget, value that, and say so."""
    found = analysis.allocate_arms(
        effects=effects,
        control=table.arms.control,
        costs=table.costs,
        budget=table.budget_usd,
        policy=policy,
        verdicts={arm: one.verdict.name for arm, one in analyses.items()},
        replicates=arms.replicates,
        level=metrics.level,
        power=checks.power,
        seed=seed,
    )
    text = analysis.arm_allocation_text(
        table=table,
        effects=effects,
        analyses=analyses,
        allocation=found,
        policy=policy,
        width=TEXT_WIDTH,
    )
    return found, found.table, found.table, found.value, text


def record_arms(
    table: ArmsTable,
    analyses: dict[str, Analysis],
    allocation: ArmAllocation,
    policy: PolicyParameters,
) -> RunRecord:
    """Collect the metrics and tags of the run."""
    return arm_run_record(table=table, analyses=analyses, allocation=allocation, policy=policy)
