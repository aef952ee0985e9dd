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
from promo_uplift.policy.rules import POLICIES, Policy, build_policies
from promo_uplift.policy.scoring import ScoringModel
from promo_uplift.policy.suite import PolicySuite, value_suite
from promo_uplift.policy.suite_contacts import PolicyInputs
from promo_uplift.policy.suite_table import suite_table, suite_text
from promo_uplift.policy.suite_values import ObservedRows
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
    "POLICIES",
    "REASONS",
    "GateDecision",
    "HouseholdPredictions",
    "ObservedRows",
    "Policy",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyInputs",
    "PolicyScores",
    "PolicySuite",
    "PolicyValue",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "break_even_cate",
    "build_policies",
    "champion_gate",
    "chosen_policy_profit",
    "evaluate_policy",
    "expected_profit",
    "households_per_arm",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "scored_policy_profit",
    "share_threshold",
    "suite_table",
    "suite_text",
    "support",
    "support_ranges",
    "targeting_list",
    "value_suite",
]
