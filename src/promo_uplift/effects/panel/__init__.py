"""The panel lens: difference-in-differences and its kin on household x week panels."""

from promo_uplift.effects.panel.arrays import LOG_SPEND, CampaignPanel, campaign_panels
from promo_uplift.effects.panel.errors import ErrorSettings, error_table
from promo_uplift.effects.panel.event_study import EventStudy, event_studies, event_study_table
from promo_uplift.effects.panel.leave_out import LeaveOneOut, leave_one_household_out
from promo_uplift.effects.panel.placebo_group import placebo_group_table
from promo_uplift.effects.panel.poisson import RatioEffects, poisson_ratio
from promo_uplift.effects.panel.pre_trends import PreTrend, pre_trend, pre_trends_table
from promo_uplift.effects.panel.rank import RankReport, rank_report, refuse_rank_deficient
from promo_uplift.effects.panel.robustness import (
    RobustnessSettings,
    Variant,
    robustness,
    robustness_table,
)
from promo_uplift.effects.panel.twfe import Twfe, twfe
from promo_uplift.effects.panel.two_by_two import TwoByTwo, two_by_two
from promo_uplift.effects.panel.wild import WildBootstrap, wild_bootstrap
from promo_uplift.effects.panel.window import (
    PanelRules,
    PanelWindow,
    ValidPanels,
    valid_panels,
    why_invalid,
)

__all__ = [
    "LOG_SPEND",
    "CampaignPanel",
    "ErrorSettings",
    "EventStudy",
    "LeaveOneOut",
    "PanelRules",
    "PanelWindow",
    "PreTrend",
    "RankReport",
    "RatioEffects",
    "RobustnessSettings",
    "Twfe",
    "TwoByTwo",
    "ValidPanels",
    "Variant",
    "WildBootstrap",
    "campaign_panels",
    "error_table",
    "event_studies",
    "event_study_table",
    "leave_one_household_out",
    "placebo_group_table",
    "poisson_ratio",
    "pre_trend",
    "pre_trends_table",
    "rank_report",
    "refuse_rank_deficient",
    "robustness",
    "robustness_table",
    "twfe",
    "two_by_two",
    "valid_panels",
    "why_invalid",
    "wild_bootstrap",
]
