"""Wiring of the scoring."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.scoring import nodes


def create_pipeline() -> Pipeline:
    """From the registry and any number of households to `scores` and their report."""
    return Pipeline(
        [
            Node(
                nodes.score_households,
                inputs=[
                    "registered_versions",
                    "canonical_data",
                    "params:scoring",
                    "params:trials",
                    "params:estimation",
                    "params:source",
                    "params:policy",
                    "params:wording",
                ],
                outputs=["scores", "scoring_subject"],
                name="score_households",
            ),
            Node(
                nodes.report_scores,
                inputs=["scores", "scoring_subject", "params:wording"],
                outputs=["scoring_report", "scoring_report_table", "scoring_text"],
                name="report_scores",
            ),
        ],
        tags="scoring",
    )
