"""Wiring of the data engineering."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.data_engineering import nodes

RAW = [
    "raw_transactions",
    "raw_products",
    "raw_demographics",
    "raw_campaigns",
    "raw_campaign_targets",
    "raw_coupons",
    "raw_redemptions",
    "raw_promotions",
]
CANONICAL = [
    "transactions",
    "products",
    "households",
    "campaigns",
    "campaign_targets",
    "coupons",
    "redemptions",
]


def create_pipeline() -> Pipeline:
    """From the raw tables to `trials`, `trial_data` and the reports on the way."""
    return Pipeline(
        [
            Node(
                nodes.report_sources,
                inputs=[*RAW, "params:source"],
                outputs=["source_report", "data_version"],
                name="report_sources",
            ),
            Node(
                nodes.canonicalise,
                inputs=[*RAW, "params:source", "params:seed"],
                outputs=[*CANONICAL, "promotions", "contract_report", "cleaning_report"],
                name="canonicalise",
            ),
            Node(
                nodes.assemble_trials,
                inputs=[*CANONICAL, "params:trials", "params:policy"],
                outputs=[
                    "trials",
                    "trial_coverage",
                    "covariate_names",
                    "covariate_report",
                    "window_audit",
                ],
                name="assemble_trials",
            ),
            Node(
                nodes.assemble_placebo,
                inputs=[*CANONICAL, "params:trials", "params:policy"],
                outputs=["placebo_trials", "placebo_coverage"],
                name="assemble_placebo",
            ),
            Node(
                nodes.prepare_trial_data,
                inputs=[
                    "trials",
                    "placebo_trials",
                    "covariate_names",
                    "params:estimation",
                ],
                outputs=["trial_data", "placebo_data"],
                name="prepare_trial_data",
            ),
        ],
        tags="data_engineering",
    )
