"""Cohorts, arms and doses of the packaged data against published counts and against pandas."""

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.sources import canonical_tables, source_files
from promo_uplift.trials.calendar_panel import calendar_panel
from promo_uplift.trials.dose_panel import DoseDesign, continuous_dose_panel
from promo_uplift.trials.selection import select_trials

CATEGORY = "SOFT DRINKS"


@pytest.fixture(scope="module")
def tables():
    con = ibis.duckdb.connect()
    raw = {name: con.read_parquet(path) for name, path in source_files(form="package").items()}
    lazy = canonical_tables(form="package", raw=raw, seed=0)
    small = {
        name: con.create_table(f"canonical_{name}", table)
        for name, table in lazy.items()
        if name != "promotions"
    }
    # of one category, so that pandas can hold it
    drinks = small["products"].filter(small["products"].commodity == CATEGORY)
    promotions = con.create_table("promoted", lazy.promotions.semi_join(drinks, "product_id"))
    return CanonicalTables(**small, promotions=promotions)


@pytest.fixture(scope="module")
def frames(tables):
    return {
        name: table.to_pyarrow().to_pandas(date_as_object=False) for name, table in tables.items()
    }


@pytest.fixture(scope="module")
def lines(frames):
    lines = frames["transactions"]
    lines = lines[lines["is_merchandise"] & (lines["date"] > "2017-01-01")]
    lines = lines.assign(
        spend=(lines["sales_usd"] * 100).round() / 100,
        off=((lines["retail_discount_usd"] + lines["coupon_match_discount_usd"]) * 100).round()
        / 100,
    )
    return lines.merge(frames["products"][["product_id", "commodity"]], on="product_id")


# ---------------------------------------------------------------------------------------- cohorts


def test_first_mailings_equal_the_published_counts(tables):
    result = calendar_panel(tables=tables, campaign_types=["TypeA"], period_weeks=1)
    cohorts = result.cohorts.set_index("cohort")
    assert cohorts["n_first_mailed"].dropna().tolist() == [361, 825, 163, 141]
    # 8 February is a Wednesday, in the sixth week from Monday 2 January
    assert cohorts.index.tolist() == [0, 6, 19, 32, 44]
    assert cohorts.loc[6, "period_start"].date() == dt.date(2017, 2, 6)


@pytest.mark.parametrize(("types", "period_weeks"), [(["TypeA"], 1), (["TypeA", "TypeB"], 4)])
def test_the_calendar_panel_equals_an_independent_pandas_build(
    tables, frames, lines, types, period_weeks
):
    result = calendar_panel(tables=tables, campaign_types=types, period_weeks=period_weeks)
    start, length = pd.Timestamp("2017-01-02"), 7 * period_weeks
    mailed = frames["campaign_targets"].merge(frames["campaigns"], on="campaign_id")
    mailed = mailed[mailed["campaign_type"].isin(types)]
    first = mailed.groupby("household_id")["start_date"].min()
    period = (first - start).dt.days // length + 1
    before = set(first.index[first < start])
    base_end = period[period >= 1].min()
    bought = lines.assign(period=(lines["date"] - start).dt.days // length + 1)
    in_baseline = set(bought.loc[bought["period"] < base_end, "household_id"])
    households = sorted(in_baseline - before)
    panel = result.panel
    assert panel["household_id"].unique().tolist() == households
    assert len(panel) == len(households) * (52 // period_weeks)
    assert panel["household_id"].is_monotonic_increasing
    expected = pd.Series(households).map(period).fillna(0).astype("int64")
    assert panel.groupby("household_id")["cohort"].first().tolist() == expected.tolist()
    days = bought.groupby(["household_id", "period", "date"], as_index=False)[
        ["spend", "quantity"]
    ].sum()
    sums = days.groupby(["household_id", "period"]).agg(
        spend_usd=("spend", "sum"), visits=("date", "size"), units=("quantity", "sum")
    )
    keys = pd.MultiIndex.from_frame(panel[["household_id", "period"]])
    for name in sums.columns:
        oracle = sums[name].reindex(keys).fillna(0.0)
        np.testing.assert_allclose(panel[name], oracle, rtol=0, atol=1e-6, err_msg=name)
    report = result.report.set_index("quantity")["value"]
    assert report["n_already_treated"] == len(before & set(frames["transactions"]["household_id"]))
    left = report["n_households_of_data"] - report["n_already_treated"]
    assert report["n_households"] == left - report["n_without_baseline"] == len(households)


# ------------------------------------------------------------------------------------ definitions


def trials_report(tables, **changed):
    values = {
        "treatment_definition": "campaign_targeted",
        "control_definition": "not_targeted",
        "campaign_types": ["TypeA"],
        "pre_days": 84,
        "history_days": 126,
        "outcome_days": 28,
        "post_days": 28,
        "placebo_shift_days": 28,
        "washout_days": 0,
        "min_arm_households": 30,
    }
    selection = select_trials(tables=tables, parameters=TrialParameters(**(values | changed)))
    return selection.report.set_index("campaign_id").loc[[8, 13, 18]]


@pytest.mark.parametrize(
    ("control", "types"),
    [("not_yet_targeted", ["TypeA"]), ("never_targeted_before", ["TypeA", "TypeB", "TypeC"])],
)
def test_controls_equal_an_independent_pandas_count(tables, frames, lines, control, types):
    whole = trials_report(tables)
    report = trials_report(tables, control_definition=control)
    campaigns = frames["campaigns"].set_index("campaign_id")
    mailed = frames["campaign_targets"].join(campaigns, on="campaign_id")
    for campaign in report.index:
        start = campaigns.loc[campaign, "start_date"]
        recent = lines["date"].between(start - pd.Timedelta(days=84), start - pd.Timedelta(days=1))
        past = mailed[(mailed["start_date"] < start) & mailed["campaign_type"].isin(types)]
        own = mailed.loc[mailed["campaign_id"] == campaign, "household_id"]
        controls = set(lines.loc[recent, "household_id"]) - set(own) - set(past["household_id"])
        row = report.loc[campaign]
        assert row["n_control"] == len(controls) < whole.loc[campaign, "n_control"]
        assert row["n_treated"] == whole.loc[campaign, "n_treated"]
        assert row["n_neither"] == whole.loc[campaign, "n_control"] - row["n_control"]


def test_coupon_exposure_treats_the_mailed_where_coupons_cover_the_category(tables, frames):
    whole = trials_report(tables)
    report = trials_report(tables, treatment_definition="coupon_exposure", category=CATEGORY)
    drinks = set(frames["products"].query("commodity == @CATEGORY")["product_id"])
    coupons = frames["coupons"]
    covering = set(coupons.loc[coupons["product_id"].isin(drinks), "campaign_id"])
    assert report.index[report["used"]].tolist() == [c for c in report.index if c in covering]
    used = report[report["used"]]
    assert len(used) > 0
    assert used["n_treated"].equals(whole.loc[used.index, "n_treated"])


# ------------------------------------------------------------------------------------------ doses


def test_discount_depth_equals_an_independent_pandas_build(tables, lines):
    panel = continuous_dose_panel(
        tables=tables, design=DoseDesign("discount_depth", (CATEGORY,), 13, 2)
    ).panel
    drinks = lines[lines["commodity"] == CATEGORY]
    sums = drinks.groupby(["household_id", "week_no"])[["spend", "off"]].sum()
    sums = sums[sums.sum(axis=1) > 0.005]
    assert panel["household_id"].tolist() == sums.index.get_level_values(0).tolist()
    assert panel["week"].tolist() == sums.index.get_level_values(1).tolist()
    np.testing.assert_allclose(panel["dose"], sums["off"] / sums.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(panel["spend_usd"], sums["spend"], atol=1e-6)
    assert panel["dose"].between(0, 1).all()


def test_exposure_equals_an_independent_pandas_build(tables, frames, lines):
    result = continuous_dose_panel(
        tables=tables, design=DoseDesign("display_mailer_exposure", (CATEGORY,), 13, 2)
    )
    base = lines[lines["week_no"] < 42 + 13]
    weeks = base[base["commodity"] == CATEGORY].groupby(["household_id", "product_id"])["week_no"]
    usual = weeks.nunique().loc[lambda n: n >= 2].reset_index()[["household_id", "product_id"]]
    days = base.groupby(["household_id", "store_id"])["date"].nunique().reset_index()
    days = days.sort_values(["household_id", "date", "store_id"], ascending=[True, False, True])
    usual = usual.merge(days.drop_duplicates("household_id")[["household_id", "store_id"]])
    promoted = frames["promotions"].query("55 <= week_no <= 93")
    covered = promoted[["store_id", "week_no"]].drop_duplicates()
    shown = promoted[["product_id", "store_id", "week_no"]].drop_duplicates().assign(shown=1.0)
    rows = usual.merge(covered, on="store_id").merge(shown, how="left").fillna({"shown": 0.0})
    dose = rows.groupby(["household_id", "week_no"])["shown"].mean()
    panel = result.panel
    assert len(panel) == len(dose) > 1000
    assert panel["household_id"].tolist() == dose.index.get_level_values(0).tolist()
    np.testing.assert_allclose(panel["dose"], dose, atol=1e-12)
    drinks = lines[lines["commodity"] == CATEGORY]
    spend = drinks.groupby(["household_id", "week_no"])["spend"].sum().reindex(dose.index)
    np.testing.assert_allclose(panel["spend_usd"], spend.fillna(0.0), atol=1e-6)
    assert 0 < panel["dose"].mean() < 1


def test_exposure_without_promotions_is_refused(tables):
    design = DoseDesign("display_mailer_exposure", None, 13, 2)
    with pytest.raises(ValueError, match="must have the table `promotions`"):
        continuous_dose_panel(tables=replace(tables, promotions=None), design=design)
