"""Wiring of the benchmark."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.benchmark import nodes


def create_pipeline() -> Pipeline:
    """From worlds to `benchmark_results`, `benchmark_summary`, figures and `trust_card`."""
    return Pipeline(
        [
            Node(
                nodes.run_worlds,
                inputs=[
                    "params:nuisance",
                    "params:estimation",
                    "params:tuning",
                    "params:metrics",
                    "params:policy",
                    "params:checks",
                    "params:wording",
                    "params:benchmark",
                    "world_profile",
                    "params:simulation",
                    "params:trials",
                    "params:seed",
                ],
                outputs="benchmark_results",
                name="run_worlds",
            ),
            Node(
                nodes.summarise_worlds,
                inputs=[
                    "benchmark_results",
                    "params:metrics",
                    "params:benchmark",
                    "params:seed",
                ],
                outputs=["benchmark_summary", "benchmark_seconds"],
                name="summarise_worlds",
            ),
            Node(
                nodes.draw_benchmark,
                inputs=[
                    "benchmark_summary",
                    "params:benchmark",
                    "params:estimation",
                    "params:metrics",
                ],
                outputs=[
                    "benchmark_coverage_figure",
                    "benchmark_pehe_figure",
                    "benchmark_regret_figure",
                    "benchmark_discovery_figure",
                    "benchmark_mde_figure",
                ],
                name="draw_benchmark",
            ),
            Node(
                nodes.write_trust_card,
                inputs=[
                    "benchmark_summary",
                    "outside_results",
                    "outside_comparison",
                    "params:benchmark",
                    "params:metrics",
                    "params:checks",
                ],
                outputs="trust_card",
                name="write_trust_card",
            ),
            Node(
                nodes.record_benchmark,
                inputs="benchmark_summary",
                outputs="benchmark_run",
                name="record_benchmark",
            ),
        ],
        tags="benchmark",
    )
