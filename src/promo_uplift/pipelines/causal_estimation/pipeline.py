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
                nodes.rank_learners,
                inputs=["trial_data", "nuisances", "cross_fitted", "params:metrics", "params:seed"],
                outputs=["ranking", "leaderboard"],
                name="rank_learners",
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
                    "params:metrics",
                    "params:checks",
                    "params:policy",
                    "params:wording",
                ],
                outputs="effects",
                name="estimate_effects",
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
        ],
        tags="causal_estimation",
    )
