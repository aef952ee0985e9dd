"""From effects to decisions: money, the share to contact, its honest value, who is contacted."""

from promo_uplift.policy.contacts import contact_weights
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
from promo_uplift.policy.sensitivity import (
    Contacts,
    PolicySensitivity,
    ProfitOutcomes,
    bound_policy,
    profit_outcomes,
)
from promo_uplift.policy.support import Support, SupportRanges, support, support_ranges
from promo_uplift.policy.tables import policy_curve, policy_table
from promo_uplift.policy.targeting import (
    REASONS,
    HouseholdPredictions,
    share_threshold,
    targeting_list,
)
from promo_uplift.policy.targeting_bound import (
    TargetingBound,
    largest_targeting_gain,
    targeting_bound,
)
from promo_uplift.policy.value import (
    PolicyCandidates,
    PolicyEvaluation,
    PolicyValue,
    evaluate_policy,
)
from promo_uplift.policy.yardsticks import confounding_yardsticks

__all__ = [
    "REASONS",
    "Contacts",
    "GateDecision",
    "HouseholdPredictions",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyScores",
    "PolicySensitivity",
    "PolicyValue",
    "ProfitOutcomes",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "TargetingBound",
    "bound_policy",
    "break_even_cate",
    "champion_gate",
    "chosen_policy_profit",
    "confounding_yardsticks",
    "contact_weights",
    "evaluate_policy",
    "expected_profit",
    "largest_targeting_gain",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "profit_outcomes",
    "scored_policy_profit",
    "share_threshold",
    "support",
    "support_ranges",
    "targeting_bound",
    "targeting_list",
]
