"""From trials as arrays to effects, decision and verdict: what pipelines and library share."""

from promo_uplift.analysis.arm_allocation import ArmAllocation, allocate_arms
from promo_uplift.analysis.arm_curves import ArmCurves, arm_cost_curves
from promo_uplift.analysis.arm_report import (
    analyse_arms,
    arm_allocation_text,
    arm_checks_table,
    arm_effects_table,
    arm_verdicts_text,
    cost_curve_table,
)
from promo_uplift.analysis.arm_table import ArmsTable, read_arms
from promo_uplift.analysis.arms import ArmEffects, cross_fit_arms
from promo_uplift.analysis.decision import (
    PolicyValues,
    bound_households,
    choose_decider,
    data_contract,
    deploy,
    list_households,
    reach_verdict,
    scoring_model,
    table_contract,
    value_policies,
)
from promo_uplift.analysis.effect_checks import check_effects, overlap_of
from promo_uplift.analysis.estimation import (
    average_effects,
    choose_champion,
    compare_definitions,
    cross_fit_learners,
    estimate_nuisances,
    estimate_placebo,
    held_out_scores,
    rank_learners,
    scores_table,
)
from promo_uplift.analysis.experiment import (
    ExperimentConclusion,
    NextExperiment,
    conclude_experiment,
    draw_lots,
    plan_next_experiment,
    plan_record,
    plan_text,
    worth_finding,
)
from promo_uplift.analysis.experiment_verdict import experiment_verdict_text
from promo_uplift.analysis.heterogeneity import (
    Heterogeneity,
    describe_affected,
    explain_effects,
    find_heterogeneity,
)
from promo_uplift.analysis.hidden_confounding import (
    HiddenConfounding,
    bound_hidden_confounding,
    policies_to_bound,
)
from promo_uplift.analysis.policies import compare_policies
from promo_uplift.analysis.recommendation import (
    Recommendation,
    recommend,
    recommendation_text,
)
from promo_uplift.analysis.repeats import repeated_effects
from promo_uplift.analysis.run import Analysis, analyse_trials, only_what_competes, refuse_unknown
from promo_uplift.analysis.scored_rows import report_table, scoring_report, scoring_text
from promo_uplift.analysis.scoring import (
    CanonicalData,
    Households,
    differences_now,
    households_of_a_cut,
    households_of_a_table,
    scores_of,
    scoring_subject,
)
from promo_uplift.analysis.units import in_outcome_unit
from promo_uplift.analysis.value import tuning_table
from promo_uplift.analysis.what_if import OtherMoney, value_other_money
from promo_uplift.contracts.parameters import BASELINES, AnalysisParameters

__all__ = [
    "BASELINES",
    "Analysis",
    "AnalysisParameters",
    "ArmAllocation",
    "ArmCurves",
    "ArmEffects",
    "ArmsTable",
    "CanonicalData",
    "ExperimentConclusion",
    "Heterogeneity",
    "HiddenConfounding",
    "Households",
    "NextExperiment",
    "OtherMoney",
    "PolicyValues",
    "Recommendation",
    "allocate_arms",
    "analyse_arms",
    "analyse_trials",
    "arm_allocation_text",
    "arm_checks_table",
    "arm_cost_curves",
    "arm_effects_table",
    "arm_verdicts_text",
    "average_effects",
    "bound_hidden_confounding",
    "bound_households",
    "check_effects",
    "choose_champion",
    "choose_decider",
    "compare_definitions",
    "compare_policies",
    "conclude_experiment",
    "cost_curve_table",
    "cross_fit_arms",
    "cross_fit_learners",
    "data_contract",
    "deploy",
    "describe_affected",
    "differences_now",
    "draw_lots",
    "estimate_nuisances",
    "estimate_placebo",
    "experiment_verdict_text",
    "explain_effects",
    "find_heterogeneity",
    "held_out_scores",
    "households_of_a_cut",
    "households_of_a_table",
    "in_outcome_unit",
    "list_households",
    "only_what_competes",
    "overlap_of",
    "plan_next_experiment",
    "plan_record",
    "plan_text",
    "policies_to_bound",
    "rank_learners",
    "reach_verdict",
    "read_arms",
    "recommend",
    "recommendation_text",
    "refuse_unknown",
    "repeated_effects",
    "report_table",
    "scores_of",
    "scores_table",
    "scoring_model",
    "scoring_report",
    "scoring_subject",
    "scoring_text",
    "table_contract",
    "tuning_table",
    "value_other_money",
    "value_policies",
    "worth_finding",
]
