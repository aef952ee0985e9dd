"""The raw transactions of a block of households, with all that the data's cleaning has to meet.

Discounts, quantities, stores and clock readings never change what is spent, so they are drawn when
the table is written; likewise fuel and coupons, which are no merchandise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.contracts.tables import DAY_OF_2017_01_01
from promo_uplift.features.windows import day_number
from promo_uplift.simulation.calendar import HOURS_PER_DAY, SECONDS_PER_HOUR, utc_seconds
from promo_uplift.simulation.catalogue import FIRST_PRODUCT_ID
from promo_uplift.simulation.households import DAYS_PER_WEEK
from promo_uplift.simulation.profile import from_grid
from promo_uplift.simulation.purchases import CENTS, Purchases
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.rates import seasons
from promo_uplift.simulation.world import World
from promo_uplift.sources.package import WEEK_SHIFT

FUEL_PRODUCT_ID: Final = FIRST_PRODUCT_ID - 1
#: Sold and not listed, as the coupon carriers of the package are.
CARRIER_PRODUCT_ID: Final = FIRST_PRODUCT_ID - 2
FIRST_STORE_ID: Final = 1
_FIRST_BASKET: Final = 20_000_000_000
_BASKETS_PER_HOUSEHOLD: Final = 100_000
_THOUSANDTHS: Final = 1000.0
_EPOCH_2017: Final = 17_167
_FINE: Final = 4001

TRANSACTIONS_SCHEMA: Final = pa.schema(
    [
        ("household_id", pa.int64()),
        ("store_id", pa.int64()),
        ("basket_id", pa.int64()),
        ("product_id", pa.int64()),
        ("quantity", pa.int64()),
        ("sales_value", pa.float64()),
        ("retail_disc", pa.float64()),
        ("coupon_disc", pa.float64()),
        ("coupon_match_disc", pa.float64()),
        ("week", pa.int64()),
        ("transaction_timestamp", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True, slots=True)
class _Baskets:
    """Baskets of a block in order of household and day, fuel included; lines refer to places."""

    household: IntArray
    day: IntArray


def block_transactions(*, world: World, block: int, redemptions: pd.DataFrame) -> pa.Table:
    """Write one block of households down as receipt lines, ``TRANSACTIONS_SCHEMA``.

    ``redemptions`` are the block's, of ``draw_redemptions``: their coupons stand on the receipts.
    """
    rng = generator(world.seed, "receipts", block)
    bought = world.blocks[block]
    fuel_household, fuel_day = _fuel_visits(world=world, block=block, rng=rng)
    household = np.concatenate([bought.household.astype(np.int64), fuel_household])
    day = np.concatenate([bought.day.astype(np.int64), fuel_day])
    is_fuel = np.arange(len(day)) >= len(bought.day)
    order = np.lexsort((is_fuel, day, household))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    baskets = _Baskets(household[order], day[order])
    lines = _lines(world=world, bought=bought, rank=rank, rng=rng)
    fuel = _fuel_lines(world=world, rank=rank[is_fuel], rng=rng)
    basket = rank[redemptions["purchase"].to_numpy(dtype=np.int64)]
    carriers = _put_on_receipts(world=world, lines=lines, basket=basket, rng=rng)
    frame = pd.concat([lines, fuel, carriers], ignore_index=True)
    frame = frame.sort_values(["basket", "product_id"], kind="stable", ignore_index=True)
    return _table(world=world, baskets=baskets, frame=frame, rng=rng)


def _fuel_visits(
    *, world: World, block: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    rows = world.block_rows(block)
    season = seasons(profile=world.profile, parameters=world.parameters)
    counts = rng.poisson(world.households.fuel_per_day[rows] * season.sum())
    household = np.repeat(np.arange(rows.start, rows.stop), counts)
    day = rng.choice(len(season), size=len(household), p=season / season.sum())
    return household, day.astype(np.int64)


def _lines(
    *, world: World, bought: Purchases, rank: IntArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Merchandise lines with quantities and the retailer's discounts."""
    n = len(bought.product)
    household = np.repeat(bought.household, bought.n_lines)
    sales = bought.cents / CENTS
    depth = from_grid(world.profile.discount_depth, rng.uniform(size=n))
    chance = _discount_chance(world)[household]
    discount = np.where(rng.uniform(size=n) < chance, sales * depth / (1.0 - depth), 0.0)
    shares = np.asarray(world.profile.quantity_shares)
    quantity = 1 + np.searchsorted(np.cumsum(shares / shares.sum()), rng.uniform(size=n))
    return pd.DataFrame(
        {
            "basket": np.repeat(rank[: len(bought.day)], bought.n_lines),
            "product_id": world.catalogue.product_id[bought.product],
            "quantity": np.minimum(quantity, len(shares)).astype(np.int64),
            "sales_value": sales,
            "retail_disc": np.round(discount, 2),
            "coupon_disc": 0.0,
            "coupon_match_disc": 0.0,
        }
    )


def _discount_chance(world: World) -> FloatArray:
    """Chance of a discounted line that gives each household its discount rate in the mean."""
    depth = from_grid(world.profile.discount_depth, (np.arange(_FINE) + 0.5) / _FINE)
    mean_ratio = float((depth / (1.0 - depth)).mean())
    rate = world.households.discount_rate
    result: FloatArray = np.minimum(rate / ((1.0 - rate) * mean_ratio), 1.0)
    return result


def _fuel_lines(*, world: World, rank: IntArray, rng: np.random.Generator) -> pd.DataFrame:
    sales = np.round(from_grid(world.profile.fuel_usd, rng.uniform(size=len(rank))), 2)
    price = max(world.profile.fuel_price_usd, 0.01)
    return pd.DataFrame(
        {
            "basket": rank,
            "product_id": FUEL_PRODUCT_ID,
            "quantity": np.rint(_THOUSANDTHS * sales / price).astype(np.int64),
            "sales_value": sales,
            "retail_disc": 0.0,
            "coupon_disc": 0.0,
            "coupon_match_disc": 0.0,
        }
    )


def _put_on_receipts(
    *, world: World, lines: pd.DataFrame, basket: IntArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Take coupons off the first line of their baskets (in place), or off lines of their own."""
    value = np.round(from_grid(world.profile.coupon_usd, rng.uniform(size=len(basket))), 2)
    on_carrier = rng.uniform(size=len(basket)) < world.profile.coupon_carrier_share
    owner = lines["basket"].to_numpy()
    order = np.argsort(owner, kind="stable")
    first = order[np.searchsorted(owner[order], basket[~on_carrier])]
    discount = np.zeros(len(lines))
    np.add.at(discount, first, value[~on_carrier])
    lines["coupon_disc"] = np.round(discount, 2)
    lines["coupon_match_disc"] = np.round(discount * world.profile.coupon_match_share, 2)
    carried = pd.Series(value[on_carrier]).groupby(basket[on_carrier]).sum()
    return pd.DataFrame(
        {
            "basket": carried.index.to_numpy(dtype=np.int64),
            "product_id": np.full(len(carried), CARRIER_PRODUCT_ID, dtype=np.int64),
            "quantity": np.zeros(len(carried), dtype=np.int64),
            "sales_value": np.zeros(len(carried)),
            "retail_disc": np.zeros(len(carried)),
            "coupon_disc": np.round(carried.to_numpy(dtype=np.float64), 2),
            "coupon_match_disc": np.zeros(len(carried)),
        }
    )


def _table(
    *, world: World, baskets: _Baskets, frame: pd.DataFrame, rng: np.random.Generator
) -> pa.Table:
    n = len(baskets.household)
    place = frame["basket"].to_numpy(dtype=np.int64)
    home = world.households.home_store[baskets.household]
    shares = np.asarray(world.profile.store_shares)
    away = rng.choice(len(shares), size=n, p=shares / shares.sum())
    is_home = rng.uniform(size=n) < world.profile.home_store_share
    store = FIRST_STORE_ID + np.where(is_home, home, away)
    first = np.searchsorted(baskets.household, baskets.household)
    basket_id = (
        _FIRST_BASKET
        + world.households.household_id[baskets.household] * _BASKETS_PER_HOUSEHOLD
        + np.arange(n)
        - first
    )
    epoch_day = day_number(world.parameters.span.first_day) + baskets.day
    hour = rng.choice(HOURS_PER_DAY, size=n, p=_hours(world))
    second = rng.integers(0, SECONDS_PER_HOUR, size=n)
    clock = epoch_day * (HOURS_PER_DAY * SECONDS_PER_HOUR) + hour * SECONDS_PER_HOUR + second
    week = package_week(world, baskets.day)
    columns = {
        "household_id": world.households.household_id[baskets.household][place],
        "store_id": store[place],
        "basket_id": basket_id[place],
        **{
            name: frame[name].to_numpy()
            for name in TRANSACTIONS_SCHEMA.names
            if name in frame.columns
        },
        "week": week[place],
        "transaction_timestamp": (utc_seconds(clock)[place] * 1_000_000).astype("datetime64[us]"),
    }
    return pa.table(
        [pa.array(columns[f.name], type=f.type) for f in TRANSACTIONS_SCHEMA],
        schema=TRANSACTIONS_SCHEMA,
    )


def package_week(world: World, day: IntArray) -> IntArray:
    """Week of days of the world as the package counts them: its 1 is the publisher's 41."""
    number = day_number(world.parameters.span.first_day) + day - _EPOCH_2017 + DAY_OF_2017_01_01
    week: IntArray = (number + 8) // DAYS_PER_WEEK - WEEK_SHIFT
    return week


def _hours(world: World) -> FloatArray:
    hours = np.asarray(world.profile.hour)
    result: FloatArray = hours / hours.sum()
    return result
