"""From trials as arrays to effects, decision and verdict: what pipelines and library share."""

from promo_uplift.analysis.arms import ArmCurves, ArmEffects, arm_cost_curves, cross_fit_arms
from promo_uplift.analysis.decision import (
    PolicyValues,
    bound_champion,
    deploy,
    list_households,
    reach_verdict,
    scoring_model,
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
from promo_uplift.analysis.heterogeneity import (
    Heterogeneity,
    describe_affected,
    explain_effects,
    find_heterogeneity,
)
from promo_uplift.analysis.repeats import repeated_effects
from promo_uplift.analysis.run import Analysis, analyse_trials, refuse_unknown
from promo_uplift.analysis.units import in_outcome_unit
from promo_uplift.analysis.value import tuning_table
from promo_uplift.analysis.what_if import OtherMoney, value_other_money
from promo_uplift.contracts.parameters import BASELINES, AnalysisParameters

__all__ = [
    "BASELINES",
    "Analysis",
    "AnalysisParameters",
    "ArmCurves",
    "ArmEffects",
    "Heterogeneity",
    "OtherMoney",
    "PolicyValues",
    "analyse_trials",
    "arm_cost_curves",
    "average_effects",
    "bound_champion",
    "check_effects",
    "choose_champion",
    "compare_definitions",
    "cross_fit_arms",
    "cross_fit_learners",
    "deploy",
    "describe_affected",
    "estimate_nuisances",
    "estimate_placebo",
    "explain_effects",
    "find_heterogeneity",
    "held_out_scores",
    "in_outcome_unit",
    "list_households",
    "overlap_of",
    "rank_learners",
    "reach_verdict",
    "refuse_unknown",
    "repeated_effects",
    "scores_table",
    "scoring_model",
    "tuning_table",
    "value_other_money",
    "value_policies",
]
