"""A simulated world as the raw tables of the package form, in memory or written block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.results import IntArray
from promo_uplift.contracts.streams import TableStream, write_stream
from promo_uplift.simulation.parameters import SimulationParameters
from promo_uplift.simulation.profile import WorldProfile
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.receipts import (
    FIRST_STORE_ID,
    FUEL_PRODUCT_ID,
    TRANSACTIONS_SCHEMA,
    block_transactions,
    package_week,
)
from promo_uplift.simulation.redemptions import coupon_upcs, draw_redemptions, n_coupons
from promo_uplift.simulation.world import World, build_world
from promo_uplift.sources.package import CAMPAIGN_SHIFT, FIRST_RENUMBERED, LAST_CAMPAIGN
from promo_uplift.sources.registry import source_form

_DATE: Final = pa.timestamp("us")
_HOMEOWNER: Final = {"Probable Owner": "Probable Homeowner"}
_LABELS: Final = {
    "demo_age": "age",
    "demo_income": "income",
    "demo_household_size": "household_size",
    "demo_home_owner": "home_ownership",
}
_DISPLAYS: Final = ("0", "1", "2", "3", "4", "5", "6", "7", "9", "A")
_MAILERS: Final = ("0", "A", "C", "D", "F", "H", "J", "L", "P", "X", "Z")


@dataclass(frozen=True, slots=True)
class SimulatedWorld:
    """A world with a known truth in memory.

    Attributes
    ----------
    world : World
        What was drawn.
    raw : dict of str to pyarrow.Table
        The raw tables, by their names in ``RAW_TABLES``, as the package form has them.
    truth : DataFrame
        One row per household and campaign; ``docs/simulation.md`` names the columns.
    """

    world: World
    raw: dict[str, pa.Table]
    truth: pd.DataFrame


def simulate_world(
    *, profile: WorldProfile, parameters: SimulationParameters, seed: int
) -> SimulatedWorld:
    """Simulate a world and write it down as raw tables in memory.

    Raises
    ------
    SourceError
        As ``build_world`` does.
    """
    world = build_world(profile=profile, parameters=parameters, seed=seed)
    raw = {name: stream.read() for name, stream in raw_streams(world=world).items()}
    return SimulatedWorld(world=world, raw=raw, truth=world.truth)


def raw_streams(*, world: World) -> dict[str, TableStream]:
    """Return the raw tables of a world by their names; transactions come block by block.

    Raises
    ------
    SourceError
        If the world is so small that a table would have no row, which no source may have.
    """
    redemptions = draw_redemptions(world=world)

    def transactions() -> Iterator[pa.Table]:
        for block, redeemed in enumerate(redemptions):
            yield block_transactions(world=world, block=block, redemptions=redeemed)

    tables = {
        "products": _products(world),
        "demographics": _demographics(world),
        "campaigns": _campaigns(world),
        "campaign_targets": _campaign_targets(world),
        "coupons": _coupons(world),
        "redemptions": _redemptions(world, redemptions),
        "promotions": _promotions(world),
    }
    _refuse_empty(tables, n_households=world.parameters.n_households)
    streams = {name: _one_block(table) for name, table in tables.items()}
    return {"transactions": TableStream(TRANSACTIONS_SCHEMA, transactions), **streams}


def _refuse_empty(tables: dict[str, pa.Table], *, n_households: int) -> None:
    empty = [name for name, table in tables.items() if table.num_rows == 0]
    if empty:
        raise SourceError(
            f"`simulation.n_households` must be large enough for a row in every raw table; with "
            f"{n_households} households these are empty: {', '.join(empty)}. Raise it."
        )


def write_world(*, world: World, folder: Path) -> dict[str, int]:
    """Write the raw tables to ``<folder>/<the package's name>.parquet``, a row group per block.

    Returns
    -------
    dict of str to int
        Rows by raw table.
    """
    stems = source_form("package").stems
    return {
        name: write_stream(path=folder / f"{stems[name]}.parquet", stream=stream)
        for name, stream in raw_streams(world=world).items()
    }


def _one_block(table: pa.Table) -> TableStream:
    return TableStream(table.schema, lambda: iter([table]))


def package_id(campaign_id: IntArray) -> IntArray:
    """Campaign ids as the package numbers them: its 24 to 27 are the original's 27 to 30."""
    first = FIRST_RENUMBERED + CAMPAIGN_SHIFT
    is_renumbered = (campaign_id >= first) & (campaign_id <= LAST_CAMPAIGN + CAMPAIGN_SHIFT)
    result: IntArray = np.where(is_renumbered, campaign_id - CAMPAIGN_SHIFT, campaign_id)
    return result


def _products(world: World) -> pa.Table:
    cells = world.profile.products
    place = world.catalogue.cell.tolist()
    n = len(world.catalogue)
    listed = pa.table(
        {
            "product_id": pa.array(world.catalogue.product_id, pa.int64()),
            "manufacturer_id": pa.array(1 + np.arange(n, dtype=np.int64) % 999, pa.int64()),
            "department": pa.array([cells[i].department for i in place], pa.string()),
            "brand": pa.array([cells[i].brand for i in place], pa.string()),
            "product_category": pa.array([cells[i].commodity for i in place], pa.string()),
            "product_type": pa.array([cells[i].commodity for i in place], pa.string()),
            "package_size": pa.array([None] * n, pa.string()),
        }
    )
    fuel = pa.table(
        {
            "product_id": [FUEL_PRODUCT_ID],
            "manufacturer_id": [1],
            "department": ["FUEL"],
            "brand": ["National"],
            "product_category": ["COUPON/MISC ITEMS"],
            "product_type": ["GASOLINE-REG UNLEADED"],
            "package_size": pa.array([None], pa.string()),
        }
    )
    return pa.concat_tables([fuel.cast(listed.schema), listed])


def _demographics(world: World) -> pa.Table:
    known = np.flatnonzero(world.households.has_demographics)
    columns = {"household_id": pa.array(world.households.household_id[known], pa.int64())}
    for name, column in _LABELS.items():
        labels = [None, *(_HOMEOWNER.get(x, x) for x in world.profile.demographics[name].labels)]
        codes = world.households.demographics[name][known].tolist()
        columns[column] = pa.array([labels[code] for code in codes], pa.string())
    return pa.table(columns)


def _campaigns(world: World) -> pa.Table:
    return pa.table(
        {
            "campaign_id": pa.array(package_id(_ids(world)), pa.int64()),
            "campaign_type": [
                one.facts.campaign_type.replace("Type", "Type ") for one in world.campaigns
            ],
            "start_date": pa.array([pd.Timestamp(one.start) for one in world.campaigns], _DATE),
            "end_date": pa.array([pd.Timestamp(one.end) for one in world.campaigns], _DATE),
        }
    )


def _ids(world: World) -> IntArray:
    return np.array([one.campaign_id for one in world.campaigns], dtype=np.int64)


def _campaign_targets(world: World) -> pa.Table:
    who = [np.flatnonzero(mailed) for mailed in world.assigned]
    campaign = np.repeat(package_id(_ids(world)), [len(one) for one in who])
    return pa.table(
        {
            "campaign_id": pa.array(campaign, pa.int64()),
            "household_id": pa.array(
                world.households.household_id[np.concatenate(who)], pa.int64()
            ),
        }
    )


def _coupons(world: World) -> pa.Table:
    upc, product, campaign = [], [], []
    for one, covered in zip(world.campaigns, world.covered, strict=True):
        places = np.flatnonzero(covered)
        upc.append(coupon_upcs(one.campaign_id, np.arange(len(places)) % n_coupons(one, covered)))
        product.append(world.catalogue.product_id[places])
        campaign.append(np.full(len(places), one.campaign_id))
    return pa.table(
        {
            "coupon_upc": pa.array(np.concatenate(upc), pa.int64()),
            "product_id": pa.array(np.concatenate(product), pa.int64()),
            "campaign_id": pa.array(package_id(np.concatenate(campaign)), pa.int64()),
        }
    )


def _redemptions(world: World, redemptions: tuple[pd.DataFrame, ...]) -> pa.Table:
    frame = pd.concat(redemptions, ignore_index=True)
    first = np.datetime64(world.parameters.span.first_day, "us")
    date = first + frame["day"].to_numpy(dtype="timedelta64[D]")
    return pa.table(
        {
            "household_id": pa.array(frame["household_id"].to_numpy(np.int64), pa.int64()),
            "coupon_upc": pa.array(frame["coupon_upc"].to_numpy(np.int64), pa.int64()),
            "campaign_id": pa.array(
                package_id(frame["campaign_id"].to_numpy(np.int64)), pa.int64()
            ),
            "redemption_date": pa.array(date, _DATE),
        }
    )


def _promotions(world: World) -> pa.Table:
    """Draw displays and mailers at random: they change nothing."""
    rng = generator(world.seed, "promotions")
    first = package_week(world, np.zeros(1, dtype=np.int64))[0]
    last = package_week(world, np.array([world.parameters.span.days - 1]))[0]
    n = world.parameters.promotions_per_week
    week = np.repeat(np.arange(first, last + 1), n)
    n_stores = len(world.profile.store_shares)
    return pa.table(
        {
            "product_id": pa.array(rng.choice(world.catalogue.product_id, len(week)), pa.int64()),
            "store_id": pa.array(FIRST_STORE_ID + rng.integers(0, n_stores, len(week)), pa.int64()),
            "display_location": rng.choice(np.array(_DISPLAYS, dtype=object), len(week)),
            "mailer_location": rng.choice(np.array(_MAILERS, dtype=object), len(week)),
            "week": pa.array(week, pa.int64()),
        }
    )
