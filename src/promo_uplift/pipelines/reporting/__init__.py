"""Figures, and the run's record in MLflow."""

from promo_uplift.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
