"""Wiring of a budget on several arms."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.arms import nodes


def create_pipeline() -> Pipeline:
    """From a table's file to `arm_allocation`, its value, and the gain over every budget."""
    return Pipeline(
        [
            Node(
                nodes.open_arms,
                inputs=["params:table", "params:arms", "params:estimation", "params:policy"],
                outputs=["arms_table", "arm_columns"],
                name="open_arms",
            ),
            Node(
                nodes.parametrise_arms,
                inputs=[
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:policy",
                    "params:policies",
                    "params:checks",
                    "params:wording",
                    "params:explanation",
                ],
                outputs="arms_parameters",
                name="parametrise_arms",
            ),
            Node(
                nodes.cross_fit_arms,
                inputs=["arms_table", "arms_parameters", "params:seed"],
                outputs="arms_cross_fitted",
                name="cross_fit_arms",
            ),
            Node(
                nodes.analyse_arms,
                inputs=["arms_table", "arms_parameters", "params:seed"],
                outputs="arm_analyses",
                name="analyse_arms",
            ),
            Node(
                nodes.judge_arms,
                inputs=["arms_table", "arm_analyses", "arms_parameters"],
                outputs=["arm_checks", "arm_effects", "arm_verdict_text"],
                name="judge_arms",
            ),
            Node(
                nodes.value_budgets,
                inputs=[
                    "arms_table",
                    "arms_cross_fitted",
                    "params:arms",
                    "params:policy",
                    "params:metrics",
                    "params:wording",
                    "params:seed",
                ],
                outputs=["arm_curves", "arm_cost_curve", "arm_cost_curve_figure"],
                name="value_budgets",
            ),
            Node(
                nodes.allocate_budget,
                inputs=[
                    "arms_table",
                    "arms_cross_fitted",
                    "arm_analyses",
                    "params:arms",
                    "params:policy",
                    "params:metrics",
                    "params:checks",
                    "params:seed",
                ],
                outputs=[
                    "arms_allocated",
                    "arm_allocation",
                    "arm_allocation_parquet",
                    "arm_value",
                    "arm_allocation_text",
                ],
                name="allocate_budget",
            ),
            Node(
                nodes.record_arms,
                inputs=["arms_table", "arm_analyses", "arms_allocated", "params:policy"],
                outputs="arms_run",
                name="record_arms",
            ),
        ],
        tags="arms",
    )
