"""The cross-section and matching lens: the same effect, adjusted in every usual way."""

from promo_uplift.effects.adjusted.balance import (
    BALANCE_COLUMNS,
    balance_summary,
    balance_table,
)
from promo_uplift.effects.adjusted.confounding import (
    RegressionSensitivity,
    adjusted_coefficient,
    regression_sensitivity,
    robustness_value,
)
from promo_uplift.effects.adjusted.dose import dose_effect
from promo_uplift.effects.adjusted.e_value import EValue, e_value, e_value_of_risk_ratio
from promo_uplift.effects.adjusted.effect import AdjustedEffect, adjusted_table
from promo_uplift.effects.adjusted.estimators import adjusted_effects, doubly_robust_effects
from promo_uplift.effects.adjusted.instrument import InstrumentEffect, redeemer_effect
from promo_uplift.effects.adjusted.matching import (
    Matching,
    caliper_path,
    match_nearest,
    matched_effects,
)
from promo_uplift.effects.adjusted.outcome_regression import RegressionRules
from promo_uplift.effects.adjusted.refuters import (
    Refutation,
    RefuterRules,
    refutations_table,
    refute,
)
from promo_uplift.effects.adjusted.sample import Sample, campaign_samples, pooled_sample
from promo_uplift.effects.adjusted.trimming import trimming_path

__all__ = [
    "BALANCE_COLUMNS",
    "AdjustedEffect",
    "EValue",
    "InstrumentEffect",
    "Matching",
    "Refutation",
    "RefuterRules",
    "RegressionRules",
    "RegressionSensitivity",
    "Sample",
    "adjusted_coefficient",
    "adjusted_effects",
    "adjusted_table",
    "balance_summary",
    "balance_table",
    "caliper_path",
    "campaign_samples",
    "dose_effect",
    "doubly_robust_effects",
    "e_value",
    "e_value_of_risk_ratio",
    "match_nearest",
    "matched_effects",
    "pooled_sample",
    "redeemer_effect",
    "refutations_table",
    "refute",
    "regression_sensitivity",
    "robustness_value",
    "trimming_path",
]
