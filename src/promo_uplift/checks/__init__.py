"""Checks with stable codes, and the verdict that is the worst they allow."""

from promo_uplift.checks.evidence import SEVERITY, CheckResult, Evidence, WindowAudit
from promo_uplift.checks.registry import (
    CHECKS,
    DESIGN,
    checks_table,
    run_checks,
    validate_check_parameters,
)
from promo_uplift.checks.verdict import Verdict, VerdictFacts, verdict, verdict_text

__all__ = [
    "CHECKS",
    "DESIGN",
    "SEVERITY",
    "CheckResult",
    "Evidence",
    "Verdict",
    "VerdictFacts",
    "WindowAudit",
    "checks_table",
    "run_checks",
    "validate_check_parameters",
    "verdict",
    "verdict_text",
]
