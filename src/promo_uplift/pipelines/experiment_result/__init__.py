"""The result of the experiment: effects, recalibrated predictions, verdict."""

from promo_uplift.pipelines.experiment_result.pipeline import create_pipeline

__all__ = ["create_pipeline"]
