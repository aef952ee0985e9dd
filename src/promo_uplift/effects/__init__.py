"""Average effects of the mailing and what the data could have shown."""

from promo_uplift.effects.bounds import ManskiBounds, manski_bounds
from promo_uplift.effects.clustered import (
    ClusteredMean,
    clustered_mean,
    minimum_detectable_effect,
)
from promo_uplift.effects.cross_section import COLUMNS, POOLED, cross_section_effects
from promo_uplift.effects.overlap import OverlapSummary, overlap_summary
from promo_uplift.effects.placebo import PlaceboEffect, no_placebo, placebo_effect

__all__ = [
    "COLUMNS",
    "POOLED",
    "ClusteredMean",
    "ManskiBounds",
    "OverlapSummary",
    "PlaceboEffect",
    "clustered_mean",
    "cross_section_effects",
    "manski_bounds",
    "minimum_detectable_effect",
    "no_placebo",
    "overlap_summary",
    "placebo_effect",
]
