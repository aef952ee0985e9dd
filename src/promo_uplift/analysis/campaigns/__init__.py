"""What the campaigns did: the three lenses, their agreement, the ledger and the checks."""

from promo_uplift.analysis.campaigns.adjusted_lens import AdjustedLens, adjusted_lens
from promo_uplift.analysis.campaigns.agreement import Agreement, agreement
from promo_uplift.analysis.campaigns.definitions import definitions_table
from promo_uplift.analysis.campaigns.doses import DoseTables, dose_tables
from promo_uplift.analysis.campaigns.for_whom import household_traits, moderator_tables
from promo_uplift.analysis.campaigns.inputs import (
    adjusted_settings,
    build_calendar,
    build_panel,
    build_trials,
    data_facts,
    trial_parameters,
)
from promo_uplift.analysis.campaigns.judge import campaign_text, judge_campaigns
from promo_uplift.analysis.campaigns.money import CampaignMoney, campaign_money, redeemers_of
from promo_uplift.analysis.campaigns.panel_lens import SPEND, PanelLens, panel_lens
from promo_uplift.analysis.campaigns.staggered_lens import StaggeredLens, staggered_lens
from promo_uplift.analysis.campaigns.tables import all_tables

__all__ = [
    "SPEND",
    "AdjustedLens",
    "Agreement",
    "CampaignMoney",
    "DoseTables",
    "PanelLens",
    "StaggeredLens",
    "adjusted_lens",
    "adjusted_settings",
    "agreement",
    "all_tables",
    "build_calendar",
    "build_panel",
    "build_trials",
    "campaign_money",
    "campaign_text",
    "data_facts",
    "definitions_table",
    "dose_tables",
    "household_traits",
    "judge_campaigns",
    "moderator_tables",
    "panel_lens",
    "redeemers_of",
    "staggered_lens",
    "trial_parameters",
]
