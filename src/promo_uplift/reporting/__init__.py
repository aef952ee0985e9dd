"""Figures, tables and the record of a run, from result objects."""

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
from promo_uplift.reporting.policy_rule_figures import policy_comparison_figure
from promo_uplift.reporting.run_record import LearnerRecord, RunRecord

__all__ = [
    "LearnerRecord",
    "RunRecord",
    "affected_figure",
    "calibration_figure",
    "drivers_figure",
    "effects_figure",
    "overlap_figure",
    "policy_comparison_figure",
    "profit_figure",
    "reliability_figure",
    "rules_figure",
    "toc_figure",
    "uplift_figure",
]
