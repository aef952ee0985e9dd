"""Train on campaigns before a date, decide, and judge on the next campaign, for each in turn."""

from promo_uplift.analysis.prospective.freeze import FrozenDecision, decide, prospective_settings
from promo_uplift.analysis.prospective.plan import CampaignPlan, plan_campaigns, time_zeros
from promo_uplift.analysis.prospective.run import (
    NextCampaign,
    Prospective,
    validate_prospectively,
)
from promo_uplift.analysis.prospective.tables import (
    TREND,
    calibration_table,
    coverage_table,
    judge_predictions,
    prospective_record,
    prospective_text,
    value_table,
)

__all__ = [
    "TREND",
    "CampaignPlan",
    "FrozenDecision",
    "NextCampaign",
    "Prospective",
    "calibration_table",
    "coverage_table",
    "decide",
    "judge_predictions",
    "plan_campaigns",
    "prospective_record",
    "prospective_settings",
    "prospective_text",
    "time_zeros",
    "validate_prospectively",
    "value_table",
]
