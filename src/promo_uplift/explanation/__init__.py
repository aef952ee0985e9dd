"""What drives the effects of a learner, and the warning where there is nothing to explain."""

from promo_uplift.explanation.contributions import (
    Contributions,
    explain,
    explain_held_out,
    permutation_contributions,
)
from promo_uplift.explanation.drivers import driver_table
from promo_uplift.explanation.labels import LABELS, label
from promo_uplift.explanation.rules import EffectRules, effect_rules
from promo_uplift.explanation.text import (
    Explanation,
    explanation_text,
    heterogeneity_sentence,
    warning_of,
)

__all__ = [
    "LABELS",
    "Contributions",
    "EffectRules",
    "Explanation",
    "driver_table",
    "effect_rules",
    "explain",
    "explain_held_out",
    "explanation_text",
    "heterogeneity_sentence",
    "label",
    "permutation_contributions",
    "warning_of",
]
