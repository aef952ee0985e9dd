"""The result of the experiment: effects, recalibrated predictions, verdict."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from promo_uplift import analysis
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import (
    CheckParameters,
    MetricParameters,
    PolicyParameters,
    WordingParameters,
)
from promo_uplift.reporting.experiment_figures import experiment_run_record, found_figure
from promo_uplift.reporting.run_record import RunRecord

#: Characters per line of the printed verdict.
TEXT_WIDTH = 96


def analyse_experiment(
    result: pd.DataFrame,
    assignment: pd.DataFrame,
    plan: dict[str, Any],
    checks: CheckParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    experiment: ExperimentParameters,
    wording: WordingParameters,
) -> tuple[dict[str, object], pd.DataFrame, pd.DataFrame, str, Figure, RunRecord]:
    """Hold the result to the lots, find the effects, recalibrate, and reach the verdict."""
    worth = analysis.worth_finding(plan)
    concluded = analysis.conclude_experiment(
        result=result,
        assignment=assignment,
        worth_finding_usd=worth,
        policy=policy,
        parameters=experiment,
        level=metrics.level,
        power=checks.power,
        wording=wording,
    )
    effects, recalibrated = (
        analysis.in_outcome_unit(table, policy=policy, wording=wording)
        for table in (concluded.findings.strata, concluded.recalibrated)
    )
    return (
        concluded.record(),
        effects,
        recalibrated,
        analysis.experiment_verdict_text(verdict=concluded.verdict, width=TEXT_WIDTH),
        found_figure(findings=concluded.findings, worth_finding_usd=worth, wording=wording),
        experiment_run_record(
            findings=concluded.findings, verdict=concluded.verdict, policy=policy, result=result
        ),
    )
