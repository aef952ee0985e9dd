"""What the lenses look at: panel, calendar and trials of every campaign."""

from __future__ import annotations

import ibis.expr.types as ir
import pandas as pd

from promo_uplift.analysis.campaigns.adjusted_lens import AdjustedSettings
from promo_uplift.analysis.campaigns.definitions import campaign_trials
from promo_uplift.analysis.campaigns.judge import DataFacts
from promo_uplift.analysis.campaigns.panel_lens import SPEND
from promo_uplift.contracts.campaign_parameters import CampaignParameters
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import CheckParameters, MetricParameters, TrialParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.trials import without_rows
from promo_uplift.trials.calendar_panel import calendar_panel
from promo_uplift.trials.panel import household_week_panel
from promo_uplift.trials.panel_selection import PanelWeeks, select_panel_campaigns


def trial_parameters(*, parameters: CampaignParameters, trials: TrialParameters) -> TrialParameters:
    """Return the configured trials for every campaign that is measured, with its windows."""
    return trials.model_copy(
        update={
            "campaign_types": list(parameters.panel.campaign_types),
            "campaigns": None,
            "pre_days": parameters.adjusted.pre_days,
            "history_days": parameters.adjusted.history_days,
            "min_arm_households": parameters.panel.min_arm_households,
        }
    )


def adjusted_settings(
    *, metrics: MetricParameters, checks: CheckParameters, trials: TrialParameters, seed: int
) -> AdjustedSettings:
    """Return what the cross-section takes from the rest of the configuration."""
    return AdjustedSettings(
        outcome=SPEND,
        level=metrics.level,
        power=checks.power,
        overlap=(checks.overlap_low, checks.overlap_high),
        placebo_days=trials.placebo_shift_days,
        max_smd=checks.max_weighted_smd,
        seed=seed,
    )


def build_panel(
    *, tables: CanonicalTables, parameters: CampaignParameters, trials: TrialParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Household x week panel of every campaign, and the report on all that were considered."""
    chosen = trial_parameters(parameters=parameters, trials=trials)
    weeks = PanelWeeks(
        pre_weeks=parameters.panel.pre_weeks,
        post_weeks=parameters.panel.post_weeks,
        eligibility_days=chosen.pre_days,
        min_pre_weeks=parameters.panel.min_pre_weeks,
    )
    selection = select_panel_campaigns(tables=tables, parameters=chosen, weeks=weeks)
    panel = household_week_panel(
        tables=tables, campaigns=selection.campaigns, parameters=chosen, weeks=weeks
    )
    return panel, selection.report


def build_calendar(
    *, tables: CanonicalTables, parameters: CampaignParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Household x calendar period panel with the period of the first mailing, and its report."""
    found = calendar_panel(
        tables=tables,
        campaign_types=parameters.staggered.campaign_types,
        period_weeks=parameters.staggered.period_weeks,
    )
    cohorts = found.cohorts.assign(quantity="cohort " + found.cohorts["cohort"].astype(str))
    report = pd.concat(
        [
            found.report,
            cohorts.rename(columns={"n_households": "value", "period_start": "meaning"})[
                ["quantity", "value", "meaning"]
            ],
        ],
        ignore_index=True,
    )
    return found.panel, report


def build_trials(
    *, tables: CanonicalTables, parameters: CampaignParameters, trials: TrialParameters
) -> tuple[TrialData, TrialData, pd.DataFrame]:
    """Trials of every campaign whose windows the data covers, their placebos, and the report.

    Raises
    ------
    TrialError
        If no campaign has a covered trial.
    """
    chosen = trial_parameters(parameters=parameters, trials=trials)
    data, report = campaign_trials(tables=tables, parameters=chosen, outcome=SPEND)
    if data is None:
        raise TrialError(
            "`campaigns` must hold a campaign whose windows the data covers, found none; "
            f"{'; '.join(report['reason'].head(3))}."
        )
    placebo, _ = campaign_trials(
        tables=tables, parameters=chosen, outcome=SPEND, shift_days=trials.placebo_shift_days
    )
    return data, without_rows(data) if placebo is None else placebo, report


def data_facts(*, transactions: ir.Table, panel: pd.DataFrame) -> DataFacts:
    """Return what the checks ask of the data: its dates and the panel."""
    dates = transactions.aggregate(first=transactions.date.min(), last=transactions.date.max())
    row = dates.to_pyarrow().to_pylist()[0]
    return DataFacts(first=row["first"], last=row["last"], panel=panel)
