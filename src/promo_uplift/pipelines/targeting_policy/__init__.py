"""Money, the honest value of a policy, checks, verdict, targeting list, model for the registry."""

from promo_uplift.pipelines.targeting_policy.pipeline import create_pipeline

__all__ = ["create_pipeline"]
