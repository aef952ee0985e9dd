"""The real tables' profile, a world with a known truth drawn from it, and how well it fits."""

from promo_uplift.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
