"""Raw tables to canonical tables, trials and covariates, with a report of every change."""

from promo_uplift.pipelines.data_engineering.pipeline import create_pipeline

__all__ = ["create_pipeline"]
