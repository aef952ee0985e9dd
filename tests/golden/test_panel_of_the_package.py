"""The household x week panel of the packaged data, against pandas and against the trials."""

import datetime as dt
import importlib.util
import sys
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.panel import PANEL_COLUMNS, PANEL_OUTCOMES
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.trials import build_trials, select_trials
from promo_uplift.trials.panel import household_week_panel
from promo_uplift.trials.panel_selection import PanelWeeks, select_panel_campaigns

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "trials.py"
WEEKS = PanelWeeks(pre_weeks=8, post_weeks=8, eligibility_days=84, min_pre_weeks=4)
#: Whole; cut by the data's start; cut by its end, with few recipients.
CAMPAIGNS = (8, 30, 22)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("benchmark_of_trials", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("canonical")
    module.write_canonical(folder)
    con = ibis.duckdb.connect()
    return CanonicalTables(
        **{name: con.read_parquet(folder / f"{name}.parquet") for name in module.TABLES}
    )


@pytest.fixture(scope="module")
def frames(tables):
    return {
        name: table.to_pyarrow().to_pandas(date_as_object=False) for name, table in tables.items()
    }


def parameters(**changed):
    values = {
        "treatment_definition": "campaign_targeted",
        "control_definition": "not_targeted",
        "campaign_types": ["TypeA", "TypeB", "TypeC"],
        "campaigns": None,
        "pre_days": 84,
        "history_days": 126,
        "outcome_days": 28,
        "post_days": 28,
        "placebo_shift_days": 28,
        "washout_days": 0,
        "min_arm_households": 30,
    }
    return TrialParameters(**(values | changed))


@pytest.fixture(scope="module")
def selection(tables):
    return select_panel_campaigns(tables=tables, parameters=parameters(), weeks=WEEKS)


def panel_of(tables, selection, campaigns, chosen=None):
    return household_week_panel(
        tables=tables,
        campaigns=[c for c in selection.campaigns if c.campaign_id in campaigns],
        parameters=chosen or parameters(),
        weeks=WEEKS,
    )


@pytest.fixture(scope="module")
def panel(tables, selection):
    return panel_of(tables, selection, CAMPAIGNS)


# -------------------------------------------------------------------------------------- selection

#: Households mailed, as published for the whole data (a few of them are not active before).
PUBLISHED_MAILED = {8: 1076, 13: 1077, 18: 1133, 30: 361, 5: 166, 14: 224, 19: 130, 22: 276}


def test_all_campaigns_of_the_package_are_in_the_report(selection):
    report = selection.report.set_index("campaign_id")
    assert list(report.index) == [*range(1, 24), 27, 28, 29, 30]
    assert (report["reason"] == "").equals(report["used"])
    assert report.index[report["used"]].tolist() == [c.campaign_id for c in selection.campaigns]
    arms = report[["n_treated", "n_control", "n_washed_out", "n_neither"]].sum(axis=1)
    assert arms.equals(report["n_eligible"])


@pytest.mark.parametrize(("campaign", "mailed"), PUBLISHED_MAILED.items())
def test_the_treated_are_the_published_recipients_who_were_active(
    frames, selection, campaign, mailed
):
    targets = frames["campaign_targets"]
    assert (targets["campaign_id"] == campaign).sum() == mailed
    start = start_of(frames, campaign)
    lines = frames["transactions"]
    before = lines["is_merchandise"] & lines["date"].between(
        start - pd.Timedelta(days=84), start - pd.Timedelta(days=1)
    )
    active = set(lines.loc[before, "household_id"])
    recipients = set(targets.loc[targets["campaign_id"] == campaign, "household_id"])
    row = selection.report.set_index("campaign_id").loc[campaign]
    assert row["n_eligible"] == len(active)
    assert row["n_treated"] == len(active & recipients)


def test_published_population_of_campaign_30(selection):
    # 38 days of data lie before it: 2,029 households active in them, 344 of them mailed
    row = selection.report.set_index("campaign_id").loc[30]
    assert (row["n_eligible"], row["n_treated"], row["first_covered_week"]) == (2029, 344, -5)


@pytest.mark.parametrize(
    ("campaign", "reason"),
    [
        (1, "13 treated and 2152 control households of 2165 eligible"),
        (23, "the data covers no week from time zero on"),
        (27, "the data covers 0 of the 8 weeks before time zero"),
    ],
)
def test_a_campaign_that_is_left_out_says_why(selection, campaign, reason):
    row = selection.report.set_index("campaign_id").loc[campaign]
    assert not row["used"]
    assert reason in row["reason"]


# ------------------------------------------------------------------------------------------ panel


def start_of(frames, campaign):
    campaigns = frames["campaigns"].set_index("campaign_id")
    return pd.Timestamp(campaigns.loc[campaign, "start_date"])


def cents(amounts):
    return (amounts * 100).round().astype("int64")


def pandas_panel(frames, campaign):
    """The panel of one campaign from its definition, week by week."""
    lines, start = frames["transactions"], start_of(frames, campaign)
    first, last = lines["date"].min(), lines["date"].max()
    products = frames["products"].set_index("product_id")["commodity"]
    covered = frames["coupons"].query("campaign_id == @campaign")["product_id"].unique()
    commodities = products.reindex(covered).dropna().unique()
    lines = lines[
        lines["date"].between(start - pd.Timedelta(days=84), start + pd.Timedelta(days=62))
    ]
    lines = lines.assign(
        cents=cents(lines["sales_usd"]),
        retail=cents(lines["retail_discount_usd"]),
        match=cents(lines["coupon_match_discount_usd"]),
        coupon=cents(lines["coupon_discount_usd"]),
    )
    goods = lines[lines["is_merchandise"]]
    days = goods[["household_id", "date"]].drop_duplicates().assign(one=1)
    past = goods[goods["date"] < start]
    households = np.sort(past["household_id"].unique())
    mailed = frames["campaign_targets"].query("campaign_id == @campaign")["household_id"]
    is_target = goods["product_id"].isin(covered)
    is_near = goods["product_id"].map(products).isin(commodities) & ~is_target
    coupons = lines[lines["line_kind"].isin(["merchandise", "coupon"])]
    weeks = []
    for week in range(-8, 9):
        begin = start + pd.Timedelta(days=7 * week)
        end = begin + pd.Timedelta(days=7)
        frame = pd.DataFrame({"household_id": households, "rel_week": week, "week_start": begin})
        frame["treatment"] = frame["household_id"].isin(mailed).astype("int64")
        frame["is_covered"] = begin >= first and end <= last + pd.Timedelta(days=1)

        def total(rows, column, begin=begin, end=end, frame=frame):
            inside = rows[(rows["date"] >= begin) & (rows["date"] < end)]
            sums = inside[column].groupby(inside["household_id"]).sum()
            return frame["household_id"].map(sums).fillna(0.0)

        frame["spend_usd"] = total(goods, "cents") / 100
        frame["visits"] = total(days, "one")
        frame["units"] = total(goods, "quantity")
        frame["target_spend_usd"] = total(goods[is_target], "cents") / 100
        frame["category_spend_usd"] = total(goods[is_near], "cents") / 100
        frame["other_spend_usd"] = total(goods[~is_near & ~is_target], "cents") / 100
        frame["retailer_discount_usd"] = total(goods, "retail") / 100
        frame["coupon_match_discount_usd"] = total(goods, "match") / 100
        frame["manufacturer_coupon_usd"] = total(coupons, "coupon") / 100
        frame.loc[~frame["is_covered"], list(PANEL_OUTCOMES)] = np.nan
        weeks.append(frame)
    return pd.concat(weeks).sort_values(["household_id", "rel_week"], ignore_index=True)


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_every_figure_equals_an_independent_pandas_build(frames, panel, campaign):
    ours = panel[panel["campaign_id"] == campaign].reset_index(drop=True)
    oracle = pandas_panel(frames, campaign)
    assert len(ours) == len(oracle) > 17 * 2000
    assert list(ours.columns) == list(PANEL_COLUMNS)
    for name in oracle.columns:
        left = ours[name].to_numpy()
        right = oracle[name].astype(ours[name].dtype).to_numpy()
        if name in PANEL_OUTCOMES:
            np.testing.assert_allclose(left, right, rtol=0, atol=1e-9, err_msg=name)
        else:
            assert (left == right).all(), name


def test_weeks_0_to_3_are_the_trials_outcomes(tables, panel):
    chosen = parameters(campaigns=[8])
    trials = (
        build_trials(
            tables=tables,
            selection=select_trials(tables=tables, parameters=chosen),
            parameters=chosen,
            margin_rate=0.3,
        )
        .to_pyarrow()
        .to_pandas()
    )
    rows = panel[(panel["campaign_id"] == 8) & panel["rel_week"].between(0, 3)]
    sums = rows.groupby("household_id")[["spend_usd", "visits", "target_spend_usd"]].sum()
    assert sums.index.tolist() == trials["household_id"].tolist()
    for name in sums.columns:
        np.testing.assert_allclose(sums[name], trials[name], atol=1e-9)
    both = rows.groupby("household_id")[["retailer_discount_usd", "coupon_match_discount_usd"]]
    np.testing.assert_allclose(
        both.sum().sum(axis=1), trials["retailer_discount_usd"], rtol=0, atol=0.02
    )


def test_a_week_outside_the_data_is_missing_and_never_zero(panel):
    outside = panel[~panel["is_covered"]]
    assert sorted(outside["campaign_id"].unique()) == [22, 30]
    assert outside[list(PANEL_OUTCOMES)].isna().all().all()
    last = panel[panel["is_covered"]].groupby("campaign_id")["week_start"].agg(["min", "max"])
    assert last.loc[30, "min"].date() == dt.date(2017, 1, 4)  # not the week from 28 December on
    assert last.loc[22, "max"].date() == dt.date(2017, 12, 20)  # not the one from 27 December on


def test_the_parts_add_up_and_every_arm_is_whole(panel):
    covered = panel[panel["is_covered"]]
    parts = covered[["target_spend_usd", "category_spend_usd", "other_spend_usd"]]
    np.testing.assert_allclose(parts.sum(axis=1), covered["spend_usd"], rtol=0, atol=1e-9)
    assert (parts > 0).any().all()
    assert (panel.groupby(["campaign_id", "household_id"]).size() == 17).all()


def test_two_builds_are_equal_to_the_last_bit(tables, selection, panel):
    assert panel_of(tables, selection, CAMPAIGNS).equals(panel)


def test_washed_out_rows_leave_the_panel(tables, selection, panel):
    chosen = parameters(washout_days=56)
    report = select_panel_campaigns(tables=tables, parameters=chosen, weeks=WEEKS).report
    row = report.set_index("campaign_id").loc[22]
    left = panel_of(tables, selection, [22], chosen)
    assert row["n_washed_out"] > 100
    assert left["household_id"].nunique() == row["n_treated"] + row["n_control"]
    before = panel.loc[panel["campaign_id"] == 22, "household_id"].nunique()
    assert before - left["household_id"].nunique() == row["n_washed_out"]
