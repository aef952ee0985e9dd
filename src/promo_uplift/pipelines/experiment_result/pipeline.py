"""Wiring of the experiment's result."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.experiment_result import nodes


def create_pipeline() -> Pipeline:
    """From the result as it came back to `experiment_result` and its verdict."""
    return Pipeline(
        [
            Node(
                nodes.analyse_experiment,
                inputs=[
                    "experiment_outcomes",
                    "experiment_assignment",
                    "experiment_plan",
                    "params:checks",
                    "params:metrics",
                    "params:policy",
                    "params:experiment",
                    "params:wording",
                ],
                outputs=[
                    "experiment_result",
                    "experiment_effects",
                    "recalibrated_cate",
                    "experiment_verdict_text",
                    "experiment_effects_figure",
                    "experiment_run",
                ],
                name="analyse_experiment",
            ),
        ],
        tags="experiment_result",
    )
