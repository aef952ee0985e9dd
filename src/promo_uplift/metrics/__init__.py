"""Ranking metrics on held-out folds, with intervals that respect households."""

from promo_uplift.metrics.bootstrap import HouseholdDraws, household_draws, percentile_interval
from promo_uplift.metrics.calibration import calibration_slope
from promo_uplift.metrics.clan import affected_groups
from promo_uplift.metrics.cost_curve import CostCurve, CostPath, average_arms, cost_curve, cost_path
from promo_uplift.metrics.curves import uplift_curves
from promo_uplift.metrics.folds import FoldRows, fold_rows, with_expected_random
from promo_uplift.metrics.gates import GroupEffects, group_effects, group_members
from promo_uplift.metrics.heterogeneity import HeterogeneityTest, heterogeneity_test
from promo_uplift.metrics.leaderboard import leaderboard
from promo_uplift.metrics.ranking import (
    COMPARED_WITH,
    RANKING_BASELINES,
    RankingMetrics,
    ranking_metrics,
)
from promo_uplift.metrics.rosetta import learners_rosetta, rosetta_table
from promo_uplift.metrics.selection import (
    SELECTED,
    Selection,
    SelectionRule,
    competitors,
    one_standard_error_choice,
    select_champion,
)
from promo_uplift.metrics.toc import targeting_operator
from promo_uplift.metrics.versions import metric_versions

__all__ = [
    "COMPARED_WITH",
    "RANKING_BASELINES",
    "SELECTED",
    "CostCurve",
    "CostPath",
    "FoldRows",
    "GroupEffects",
    "HeterogeneityTest",
    "HouseholdDraws",
    "RankingMetrics",
    "Selection",
    "SelectionRule",
    "affected_groups",
    "average_arms",
    "calibration_slope",
    "competitors",
    "cost_curve",
    "cost_path",
    "fold_rows",
    "group_effects",
    "group_members",
    "heterogeneity_test",
    "household_draws",
    "leaderboard",
    "learners_rosetta",
    "metric_versions",
    "one_standard_error_choice",
    "percentile_interval",
    "ranking_metrics",
    "rosetta_table",
    "select_champion",
    "targeting_operator",
    "uplift_curves",
    "with_expected_random",
]
