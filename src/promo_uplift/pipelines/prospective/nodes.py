"""From trials to decisions on the past, and what they were worth on the next campaign."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from promo_uplift import analysis
from promo_uplift.analysis import prospective
from promo_uplift.contracts.parameters import (
    AnalysisParameters,
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TrialParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.prospective_parameters import ProspectiveParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.reporting.prospective_figures import calibration_figure, prospective_run_record
from promo_uplift.reporting.run_record import RunRecord


def validate_next_campaigns(
    data: TrialData,
    trials: pd.DataFrame,
    windows: TrialParameters,
    parameters: ProspectiveParameters,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    checks: CheckParameters,
    wording: WordingParameters,
    seed: int,
) -> prospective.Prospective:
    """Decide before each campaign by the earlier ones, and judge the decision on it."""
    return prospective.validate_prospectively(
        data=data,
        zeros=prospective.time_zeros(trials=trials),
        outcome_days=windows.outcome_days,
        settings=AnalysisParameters(
            nuisance=nuisance,
            estimation=estimation,
            tuning=tuning,
            metrics=metrics,
            policy=policy,
            checks=checks,
            wording=wording,
        ),
        parameters=parameters,
        seed=seed,
    )


def tabulate_next_campaigns(
    found: prospective.Prospective,
    data: TrialData,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Lay out values, calibration and coverage."""
    values, calibration = (
        analysis.in_outcome_unit(table, policy=policy, wording=wording)
        for table in (
            prospective.value_table(found=found, policy=policy),
            prospective.calibration_table(found=found),
        )
    )
    return values, calibration, prospective.coverage_table(found=found, data=data)


def judge_next_campaigns(
    found: prospective.Prospective,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[dict[str, object], str]:
    """Hold the predictions against the checks of drift and calibration."""
    report = prospective.judge_predictions(found=found, checks=checks, wording=wording)
    text = prospective.prospective_text(found=found, report=report, policy=policy, wording=wording)
    return prospective.prospective_record(report), text


def draw_next_campaigns(
    found: prospective.Prospective, policy: PolicyParameters, wording: WordingParameters
) -> Figure:
    """Draw predicted and found effects, and what the decisions earned."""
    return calibration_figure(found=found, policy=policy, wording=wording)


def record_next_campaigns(found: prospective.Prospective, policy: PolicyParameters) -> RunRecord:
    """Collect the validation's metrics and tags."""
    return prospective_run_record(found=found, policy=policy)
