"""Household covariates known before time zero, and the audit that proves it."""

from promo_uplift.features.audit import WindowAudit, window_audit
from promo_uplift.features.covariates import covariates
from promo_uplift.features.eligibility import eligible_households
from promo_uplift.features.usable import usable_covariates
from promo_uplift.features.windows import TimeZero

__all__ = [
    "TimeZero",
    "WindowAudit",
    "covariates",
    "eligible_households",
    "usable_covariates",
    "window_audit",
]
