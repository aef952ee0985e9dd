"""What the campaigns did: three lenses, their agreement, the ledger, checks and verdict."""

from promo_uplift.pipelines.panel_effects.pipeline import create_pipeline

__all__ = ["create_pipeline"]
