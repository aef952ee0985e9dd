"""Decide on earlier campaigns, judge on the next, for each in turn."""

from promo_uplift.pipelines.prospective.pipeline import create_pipeline

__all__ = ["create_pipeline"]
