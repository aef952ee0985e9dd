"""Wiring of the estimation."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.causal_estimation import nodes


def create_pipeline() -> Pipeline:
    """From `trial_data` to `leaderboard`, `effects`, `placebo_effects` and `cate_scores`."""
    return Pipeline(
        [
            Node(
                nodes.estimate_nuisances,
                inputs=[
                    "trial_data",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:seed",
                ],
                outputs="nuisances",
                name="estimate_nuisances",
            ),
            Node(
                nodes.cross_fit_learners,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:seed",
                ],
                outputs="cross_fitted",
                name="cross_fit_learners",
            ),
            Node(
                nodes.choose_champion,
                inputs=["trial_data", "nuisances", "cross_fitted", "params:estimation"],
                outputs=["selection", "selection_table"],
                name="choose_champion",
            ),
            Node(
                nodes.rank_learners,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "selection",
                    "params:estimation",
                    "params:metrics",
                    "params:seed",
                ],
                outputs=["ranking", "leaderboard"],
                name="rank_learners",
            ),
            Node(
                nodes.compare_definitions,
                inputs=["trial_data", "nuisances", "cross_fitted", "params:metrics", "params:seed"],
                outputs="rosetta",
                name="compare_definitions",
            ),
            Node(
                nodes.find_heterogeneity,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "params:metrics",
                    "params:policy",
                    "params:wording",
                    "params:seed",
                ],
                outputs=["heterogeneity", "blp", "gates"],
                name="find_heterogeneity",
            ),
            Node(
                nodes.compare_metric_versions,
                inputs=["trial_data", "nuisances", "cross_fitted", "ranking", "params:metrics"],
                outputs="metric_versions",
                name="compare_metric_versions",
            ),
            Node(
                nodes.collect_studies,
                inputs="cross_fitted",
                outputs="tuning_studies",
                name="collect_studies",
            ),
            Node(
                nodes.estimate_effects,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:checks",
                    "params:policy",
                    "params:wording",
                    "params:seed",
                ],
                outputs="effects",
                name="estimate_effects",
            ),
            Node(
                nodes.assess_reliability,
                inputs=["trial_data", "nuisances", "params:nuisance", "params:metrics"],
                outputs="reliability",
                name="assess_reliability",
            ),
            Node(
                nodes.estimate_placebo,
                inputs=[
                    "placebo_data",
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:checks",
                    "params:trials",
                    "params:seed",
                ],
                outputs=["placebo", "placebo_effects"],
                name="estimate_placebo",
            ),
            Node(
                nodes.collect_scores,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "cross_fitted",
                    "params:policy",
                    "params:wording",
                ],
                outputs="cate_scores",
                name="collect_scores",
            ),
            Node(
                nodes.judge_effects,
                inputs=[
                    "trial_data",
                    "nuisances",
                    "ranking",
                    "placebo",
                    "window_audit",
                    "effects",
                    "params:trials",
                    "params:metrics",
                    "params:checks",
                    "params:wording",
                ],
                outputs=["effect_checks", "effect_verdict", "effect_verdict_text"],
                name="judge_effects",
            ),
        ],
        tags="causal_estimation",
    )
