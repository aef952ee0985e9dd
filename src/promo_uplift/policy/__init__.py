"""From effects to decisions: money, the share to contact, its honest value, who is contacted."""

from promo_uplift.policy.experiment import households_per_arm
from promo_uplift.policy.gate import (
    GateDecision,
    RegistryEntry,
    champion_gate,
    chosen_policy_profit,
    scored_policy_profit,
)
from promo_uplift.policy.money import (
    PolicyScores,
    break_even_cate,
    expected_profit,
    policy_scores,
)
from promo_uplift.policy.scoring import ScoringModel
from promo_uplift.policy.support import Support, SupportRanges, support, support_ranges
from promo_uplift.policy.tables import policy_curve, policy_table
from promo_uplift.policy.targeting import (
    REASONS,
    HouseholdPredictions,
    share_threshold,
    targeting_list,
)
from promo_uplift.policy.value import (
    PolicyCandidates,
    PolicyEvaluation,
    PolicyValue,
    evaluate_policy,
)
from promo_uplift.policy.what_if import (
    HonestCurves,
    breakeven_grid,
    honest_curves,
    honest_value,
    what_if_table,
)

__all__ = [
    "REASONS",
    "GateDecision",
    "HonestCurves",
    "HouseholdPredictions",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyScores",
    "PolicyValue",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "break_even_cate",
    "breakeven_grid",
    "champion_gate",
    "chosen_policy_profit",
    "evaluate_policy",
    "expected_profit",
    "honest_curves",
    "honest_value",
    "households_per_arm",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "scored_policy_profit",
    "share_threshold",
    "support",
    "support_ranges",
    "targeting_list",
    "what_if_table",
]
