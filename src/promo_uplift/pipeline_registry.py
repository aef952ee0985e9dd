"""The registered pipelines; `uplift` runs the whole way, from the data's door to the list."""

from __future__ import annotations

import os

from kedro.pipeline import Pipeline

from promo_uplift.pipelines import (
    arms,
    benchmark,
    causal_estimation,
    data_engineering,
    experiment,
    experiment_result,
    outside_sets,
    panel_effects,
    prospective,
    reporting,
    scoring,
    simulation,
    table,
    targeting_policy,
)

#: Set by the hook that sees the run's environment; in this one a table is the door.
ENVIRONMENT = "PROMO_UPLIFT_ENVIRONMENT"
TABLE = "table"


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines by name."""
    doors = {
        "data_engineering": data_engineering.create_pipeline(),
        TABLE: table.create_pipeline(),
    }
    parts = {
        "causal_estimation": causal_estimation.create_pipeline(),
        "targeting_policy": targeting_policy.create_pipeline(),
        "experiment": experiment.create_pipeline(),
        "reporting": reporting.create_pipeline(),
    }
    neighbours = {
        "arms": arms.create_pipeline(),
        "experiment_result": experiment_result.create_pipeline(),
        "scoring": scoring.create_pipeline(),
        "panel_effects": panel_effects.create_pipeline(),
        "prospective": prospective.create_pipeline(),
        "simulation": simulation.create_pipeline(),
        "benchmark": benchmark.create_pipeline(),
        "outside_sets": outside_sets.create_pipeline(),
    }
    door = doors[TABLE if os.environ.get(ENVIRONMENT) == TABLE else "data_engineering"]
    uplift = sum(parts.values(), door)
    return {**doors, **parts, **neighbours, "uplift": uplift, "__default__": uplift}
