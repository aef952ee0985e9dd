"""Checks with stable codes, and the verdict that is the worst they allow."""

from promo_uplift.checks.evidence import SEVERITY, Check, CheckResult, Evidence, Finding
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
from promo_uplift.checks.verdict import Verdict, VerdictFacts, verdict, verdict_record, verdict_text

__all__ = [
    "CHECKS",
    "DESIGN",
    "SEVERITY",
    "TARGETING",
    "Check",
    "CheckResult",
    "Evidence",
    "Finding",
    "PolicyProfit",
    "Report",
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
