"""Worlds with a known truth, and the card that says how far to trust each estimator."""

from promo_uplift.pipelines.benchmark.pipeline import create_pipeline

__all__ = ["create_pipeline"]
