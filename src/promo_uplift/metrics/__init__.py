"""Ranking metrics on held-out folds, with intervals that respect households."""

from promo_uplift.metrics.bootstrap import HouseholdDraws, household_draws, percentile_interval
from promo_uplift.metrics.calibration import calibration_slope, group_effects
from promo_uplift.metrics.curves import uplift_curves
from promo_uplift.metrics.folds import FoldRows, fold_rows, with_expected_random
from promo_uplift.metrics.leaderboard import leaderboard
from promo_uplift.metrics.ranking import (
    COMPARED_WITH,
    RANKING_BASELINES,
    RankingMetrics,
    ranking_metrics,
)
from promo_uplift.metrics.versions import metric_versions

__all__ = [
    "COMPARED_WITH",
    "RANKING_BASELINES",
    "FoldRows",
    "HouseholdDraws",
    "RankingMetrics",
    "calibration_slope",
    "fold_rows",
    "group_effects",
    "household_draws",
    "leaderboard",
    "metric_versions",
    "percentile_interval",
    "ranking_metrics",
    "uplift_curves",
    "with_expected_random",
]
