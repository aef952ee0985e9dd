"""Data sets that no one here made, through the door for any table."""

from promo_uplift.pipelines.outside_sets.pipeline import create_pipeline

__all__ = ["create_pipeline"]
