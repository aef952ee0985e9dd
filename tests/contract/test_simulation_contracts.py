"""Simulated tables pass the same contracts as the real ones, whatever the knobs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from promo_uplift.contracts.validation import validate_tables
from promo_uplift.simulation import simulate_world, world_tables
from promo_uplift.sources import cleaning_report

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from simulation_worlds import parameters, profile

WORLDS = {
    "staggered": {"campaigns": {"calendar": "staggered", "mailed_share": None}},
    "arms": {"campaigns": {"arm_multipliers": [1.0, 2.0, -1.0]}},
    "everything": {
        "effect": {"function": "sign_changing", "mean_usd": 0.0, "sd_usd": 80.0},
        "interference": {
            "anticipation_usd": 20.0,
            "forward_buying_share": 1.0,
            "cannibalisation_usd": 30.0,
            "spillover_share": -0.5,
        },
        "targeting": {"unobserved_confounding": 2.0, "min_propensity": 0.1},
        "spend": {"tail_variance_share": 0.8, "tail_probability": 0.005, "tail_index": 2.1},
        "missing_demographics_share": 0.95,
    },
    "few": {"n_households": 60, "span": {"first_date": "2017-05-01", "days": 130}},
}


@pytest.mark.parametrize("changes", WORLDS.values(), ids=WORLDS.keys())
def test_simulated_tables_pass_the_contracts(changes):
    world = simulate_world(profile=profile(), parameters=parameters(**changes), seed=11)
    report = validate_tables(world_tables(world=world, n_threads=1))
    broken = report[report["rows_failed"] > 0]
    # what the contracts tolerate of the real tables: coupon carriers, and mailed who never shop
    assert set(zip(broken["table"], broken["column"], strict=True)) <= {
        ("transactions", "product_id"),
        ("campaign_targets", "household_id"),
    }


def test_cleaning_finds_what_the_simulation_put_in():
    world = simulate_world(profile=profile(), parameters=parameters(), seed=11)
    tables = world_tables(world=world, n_threads=1)
    backend = tables.transactions.get_backend()
    raw = {name: backend.table(name) for name in world.raw}
    report = cleaning_report(form="package", raw=raw, seed=1).set_index(["table", "rule"])["rows"]
    assert report["transactions", "line_kind_fuel"] > 50
    assert report["transactions", "no_product_row"] > 0
    assert report["transactions", "quantity_zero"] == report["transactions", "no_product_row"]
    assert report["transactions", "day_moved_by_time_zone"] > 0
    assert report["transactions", "week_differs_from_date"] == 0
    assert report["households", "without_demographics"] > 0
