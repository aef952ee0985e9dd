"""Any table with a treatment and an outcome, as trials."""

from promo_uplift.pipelines.table.pipeline import create_pipeline

__all__ = ["create_pipeline"]
