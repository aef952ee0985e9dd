"""Wiring of the report."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.reporting import nodes


def create_pipeline() -> Pipeline:
    """From results to figures and the MLflow run."""
    return Pipeline(
        [
            Node(
                nodes.draw_uplift_curves,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:metrics",
                    "params:report",
                    "params:wording",
                    "params:seed",
                ],
                outputs="uplift_curves_figure",
                name="draw_uplift_curves",
            ),
            Node(
                nodes.draw_profit_curve,
                inputs=["policy_curve", "policy_evaluation", "params:policy", "params:wording"],
                outputs="profit_curve_figure",
                name="draw_profit_curve",
            ),
            Node(
                nodes.draw_policy_sensitivity,
                inputs=[
                    "hidden_confounding",
                    "params:policy",
                    "params:metrics",
                    "params:report",
                    "params:wording",
                ],
                outputs="policy_sensitivity_figure",
                name="draw_policy_sensitivity",
            ),
            Node(
                nodes.draw_policy_comparison,
                inputs=["policy_suite", "params:policy", "params:wording"],
                outputs="policy_comparison_figure",
                name="draw_policy_comparison",
            ),
            Node(
                nodes.draw_breakeven_grid,
                inputs=["breakeven_grid", "params:policy", "params:metrics", "params:wording"],
                outputs="breakeven_grid_figure",
                name="draw_breakeven_grid",
            ),
            Node(
                nodes.draw_overlap,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "params:checks",
                    "params:report",
                    "params:wording",
                ],
                outputs="overlap_figure",
                name="draw_overlap",
            ),
            Node(
                nodes.draw_reliability,
                inputs=["reliability", "params:metrics", "params:wording"],
                outputs="reliability_figure",
                name="draw_reliability",
            ),
            Node(
                nodes.draw_calibration,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "ranking",
                    "params:metrics",
                    "params:report",
                    "params:wording",
                    "params:seed",
                ],
                outputs="calibration_figure",
                name="draw_calibration",
            ),
            Node(
                nodes.draw_toc,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:metrics",
                    "params:report",
                    "params:policy",
                    "params:wording",
                    "params:seed",
                ],
                outputs=["toc", "toc_figure"],
                name="draw_toc",
            ),
            Node(
                nodes.draw_affected,
                inputs=[
                    "clan",
                    "explanation",
                    "params:explanation",
                    "params:metrics",
                    "params:wording",
                ],
                outputs="clan_figure",
                name="draw_affected",
            ),
            Node(
                nodes.draw_drivers,
                inputs=["explanation", "params:explanation", "params:wording"],
                outputs="cate_drivers_figure",
                name="draw_drivers",
            ),
            Node(
                nodes.draw_rules,
                inputs=["explanation", "params:metrics", "params:wording"],
                outputs="cate_rules_figure",
                name="draw_rules",
            ),
            Node(
                nodes.draw_effects,
                inputs=["effects", "params:metrics", "params:wording"],
                outputs="effects_figure",
                name="draw_effects",
            ),
            Node(
                nodes.draw_tuning_history,
                inputs="cross_fitted",
                outputs="tuning_history_figure",
                name="draw_tuning_history",
            ),
            Node(
                nodes.draw_tuning_importances,
                inputs=["cross_fitted", "params:estimation", "params:report", "params:seed"],
                outputs="tuning_importances_figure",
                name="draw_tuning_importances",
            ),
            Node(
                nodes.record_run,
                inputs=[
                    "trials",
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "ranking",
                    "leaderboard",
                    "policy_evaluation",
                    "policy_by_learner",
                    "deciding_policy",
                    "verdict",
                    "data_version",
                    "params:trials",
                    "params:policy",
                    "params:checks",
                ],
                outputs="mlflow_run",
                name="record_run",
            ),
        ],
        tags="reporting",
    )
