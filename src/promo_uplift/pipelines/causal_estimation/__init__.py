"""Nuisances once, learners tuned and judged on held-out folds, effects, placebo."""

from promo_uplift.pipelines.causal_estimation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
