"""The next experiment: its plan, its power, and who is mailed by lot."""

from promo_uplift.pipelines.experiment.pipeline import create_pipeline

__all__ = ["create_pipeline"]
