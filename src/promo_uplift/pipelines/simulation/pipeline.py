"""Wiring of the simulation."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from promo_uplift.pipelines.simulation import nodes

NAMES = [
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_targets",
    "coupons",
    "redemptions",
]
TEMPLATE = [f"template_{name}" for name in NAMES]
SIMULATED = [f"simulated_{name}" for name in NAMES]


def create_pipeline() -> Pipeline:
    """From the real tables to simulated raw tables, the truth, and the goodness of fit."""
    return Pipeline(
        [
            Node(
                nodes.summarise_real_tables,
                inputs=[*TEMPLATE, "params:simulation_profile", "params:seed"],
                outputs="world_profile",
                name="summarise_real_tables",
            ),
            Node(
                nodes.simulate,
                inputs=["world_profile", "params:simulation", "params:policy", "params:seed"],
                outputs=[
                    *SIMULATED,
                    "simulated_promotions",
                    "truth_effects",
                    "truth_policies",
                ],
                name="simulate",
            ),
            Node(
                nodes.compare_with_real_tables,
                inputs=[*TEMPLATE, *SIMULATED, "params:seed"],
                outputs=["simulation_fit", "simulation_fit_figure"],
                name="compare_with_real_tables",
            ),
            Node(
                nodes.simulate_stores,
                inputs=["params:store_study", "params:seed"],
                outputs=[
                    "sales_before",
                    "sales_after",
                    "store_characteristics",
                    "customer_demographics",
                    "truth_store_visits",
                    "truth_store_effects",
                ],
                name="simulate_stores",
            ),
        ],
        tags="simulation",
    )
