"""From effects to decisions: money, the share to contact, its honest value, who is contacted."""

from promo_uplift.policy.allocation import (
    ALLOCATION_REASONS,
    Allocation,
    allocate,
    best_free_arm,
)
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
from promo_uplift.policy.off_policy import (
    ImportanceWeights,
    LoggedActions,
    OffPolicyValues,
    off_policy_values,
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

__all__ = [
    "ALLOCATION_REASONS",
    "REASONS",
    "Allocation",
    "GateDecision",
    "HouseholdPredictions",
    "ImportanceWeights",
    "LoggedActions",
    "OffPolicyValues",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyScores",
    "PolicyValue",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "allocate",
    "best_free_arm",
    "break_even_cate",
    "champion_gate",
    "chosen_policy_profit",
    "evaluate_policy",
    "expected_profit",
    "households_per_arm",
    "off_policy_values",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "scored_policy_profit",
    "share_threshold",
    "support",
    "support_ranges",
    "targeting_list",
]
