"""A budget on several arms of a table: who gets which, or none, and what that is worth."""

from promo_uplift.pipelines.arms.pipeline import create_pipeline

__all__ = ["create_pipeline"]
