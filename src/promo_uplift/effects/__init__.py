"""Average effects of the mailing and what the data could have shown."""

from promo_uplift.effects.bounds import (
    ManskiBounds,
    OverlapBounds,
    manski_bounds,
    overlap_bounds,
)
from promo_uplift.effects.clustered import (
    ClusteredMean,
    clustered_mean,
    minimum_detectable_effect,
)
from promo_uplift.effects.cross_section import COLUMNS, POOLED, cross_section_effects
from promo_uplift.effects.lottery import LotteryTest, lottery_test
from promo_uplift.effects.overlap import OverlapSummary, overlap_summary
from promo_uplift.effects.placebo import PlaceboEffect, no_placebo, placebo_effect
from promo_uplift.effects.reliability import reliability_table
from promo_uplift.effects.repeats import median_effects

__all__ = [
    "COLUMNS",
    "POOLED",
    "ClusteredMean",
    "LotteryTest",
    "ManskiBounds",
    "OverlapBounds",
    "OverlapSummary",
    "PlaceboEffect",
    "clustered_mean",
    "cross_section_effects",
    "lottery_test",
    "manski_bounds",
    "median_effects",
    "minimum_detectable_effect",
    "no_placebo",
    "overlap_bounds",
    "overlap_summary",
    "placebo_effect",
    "reliability_table",
]
