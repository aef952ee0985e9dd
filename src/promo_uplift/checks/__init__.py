"""Checks with stable codes, and the verdict that is the worst they allow."""

from promo_uplift.checks.baseline import RankingScore
from promo_uplift.checks.calibration import PredictedEffectSlope
from promo_uplift.checks.claims import Claim, Claims
from promo_uplift.checks.contact_cost import ContactCost
from promo_uplift.checks.drift import NextCampaigns
from promo_uplift.checks.e_value import StatedEValue
from promo_uplift.checks.effect_bounds import EffectBounds
from promo_uplift.checks.evidence import SEVERITY, Check, CheckResult, Evidence, Finding
from promo_uplift.checks.funding import CouponFunding
from promo_uplift.checks.gain_end import GainCurveEnd
from promo_uplift.checks.held_out import HouseholdUse
from promo_uplift.checks.honesty import ForestIntervals
from promo_uplift.checks.intervals import PublishedEffects
from promo_uplift.checks.many import PickedFindings
from promo_uplift.checks.outcome_model import OutcomeModel
from promo_uplift.checks.policy import PolicyProfit
from promo_uplift.checks.registry import (
    CHECKS,
    DESIGN,
    TARGETING,
    checks_table,
    not_looked_at,
    run_checks,
    validate_check_parameters,
)
from promo_uplift.checks.report import Report, report_of, run
from promo_uplift.checks.segments import SegmentActions
from promo_uplift.checks.stated import StatedFigures
from promo_uplift.checks.verdict import Verdict, VerdictFacts, verdict, verdict_record, verdict_text
from promo_uplift.checks.winner import ReportedProfit

__all__ = [
    "CHECKS",
    "DESIGN",
    "SEVERITY",
    "TARGETING",
    "Check",
    "CheckResult",
    "Claim",
    "Claims",
    "ContactCost",
    "CouponFunding",
    "EffectBounds",
    "Evidence",
    "Finding",
    "ForestIntervals",
    "GainCurveEnd",
    "HouseholdUse",
    "NextCampaigns",
    "OutcomeModel",
    "PickedFindings",
    "PolicyProfit",
    "PredictedEffectSlope",
    "PublishedEffects",
    "RankingScore",
    "Report",
    "ReportedProfit",
    "SegmentActions",
    "StatedEValue",
    "StatedFigures",
    "Verdict",
    "VerdictFacts",
    "checks_table",
    "not_looked_at",
    "report_of",
    "run",
    "run_checks",
    "validate_check_parameters",
    "verdict",
    "verdict_record",
    "verdict_text",
]
