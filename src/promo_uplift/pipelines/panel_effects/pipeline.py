"""Wiring of the campaign effects."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.panel_effects import nodes

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
    """From the canonical tables to every campaign's effect, ledger, checks and verdict."""
    return Pipeline([*_inputs(), *_lenses(), *_beside(), *_results()], tags="panel_effects")


def _inputs() -> list[Node]:
    return [
        Node(
            nodes.build_panel,
            inputs=[*CANONICAL, "params:campaigns", "params:trials"],
            outputs=["campaign_panel", "panel_coverage"],
            name="build_panel",
        ),
        Node(
            nodes.build_calendar,
            inputs=[*CANONICAL, "params:campaigns"],
            outputs=["calendar_panel", "calendar_coverage"],
            name="build_calendar",
        ),
        Node(
            nodes.build_campaign_trials,
            inputs=[*CANONICAL, "params:campaigns", "params:trials"],
            outputs=["campaign_trial_data", "campaign_placebo_data", "campaign_trial_coverage"],
            name="build_campaign_trials",
        ),
    ]


def _lenses() -> list[Node]:
    return [
        Node(
            nodes.look_through_panel,
            inputs=["campaign_panel", "params:campaigns", "params:metrics", "params:seed"],
            outputs="panel_lens",
            name="look_through_panel",
        ),
        Node(
            nodes.look_through_calendar,
            inputs=["calendar_panel", "panel_lens", "params:campaigns", "params:metrics"],
            outputs="staggered_lens",
            name="look_through_calendar",
        ),
        Node(
            nodes.look_through_trials,
            inputs=[
                "campaign_trial_data",
                "campaign_placebo_data",
                "params:campaigns",
                "params:metrics",
                "params:checks",
                "params:trials",
                "params:seed",
            ],
            outputs="adjusted_lens",
            name="look_through_trials",
        ),
        Node(
            nodes.compare_lenses,
            inputs=[
                "panel_lens",
                "adjusted_lens",
                "params:campaigns",
                "params:metrics",
                "params:seed",
            ],
            outputs="lens_agreement",
            name="compare_lenses",
        ),
    ]


def _beside() -> list[Node]:
    return [
        Node(
            nodes.compare_treatments,
            inputs=[
                *CANONICAL,
                "params:campaigns",
                "params:metrics",
                "params:checks",
                "params:trials",
                "params:seed",
            ],
            outputs="treatment_definitions",
            name="compare_treatments",
        ),
        Node(
            nodes.measure_doses,
            inputs=[*CANONICAL, "promotions", "params:campaigns", "params:metrics"],
            outputs=["dose_effects", "dose_report"],
            name="measure_doses",
        ),
        Node(
            nodes.measure_moderators,
            inputs=[*CANONICAL, "panel_lens", "params:campaigns", "params:metrics"],
            outputs="campaign_moderators",
            name="measure_moderators",
        ),
    ]


def _results() -> list[Node]:
    found = ["panel_lens", "staggered_lens", "adjusted_lens", "lens_agreement"]
    return [
        Node(
            nodes.keep_ledger,
            inputs=[
                "panel_lens",
                "panel_coverage",
                "redemptions",
                "params:campaigns",
                "params:policy",
                "params:metrics",
                "params:checks",
            ],
            outputs="campaign_money",
            name="keep_ledger",
        ),
        Node(
            nodes.tabulate_campaigns,
            inputs=[*found, "campaign_money", "campaign_moderators", "params:metrics"],
            outputs="campaign_tables",
            name="tabulate_campaigns",
        ),
        Node(
            nodes.draw_campaigns,
            inputs=[
                *found,
                "campaign_money",
                "params:campaigns",
                "params:policy",
                "params:metrics",
                "params:wording",
                "params:seed",
            ],
            outputs="campaign_figures",
            name="draw_campaigns",
        ),
        Node(
            nodes.judge_campaigns,
            inputs=[
                "transactions",
                "campaign_panel",
                *found,
                "campaign_money",
                "params:campaigns",
                "params:trials",
                "params:metrics",
                "params:checks",
                "params:wording",
            ],
            outputs=["campaign_checks", "campaign_verdict", "campaign_verdict_text"],
            name="judge_campaigns",
        ),
    ]
