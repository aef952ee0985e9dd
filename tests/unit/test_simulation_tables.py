"""What a world writes: the package's raw tables, the same for the same seed, whole or in blocks."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from simulation_worlds import parameters, profile, trial_parameters

from promo_uplift.contracts.errors import SourceError, TrialError
from promo_uplift.simulation import (
    build_world,
    raw_streams,
    simulate_world,
    table_trials,
    world_tables,
    world_trials,
    write_world,
)
from promo_uplift.simulation.calendar import local_hours, utc_seconds
from promo_uplift.sources import RAW_TABLES
from promo_uplift.sources.registry import source_form

PROFILE = profile()


@pytest.fixture(scope="module")
def world():
    return simulate_world(
        profile=PROFILE,
        parameters=parameters(campaigns={"calendar": "staggered", "mailed_share": None}),
        seed=7,
    )


@pytest.fixture(scope="module")
def tables(world):
    return world_tables(world=world, n_threads=1)


def test_the_raw_tables_are_the_package_forms(world):
    assert set(world.raw) == set(RAW_TABLES)
    for name, columns in source_form("package").columns.items():
        assert {column.name for column in columns} <= set(world.raw[name].column_names)
        assert world.raw[name].num_rows > 0
    assert world.raw["transactions"].schema.field("transaction_timestamp").type == pa.timestamp(
        "us"
    )


def test_campaign_ids_are_the_packages_in_the_files_and_the_originals_in_the_truth():
    early = simulate_world(
        profile=PROFILE,
        parameters=parameters(
            span={"first_date": "2017-01-01", "days": 300},
            n_households=60,
            campaigns={"calendar": "staggered"},
        ),
        seed=1,
    )
    assert early.raw["campaigns"]["campaign_id"].to_pylist() == [27, 8, 9, 13, 14]
    assert early.truth["campaign_id"].unique().tolist() == [30, 8, 9, 13, 14]


def test_the_same_seed_gives_the_same_tables_and_another_one_others(world):
    again = simulate_world(profile=PROFILE, parameters=world.world.parameters, seed=7)
    other = simulate_world(profile=PROFILE, parameters=world.world.parameters, seed=8)
    for name in RAW_TABLES:
        assert again.raw[name].equals(world.raw[name])
    pd.testing.assert_frame_equal(again.truth, world.truth)
    for name in ("transactions", "campaign_targets", "redemptions", "coupons"):
        assert not other.raw[name].equals(world.raw[name])
    assert not other.truth.equals(world.truth)


def test_written_in_blocks_is_what_is_in_memory(world, tmp_path):
    rows = write_world(world=world.world, folder=tmp_path)
    stems = source_form("package").stems
    for name in RAW_TABLES:
        path = tmp_path / f"{stems[name]}.parquet"
        assert pq.read_table(path).equals(world.raw[name])
        assert rows[name] == world.raw[name].num_rows
    groups = pq.ParquetFile(tmp_path / "transactions.parquet").num_row_groups
    assert groups == len(world.world.blocks) == 3
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_stream_can_be_read_twice(world):
    stream = raw_streams(world=world.world)["transactions"]
    assert stream.read().equals(stream.read())


def test_the_tables_hold_the_baskets_of_the_world(world):
    lines = world.raw["transactions"].to_pandas()
    first = world.world.catalogue.product_id[0]
    merchandise = lines[lines["product_id"] >= first]
    for block in range(len(world.world.blocks)):
        rows = world.world.block_rows(block)
        ids = world.world.households.household_id[rows]
        found = merchandise[merchandise["household_id"].isin(ids)]
        purchases = world.world.blocks[block]
        assert found["basket_id"].nunique() == len(purchases.day)
        assert round(100 * found["sales_value"].sum()) == purchases.cents.sum()


def test_the_lines_that_are_no_merchandise_are_there(world, tables):
    kinds = tables.transactions.line_kind.value_counts().to_pyarrow().to_pylist()
    counts = {row["line_kind"]: row["line_kind_count"] for row in kinds}
    assert set(counts) == {"merchandise", "fuel", "coupon"}
    assert counts["fuel"] > 100
    fuel = tables.transactions.filter(tables.transactions.line_kind == "fuel")
    assert fuel.quantity.median().to_pyarrow().as_py() > 1000
    coupon = tables.transactions.filter(tables.transactions.line_kind == "coupon")
    assert coupon.sales_usd.max().to_pyarrow().as_py() == 0.0
    assert coupon.quantity.max().to_pyarrow().as_py() == 0


def test_clock_readings_keep_their_local_day_around_the_change_of_the_clock():
    days = pd.date_range("2017-03-10", "2017-03-15").append(
        pd.date_range("2017-11-03", "2017-11-07")
    )
    local = (
        days.to_numpy().astype("datetime64[s]").astype(np.int64)[:, None]
        + np.arange(0, 86_400, 600)[None, :]
    ).ravel()
    utc = utc_seconds(local)
    assert set(np.unique(local - utc)) == {-18_000, -14_400}
    skipped = dt.datetime(2017, 3, 12, 2, tzinfo=dt.UTC).timestamp()
    readable = (local < skipped) | (local >= skipped + 3600)
    assert np.array_equal(local_hours(utc)[readable], (local % 86_400 // 3600)[readable])


def test_redemptions_are_by_mailed_households_on_baskets_of_theirs(world):
    redemptions = world.raw["redemptions"].to_pandas()
    targets = world.raw["campaign_targets"].to_pandas()
    coupons = world.raw["coupons"].to_pandas()
    assert len(redemptions.merge(targets)) == len(redemptions)
    keys = ["campaign_id", "coupon_upc"]
    assert len(redemptions.merge(coupons[keys].drop_duplicates())) == len(redemptions)
    campaigns = world.raw["campaigns"].to_pandas()
    dated = redemptions.merge(campaigns)
    assert dated["redemption_date"].between(dated["start_date"], dated["end_date"]).all()
    lines = world.raw["transactions"].to_pandas()
    assert (lines["coupon_disc"] > 0).sum() > 0.5 * len(redemptions)
    mailed = len(targets[targets["campaign_id"] == 13])
    redeeming = redemptions.loc[redemptions["campaign_id"] == 13, "household_id"].nunique()
    assert redeeming / mailed == pytest.approx(0.15, abs=0.06)


def test_redemption_probabilities_are_the_share_that_redeems():
    gaps = []
    for seed in range(8):
        built = simulate_world(profile=PROFILE, parameters=parameters(), seed=seed)
        truth = built.truth[built.truth["treatment"] == 1]
        redeemed = set(built.raw["redemptions"]["household_id"].to_pylist())
        found = truth["household_id"].isin(redeemed)
        gaps.append((found - truth["redemption_probability"]).to_numpy())
    gaps = np.concatenate(gaps)
    assert abs(gaps.mean()) < 4.0 * gaps.std() / np.sqrt(len(gaps))


def test_trials_carry_the_truth_of_their_rows(world, tables):
    data, truth = table_trials(tables=tables, world=world, trials=trial_parameters())
    frame = world.truth.set_index(["household_id", "campaign_id"])
    assert set(data.campaign) == {13}  # campaign 8 starts before its windows are covered
    rows = frame.loc[list(zip(data.groups, data.campaign, strict=True))]
    assert np.array_equal(rows["treatment"], data.treatment)
    assert np.array_equal(rows["cate_usd"], truth.cate)
    factual = np.where(data.treatment == 1, rows["y1_usd"], rows["y0_usd"])
    assert np.allclose(factual, data.outcome)
    assert np.allclose(truth.mu1 - truth.mu0, truth.cate)


def test_the_covariates_hold_what_the_rule_saw(world, tables):
    """Propensities are a function of visits, spend, earlier mailings and demographics."""
    data, truth = table_trials(tables=tables, world=world, trials=trial_parameters())
    covariates = data.covariates
    columns = [
        np.log1p(covariates["pre_spend_usd"]),
        np.log1p(covariates["pre_baskets"]),
        1.0 - covariates["demo_missing"],
        np.ones(len(covariates)),
    ]
    if "prior_campaigns_type_a" in covariates:
        columns.append(covariates["prior_campaigns_type_a"])
    design = np.column_stack(columns)
    logit = np.log(truth.propensity / (1.0 - truth.propensity))
    fitted = design @ np.linalg.lstsq(design, logit, rcond=None)[0]
    assert np.allclose(fitted, logit, atol=1e-6)


def test_eligible_rows_are_the_trials_rows(world, tables):
    data, _ = table_trials(tables=tables, world=world, trials=trial_parameters())
    eligible = world.truth[world.truth["is_eligible"] & (world.truth["campaign_id"] == 13)]
    assert set(eligible["household_id"]) == set(data.groups[data.campaign == 13])


def test_placebo_trials_state_no_effect(world):
    _, truth = world_trials(
        world=world, trials=trial_parameters(history_days=90), shift_days=28, n_threads=1
    )
    assert (truth.cate == 0.0).all()
    assert np.isnan(truth.mu0).all()


def test_another_outcome_window_is_refused(world, tables):
    with pytest.raises(TrialError, match=r"`outcome_days` must be .* 28; got 14"):
        table_trials(tables=tables, world=world, trials=trial_parameters(outcome_days=14))


def test_a_world_too_small_for_a_redemption_is_refused():
    nobody = PROFILE.model_copy(
        update={
            "campaigns": [c.model_copy(update={"redemption_share": 0.0}) for c in PROFILE.campaigns]
        }
    )
    with pytest.raises(SourceError, match=r"n_households.*400 households.*: redemptions"):
        simulate_world(profile=nobody, parameters=parameters(), seed=1)


def test_a_span_is_too_short_to_hold_its_calendar():
    with pytest.raises(SourceError, match=r"simulation\.span"):
        build_world(
            profile=PROFILE,
            parameters=parameters(span={"first_date": "2017-08-09", "days": 60}),
            seed=1,
        )
