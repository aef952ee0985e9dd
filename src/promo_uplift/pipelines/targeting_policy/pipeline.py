"""Wiring of the decision."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.targeting_policy import nodes


def create_pipeline() -> Pipeline:
    """From cross-fitted effects to `verdict`, `targeting_list` and `registered_model`."""
    return Pipeline(
        [
            Node(
                nodes.value_policies,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:estimation",
                    "params:policy",
                    "params:metrics",
                    "params:wording",
                    "params:seed",
                ],
                outputs=[
                    "policy_evaluation",
                    "policy_by_learner",
                    "policy_value",
                    "policy_curve",
                ],
                name="value_policies",
            ),
            Node(
                nodes.bound_champion,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "policy_evaluation",
                    "params:estimation",
                    "params:metrics",
                    "params:seed",
                ],
                outputs="champion_interval",
                name="bound_champion",
            ),
            Node(
                nodes.describe_affected,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:metrics",
                    "params:seed",
                ],
                outputs="clan",
                name="describe_affected",
            ),
            Node(
                nodes.explain_effects,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "heterogeneity",
                    "params:estimation",
                    "params:metrics",
                    "params:explanation",
                    "params:policy",
                    "params:wording",
                    "params:seed",
                ],
                outputs=["explanation", "cate_drivers", "cate_rules", "explanation_text"],
                name="explain_effects",
            ),
            Node(
                nodes.deploy,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "policy_evaluation",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:seed",
                ],
                outputs=["deployed_learner", "deployed_nuisances"],
                name="deploy",
            ),
            Node(
                nodes.collect_tuned_parameters,
                inputs=["cross_fitted", "deployed_learner", "params:estimation"],
                outputs="tuned_parameters",
                name="collect_tuned_parameters",
            ),
            Node(
                nodes.reach_verdict,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "ranking",
                    "heterogeneity",
                    "selection",
                    "policy_evaluation",
                    "placebo",
                    "window_audit",
                    "params:trials",
                    "params:metrics",
                    "params:checks",
                    "params:policy",
                    "params:wording",
                ],
                outputs=["verdict", "verdict_record", "checks", "verdict_text"],
                name="reach_verdict",
            ),
            Node(
                nodes.list_households,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "champion_interval",
                    "policy_evaluation",
                    "verdict",
                    "params:checks",
                    "params:policy",
                    "params:wording",
                ],
                outputs=["targeting_list", "targeting_list_parquet"],
                name="list_households",
            ),
            Node(
                nodes.build_scoring_model,
                inputs=[
                    "trial_data",
                    "deployed_learner",
                    "deployed_nuisances",
                    "policy_evaluation",
                    "verdict",
                    "data_version",
                    "params:checks",
                    "params:policy",
                    "params:metrics",
                    "params:trials",
                    "params:estimation",
                    "params:source",
                ],
                outputs="scoring_model",
                name="build_scoring_model",
            ),
            Node(
                nodes.enter_registry,
                inputs=[
                    "scoring_model",
                    "standing_champion",
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "policy_evaluation",
                    "params:policy",
                    "params:metrics",
                ],
                outputs="registered_model",
                name="enter_registry",
            ),
        ],
        tags="targeting_policy",
    )
