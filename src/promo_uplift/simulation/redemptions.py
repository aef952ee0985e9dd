"""Coupons that mailed households redeem: on baskets of theirs, while the campaign runs."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import BoolArray, IntArray
from promo_uplift.simulation.campaigns import Campaign
from promo_uplift.simulation.purchases import Purchases
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.world import World

FIRST_COUPON_UPC: Final = 10_000_000_000
COUPONS_PER_CAMPAIGN: Final = 100_000


def n_coupons(campaign: Campaign, covered: BoolArray) -> int:
    """Coupons of a campaign: as many as the real one has, if there are products for them."""
    return max(1, min(campaign.facts.n_coupons, int(covered.sum())))


def coupon_upcs(campaign_id: int, place: IntArray) -> IntArray:
    """Coupon ids of a campaign, by their place in it."""
    return FIRST_COUPON_UPC + campaign_id * COUPONS_PER_CAMPAIGN + place


def draw_redemptions(*, world: World) -> tuple[pd.DataFrame, ...]:
    """Redemptions of each block of households.

    Returns
    -------
    tuple of DataFrame
        ``household_id``, ``campaign_id`` (the original's), ``coupon_upc``, ``day`` of the world and
        ``purchase``, the place of the basket in the block.
    """
    return tuple(_block(world=world, block=block) for block in range(len(world.blocks)))


def _block(*, world: World, block: int) -> pd.DataFrame:
    rng = generator(world.seed, "redemptions", block)
    rows, bought = world.block_rows(block), world.blocks[block]
    horizon = world.parameters.span.days
    key, order = _by_household_and_day(bought, horizon)
    parts = []
    for place, campaign in enumerate(world.campaigns):
        who = np.arange(rows.start, rows.stop)
        redeems = rng.uniform(size=len(who)) < world.redemption[place][rows]
        who = who[redeems & (world.assigned[place][rows] == 1)]
        low = np.searchsorted(key, who * horizon + campaign.start_day)
        high = np.searchsorted(key, who * horizon + min(campaign.end_day + 1, horizon))
        extra = rng.poisson(max(campaign.facts.redemptions_per_redeemer - 1.0, 0.0), size=len(who))
        times = np.where(high > low, 1 + extra, 0)
        low, high, who = (np.repeat(values, times) for values in (low, high, who))
        chosen = order[(low + rng.uniform(size=len(low)) * (high - low)).astype(np.int64)]
        coupon = rng.integers(0, n_coupons(campaign, world.covered[place]), size=len(who))
        parts.append(
            pd.DataFrame(
                {
                    "household_id": world.households.household_id[who],
                    "campaign_id": np.full(len(who), campaign.campaign_id, dtype=np.int64),
                    "coupon_upc": coupon_upcs(campaign.campaign_id, coupon),
                    "day": bought.day[chosen].astype(np.int64),
                    "purchase": chosen,
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    return found.drop_duplicates(
        ["household_id", "campaign_id", "coupon_upc", "day"], ignore_index=True
    )


def _by_household_and_day(bought: Purchases, horizon: int) -> tuple[IntArray, IntArray]:
    key = bought.household.astype(np.int64) * horizon + bought.day
    order = np.argsort(key, kind="stable")
    return key[order], order
