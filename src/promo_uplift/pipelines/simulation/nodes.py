"""From the real tables' profile to simulated raw tables, their truth, and how well they fit."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from matplotlib.figure import Figure

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.simulation import (
    ProfileParameters,
    SimulationParameters,
    StoreStudyParameters,
    TableStream,
    WorldProfile,
    build_world,
    fit_figure,
    fit_profile,
    goodness_of_fit,
    marginals,
    raw_streams,
    simulate_store_study,
    true_policy_values,
)
from promo_uplift.sources import RAW_TABLES, RawTables, canonical_tables


def _without_promotions(*tables: ibis.Table) -> RawTables:
    """Name the raw tables, given in the order of ``RAW_TABLES`` without the last."""
    return {**dict(zip(RAW_TABLES, tables, strict=False)), "promotions": None}


def summarise_real_tables(
    transactions: ibis.Table,
    products: ibis.Table,
    demographics: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    parameters: ProfileParameters,
    seed: int,
) -> dict[str, Any]:
    """Sum the real tables up into the aggregates that a world is drawn from."""
    raw = _without_promotions(
        transactions, products, demographics, campaigns, campaign_targets, coupons, redemptions
    )
    profile = fit_profile(
        tables=canonical_tables(form="package", raw=raw, seed=seed),
        timestamps=transactions,
        parameters=parameters,
    )
    return profile.model_dump(mode="json")


def simulate(
    profile: dict[str, Any], parameters: SimulationParameters, policy: PolicyParameters, seed: int
) -> tuple[
    TableStream,
    TableStream,
    TableStream,
    TableStream,
    TableStream,
    TableStream,
    TableStream,
    TableStream,
    pd.DataFrame,
    pd.DataFrame,
]:
    """Draw a world: its raw tables, and beside them what is true of it."""
    world = build_world(
        profile=WorldProfile.model_validate(profile), parameters=parameters, seed=seed
    )
    raw = raw_streams(world=world)
    return (
        raw["transactions"],
        raw["products"],
        raw["demographics"],
        raw["campaigns"],
        raw["campaign_targets"],
        raw["coupons"],
        raw["redemptions"],
        raw["promotions"],
        world.truth,
        true_policy_values(world=world, policy=policy),
    )


def compare_with_real_tables(
    transactions: ibis.Table,
    products: ibis.Table,
    demographics: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    simulated_transactions: ibis.Table,
    simulated_products: ibis.Table,
    simulated_demographics: ibis.Table,
    simulated_campaigns: ibis.Table,
    simulated_campaign_targets: ibis.Table,
    simulated_coupons: ibis.Table,
    simulated_redemptions: ibis.Table,
    seed: int,
) -> tuple[pd.DataFrame, Figure]:
    """Compare the marginals of the simulated tables with those of the real ones."""
    real = _without_promotions(
        transactions, products, demographics, campaigns, campaign_targets, coupons, redemptions
    )
    simulated = _without_promotions(
        simulated_transactions,
        simulated_products,
        simulated_demographics,
        simulated_campaigns,
        simulated_campaign_targets,
        simulated_coupons,
        simulated_redemptions,
    )
    one = marginals(tables=canonical_tables(form="package", raw=real, seed=seed))
    other = marginals(tables=canonical_tables(form="package", raw=simulated, seed=seed))
    fit = goodness_of_fit(real=one, simulated=other)
    return fit, fit_figure(real=one, simulated=other, fit=fit)


def simulate_stores(
    parameters: StoreStudyParameters, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Draw the four tables of a store-and-customer study, and the truth of each visit."""
    study = simulate_store_study(parameters=parameters, seed=seed)
    return (
        study.sales_before,
        study.sales_after,
        study.store_characteristics,
        study.customer_demographics,
        study.truth,
        study.effects,
    )
