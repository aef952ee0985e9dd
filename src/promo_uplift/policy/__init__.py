"""From effects to decisions: money, the share to contact, its honest value, who is contacted."""

from promo_uplift.policy.allocation import (
    ALLOCATION_REASONS,
    Allocation,
    allocate,
    best_free_arm,
)
from promo_uplift.policy.contacts import contact_weights
from promo_uplift.policy.contract import (
    DataContract,
    Difference,
    definition_differences,
    definition_of_a_table,
    definition_of_raw_tables,
    package_differences,
    refuse_other_cut,
)
from promo_uplift.policy.deciding import (
    DecidingPolicy,
    check_policies,
    chosen_decides,
    named_decides,
)
from promo_uplift.policy.gate import (
    GateDecision,
    RegistryEntry,
    champion_gate,
    scored_policy_rows,
    standing_policy_rows,
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
from promo_uplift.policy.older import fill_absent_fields
from promo_uplift.policy.profit_outcomes import ProfitOutcomes, profit_outcomes
from promo_uplift.policy.registered import (
    CHALLENGER,
    CHAMPION,
    LoadedModel,
    RegisteredVersion,
    choose_version,
    standing_sentence,
)
from promo_uplift.policy.rows import PolicyRows
from promo_uplift.policy.rules import POLICIES, Policy, build_policies, frozen_rule
from promo_uplift.policy.scoring import ScoringModel, household_view, refuse_columns
from promo_uplift.policy.sensitivity import (
    Contacts,
    PolicySensitivity,
    bound_policy,
)
from promo_uplift.policy.suite import PolicySuite, value_suite
from promo_uplift.policy.suite_contacts import PolicyInputs
from promo_uplift.policy.suite_table import suite_table, suite_text
from promo_uplift.policy.suite_values import FIXED, ObservedRows
from promo_uplift.policy.support import Support, SupportRanges, support, support_ranges
from promo_uplift.policy.tables import policy_curve, policy_table
from promo_uplift.policy.targeting import (
    CHOSEN,
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
from promo_uplift.policy.what_if import (
    HonestCurves,
    breakeven_grid,
    honest_curves,
    honest_value,
    what_if_table,
)
from promo_uplift.policy.yardsticks import confounding_yardsticks

__all__ = [
    "ALLOCATION_REASONS",
    "CHALLENGER",
    "CHAMPION",
    "CHOSEN",
    "FIXED",
    "POLICIES",
    "REASONS",
    "Allocation",
    "Contacts",
    "DataContract",
    "DecidingPolicy",
    "Difference",
    "GateDecision",
    "HonestCurves",
    "HouseholdPredictions",
    "ImportanceWeights",
    "LoadedModel",
    "LoggedActions",
    "ObservedRows",
    "OffPolicyValues",
    "Policy",
    "PolicyCandidates",
    "PolicyEvaluation",
    "PolicyInputs",
    "PolicyRows",
    "PolicyScores",
    "PolicySensitivity",
    "PolicySuite",
    "PolicyValue",
    "ProfitOutcomes",
    "RegisteredVersion",
    "RegistryEntry",
    "ScoringModel",
    "Support",
    "SupportRanges",
    "TargetingBound",
    "allocate",
    "best_free_arm",
    "bound_policy",
    "break_even_cate",
    "breakeven_grid",
    "build_policies",
    "champion_gate",
    "check_policies",
    "choose_version",
    "chosen_decides",
    "confounding_yardsticks",
    "contact_weights",
    "definition_differences",
    "definition_of_a_table",
    "definition_of_raw_tables",
    "evaluate_policy",
    "expected_profit",
    "fill_absent_fields",
    "frozen_rule",
    "honest_curves",
    "honest_value",
    "household_view",
    "largest_targeting_gain",
    "named_decides",
    "off_policy_values",
    "package_differences",
    "policy_curve",
    "policy_scores",
    "policy_table",
    "profit_outcomes",
    "refuse_columns",
    "refuse_other_cut",
    "scored_policy_rows",
    "share_threshold",
    "standing_policy_rows",
    "standing_sentence",
    "suite_table",
    "suite_text",
    "support",
    "support_ranges",
    "targeting_bound",
    "targeting_list",
    "value_suite",
    "what_if_table",
]
