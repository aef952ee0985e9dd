"""Wiring of the second door."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.table import nodes


def create_pipeline() -> Pipeline:
    """From a table's file to `trial_data`, as data engineering gives it."""
    return Pipeline(
        [
            Node(
                nodes.open_table,
                inputs="params:table",
                outputs=[
                    "trials",
                    "trial_data",
                    "placebo_data",
                    "table_report",
                    "window_audit",
                    "data_version",
                ],
                name="open_table",
            ),
        ],
        tags="table",
    )
