"""The registered pipelines; `uplift` runs the whole way, raw tables to targeting list."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from promo_uplift.pipelines import (
    causal_estimation,
    data_engineering,
    reporting,
    targeting_policy,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines by name."""
    parts = {
        "data_engineering": data_engineering.create_pipeline(),
        "causal_estimation": causal_estimation.create_pipeline(),
        "targeting_policy": targeting_policy.create_pipeline(),
        "reporting": reporting.create_pipeline(),
    }
    uplift = sum(parts.values(), Pipeline([]))
    return {**parts, "uplift": uplift, "__default__": uplift}
