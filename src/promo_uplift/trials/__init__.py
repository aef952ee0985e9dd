"""Trials: which campaigns, which households, which arm, what outcome."""

from promo_uplift.features import usable_covariates, window_audit
from promo_uplift.trials.arrays import to_trial_data, without_rows
from promo_uplift.trials.as_of import HouseholdCut, households_as_of
from promo_uplift.trials.build import LEADING, build_trials
from promo_uplift.trials.calendar_panel import CalendarPanel, calendar_panel
from promo_uplift.trials.controls import CONTROL_DEFINITIONS
from promo_uplift.trials.dose_panel import DoseDesign, DosePanel, continuous_dose_panel
from promo_uplift.trials.panel import household_week_panel
from promo_uplift.trials.panel_selection import (
    PanelCampaign,
    PanelSelection,
    PanelWeeks,
    select_panel_campaigns,
)
from promo_uplift.trials.selection import TrialSelection, select_trials
from promo_uplift.trials.splits import household_folds
from promo_uplift.trials.table import (
    TableArms,
    TableEncoder,
    TableTrial,
    arm_label,
    one_trial,
    table_arms,
    table_trials,
)
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

__all__ = [
    "CONTROL_DEFINITIONS",
    "LEADING",
    "TREATMENT_DEFINITIONS",
    "CalendarPanel",
    "DoseDesign",
    "DosePanel",
    "HouseholdCut",
    "PanelCampaign",
    "PanelSelection",
    "PanelWeeks",
    "TableArms",
    "TableEncoder",
    "TableTrial",
    "TrialSelection",
    "arm_label",
    "build_trials",
    "calendar_panel",
    "continuous_dose_panel",
    "household_folds",
    "household_week_panel",
    "households_as_of",
    "one_trial",
    "select_panel_campaigns",
    "select_trials",
    "table_arms",
    "table_trials",
    "to_trial_data",
    "usable_covariates",
    "window_audit",
    "without_rows",
]
