"""Wiring of the outside sets; run it with `--env table`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.outside_sets import nodes


def create_pipeline() -> Pipeline:
    """From the folder `benchmark.root` to `outside_results` and `outside_comparison`."""
    return Pipeline(
        [
            Node(
                nodes.run_sets,
                inputs=[
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:policy",
                    "params:checks",
                    "params:wording",
                    "params:outside_sets",
                    "params:benchmark",
                ],
                outputs="outside_results",
                name="run_sets",
            ),
            Node(
                nodes.compare_sets,
                inputs=["outside_results", "params:outside_sets", "params:seed"],
                outputs="outside_comparison",
                name="compare_sets",
            ),
        ],
        tags="outside_sets",
    )
