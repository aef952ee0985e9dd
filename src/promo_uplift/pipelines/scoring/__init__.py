"""A registered model scores a table of households, or a cut of the raw tables as of a date."""

from promo_uplift.pipelines.scoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
