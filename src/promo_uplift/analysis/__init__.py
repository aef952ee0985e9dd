"""From trials as arrays to effects, decision and verdict: what pipelines and library share."""

from promo_uplift.analysis.decision import (
    PolicyValues,
    bound_champion,
    deploy,
    list_households,
    overlap_of,
    reach_verdict,
    scoring_model,
    value_policies,
)
from promo_uplift.analysis.estimation import (
    average_effects,
    cross_fit_learners,
    estimate_nuisances,
    estimate_placebo,
    held_out_scores,
    rank_learners,
    scores_table,
)
from promo_uplift.analysis.run import Analysis, analyse_trials, refuse_unknown
from promo_uplift.analysis.units import in_outcome_unit
from promo_uplift.analysis.value import tuning_table, value_of_modelling
from promo_uplift.contracts.parameters import BASELINES, AnalysisParameters

__all__ = [
    "BASELINES",
    "Analysis",
    "AnalysisParameters",
    "PolicyValues",
    "analyse_trials",
    "average_effects",
    "bound_champion",
    "cross_fit_learners",
    "deploy",
    "estimate_nuisances",
    "estimate_placebo",
    "held_out_scores",
    "in_outcome_unit",
    "list_households",
    "overlap_of",
    "rank_learners",
    "reach_verdict",
    "refuse_unknown",
    "scores_table",
    "scoring_model",
    "tuning_table",
    "value_of_modelling",
    "value_policies",
]
