"""Wiring of the next experiment."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.experiment import nodes


def create_pipeline() -> Pipeline:
    """From held-out effects to `experiment_plan` and `experiment_assignment`."""
    return Pipeline(
        [
            Node(
                nodes.plan_experiment,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:trials",
                    "params:checks",
                    "params:metrics",
                    "params:policy",
                    "params:experiment",
                    "params:wording",
                ],
                outputs=["next_experiment", "experiment_power", "experiment_power_figure"],
                name="plan_experiment",
            ),
            Node(
                nodes.recommend,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "policy_by_learner",
                    "policy_suite",
                    "verdict",
                    "next_experiment",
                    "params:checks",
                    "params:metrics",
                    "params:policy",
                    "params:experiment",
                    "params:wording",
                    "params:seed",
                ],
                outputs=["recommendation", "recommendation_text"],
                name="recommend",
            ),
            Node(
                nodes.assign_households,
                inputs=[
                    "next_experiment",
                    "params:policy",
                    "params:experiment",
                    "params:wording",
                    "params:seed",
                ],
                outputs=[
                    "experiment_assignment",
                    "experiment_balance",
                    "experiment_plan",
                    "experiment_text",
                ],
                name="assign_households",
            ),
        ],
        tags="experiment",
    )
