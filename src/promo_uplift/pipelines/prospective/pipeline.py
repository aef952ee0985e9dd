"""Wiring of the prospective validation."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.prospective import nodes


def create_pipeline() -> Pipeline:
    """From `trial_data` to values and calibration on the next campaign, verdict and figure."""
    return Pipeline(
        [
            Node(
                nodes.validate_next_campaigns,
                inputs=[
                    "trial_data",
                    "trials",
                    "params:trials",
                    "params:prospective",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:policy",
                    "params:checks",
                    "params:wording",
                    "params:seed",
                ],
                outputs="prospective_result",
                name="validate_next_campaigns",
            ),
            Node(
                nodes.tabulate_next_campaigns,
                inputs=["prospective_result", "trial_data", "params:policy", "params:wording"],
                outputs=["prospective_value", "prospective_calibration", "prospective_coverage"],
                name="tabulate_next_campaigns",
            ),
            Node(
                nodes.judge_next_campaigns,
                inputs=["prospective_result", "params:checks", "params:policy", "params:wording"],
                outputs=["prospective_verdict", "prospective_text"],
                name="judge_next_campaigns",
            ),
            Node(
                nodes.draw_next_campaigns,
                inputs=["prospective_result", "params:policy", "params:wording"],
                outputs="prospective_calibration_figure",
                name="draw_next_campaigns",
            ),
            Node(
                nodes.record_next_campaigns,
                inputs=["prospective_result", "params:policy"],
                outputs="prospective_run",
                name="record_next_campaigns",
            ),
        ],
        tags="prospective",
    )
