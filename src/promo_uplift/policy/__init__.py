"""From effects to decisions: money, the share to contact, its honest value, who is contacted."""

from promo_uplift.policy.contract import (
    DataContract,
    Difference,
    definition_differences,
    definition_of_a_table,
    definition_of_raw_tables,
    package_differences,
    refuse_other_cut,
)
from promo_uplift.policy.experiment import households_per_arm
from promo_uplift.policy.gate import (
    GateDecision,
    RegistryEntry,
    champion_gate,
    chosen_policy_profit,
    scored_policy_profit,
    standing_policy_profit,
)
from promo_uplift.policy.money import (
    PolicyScores,
    break_even_cate,
    expected_profit,
    policy_scores,
)
from promo_uplift.policy.registered import (
    CHALLENGER,
    CHAMPION,
    RegisteredVersion,
    choose_version,
    standing_sentence,
)
from promo_uplift.policy.scoring import ScoringModel, refuse_columns
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
    "CHALLENGER",
    "CHAMPION",
    "REASONS",
    "DataContract",
    "Difference",
    "GateDecision",
    "HouseholdPredictions",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyScores",
    "PolicyValue",
    "RegisteredVersion",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "break_even_cate",
    "champion_gate",
    "choose_version",
    "chosen_policy_profit",
    "definition_differences",
    "definition_of_a_table",
    "definition_of_raw_tables",
    "evaluate_policy",
    "expected_profit",
    "households_per_arm",
    "package_differences",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "refuse_columns",
    "refuse_other_cut",
    "scored_policy_profit",
    "share_threshold",
    "standing_policy_profit",
    "standing_sentence",
    "support",
    "support_ranges",
    "targeting_list",
]
