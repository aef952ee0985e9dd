"""From raw tables to trials: eight households that shop every Monday, so all can be counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from in_memory import parameters, run

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import ContractError, TrialError
from promo_uplift.contracts.parameters import SourceParameters
from promo_uplift.contracts.tables import SCHEMAS
from promo_uplift.pipelines import data_engineering

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from tiny_raw import as_tables, frames

T0 = pd.Timestamp("2017-05-08")
MONDAYS = pd.date_range("2017-01-02", "2017-07-31", freq="7D")
HOUSEHOLDS = range(1, 9)
MAILED = (1, 2, 3, 4)
#: The mailed spend twice as much as before in the 28 days from time zero.
WINDOW = pd.date_range(T0, periods=28)


def raw_frames():
    """Household h spends h USD on soup each Monday; household 1 also buys petrol."""
    lines = [
        (
            household,
            day,
            501,
            float(household) * (2 if day in WINDOW and household in MAILED else 1),
        )
        for household in HOUSEHOLDS
        for day in MONDAYS
    ]
    lines += [(1, day, 502, 20.0) for day in MONDAYS]
    table = pd.DataFrame(lines, columns=["household_id", "day", "product_id", "sales_value"])
    weeks = (table["day"] - pd.Timestamp("2017-01-01")).dt.days.add(6) // 7 + 1
    transactions = pd.DataFrame(
        {
            "household_id": table["household_id"],
            "basket_id": table["household_id"] * 1_000 + weeks,
            "transaction_timestamp": table["day"] + pd.Timedelta(hours=17),
            "week": weeks,
            "store_id": 300,
            "product_id": table["product_id"],
            "quantity": 1,
            "sales_value": table["sales_value"],
            "retail_disc": 0.0,
            "coupon_disc": 0.0,
            "coupon_match_disc": 0.0,
        }
    )
    campaigns = pd.DataFrame(
        {
            "campaign_id": [8, 27],
            "campaign_type": ["Type A", "Type A"],
            "start_date": [T0, pd.Timestamp("2017-02-08")],
            "end_date": pd.to_datetime(["2017-06-25", "2017-03-26"]),
        }
    )
    targets = pd.DataFrame(
        {"campaign_id": [8] * 4 + [27], "household_id": [*MAILED, 5]},
    )
    return frames("package") | {
        "transactions": transactions,
        "campaigns": campaigns,
        "campaign_targets": targets,
        "redemptions": pd.DataFrame(
            {
                "household_id": [1],
                "coupon_upc": [10000000001],
                "campaign_id": [8],
                "redemption_date": [T0 + pd.Timedelta(days=3)],
            }
        ),
    }


def given(raw, **trials):
    changed = {
        "pre_days": 56,
        "history_days": 70,
        "outcome_days": 28,
        "min_arm_households": 2,
    } | trials
    settings = parameters()
    windows = settings["params:trials"].model_copy(update=changed)
    tables = {f"raw_{name}": table for name, table in as_tables(raw).items()}
    return (
        settings
        | tables
        | {
            "params:trials": windows,
            "params:source": SourceParameters(form="package", folder=None),
        }
    )


def run_on(raw, **trials):
    pipeline = data_engineering.create_pipeline()
    inputs = given(raw, **trials)
    return run(pipeline, {name: inputs[name] for name in pipeline.inputs()})


@pytest.fixture(scope="module")
def made():
    return run_on(raw_frames())


@pytest.fixture(scope="module")
def trials(made):
    return made["trials"].set_index("household_id").sort_index()


def test_only_the_campaign_with_all_its_windows_is_a_trial(made):
    coverage = made["trial_coverage"].set_index("campaign_id")
    assert coverage["used"].to_dict() == {8: True, 30: False}
    assert coverage.loc[30, "reason"].startswith("covariate window [2016-12-14, 2017-02-08)")
    assert coverage.loc[8, ["n_eligible", "n_treated", "n_control"]].tolist() == [8, 4, 4]


def test_one_row_per_household_with_its_arm(trials):
    assert trials.index.tolist() == list(HOUSEHOLDS)
    assert trials.index[trials["treatment"] == 1].tolist() == list(MAILED)
    assert trials["redeemed"].tolist() == [1] + [0] * 7
    assert (pd.to_datetime(trials["start_date"]) == T0).all()


def test_outcomes_are_those_of_four_mondays(trials):
    spend = {h: 4 * h * (2 if h in MAILED else 1) for h in HOUSEHOLDS}
    assert trials["spend_usd"].to_dict() == spend
    assert trials["visits"].eq(4).all()
    petrol = pd.Series(80.0, index=[1]).reindex(trials.index, fill_value=0.0)
    assert (trials["all_sales_usd"] - trials["spend_usd"]).tolist() == petrol.tolist()
    assert (trials["pre_28d_sales_usd"] - petrol).tolist() == [4.0 * h for h in HOUSEHOLDS]
    assert trials["margin_usd"].tolist() == pytest.approx((0.25 * trials["spend_usd"]).tolist())
    # coupons of campaign 8 cover the soup, which is all they buy
    assert (trials["target_spend_usd"] == trials["spend_usd"]).all()


def test_covariates_are_those_of_eight_mondays_before(made, trials):
    assert trials["pre_spend_usd"].tolist() == [8.0 * h for h in HOUSEHOLDS]
    assert trials["pre_recency_days"].eq(7).all()
    # household 5 got campaign 30, which started 89 days before: outside the 70 of the history
    assert trials["prior_campaigns_type_a"].eq(0).all()
    assert trials["demo_missing"].tolist() == [0] + [1] * 7


def test_covariates_that_say_nothing_are_reported_and_left_out(made):
    names = made["covariate_names"]
    assert "pre_spend_usd" in names
    assert "pre_visits" not in names
    report = made["covariate_report"].set_index("covariate")
    assert set(report.index) == set(COVARIATES)
    assert not report.loc["pre_visits", "used"]
    assert sorted(report.index[report["used"]]) == sorted(names)


def test_the_window_audit_finds_nothing(made):
    audit = made["window_audit"]
    assert audit["passed"]
    assert audit["changed"] == ()
    assert audit["n_rows"] == 8


def test_the_placebo_is_the_same_trial_four_weeks_earlier(made):
    placebo = made["placebo_trials"].set_index("household_id").sort_index()
    assert (pd.to_datetime(placebo["start_date"]) == T0 - pd.Timedelta(days=28)).all()
    assert placebo["treatment"].tolist() == [1] * 4 + [0] * 4
    assert placebo["spend_usd"].tolist() == [4.0 * h for h in HOUSEHOLDS]


def test_canonical_tables_have_their_contracts_columns(made):
    for name, schema in SCHEMAS.items():
        assert list(made[name].columns) == list(schema.columns)
    assert made["campaigns"].to_pandas()["campaign_id"].tolist() == [8, 30]
    assert made["contract_report"]["rows_failed"].sum() == 0


def test_the_reports_say_that_this_is_not_the_publishers_data(made):
    report = made["source_report"].set_index("table")
    assert report.loc["transactions", "rows"] == len(raw_frames()["transactions"])
    assert not report.loc["transactions", "rows_match"]
    assert "a cut of the file" in report.loc["transactions", "note"]
    assert made["data_version"].startswith("package-")
    counted = made["cleaning_report"].set_index(["table", "rule"])["rows"]
    assert counted["campaigns", "campaign_id_mapped"] == 1


def test_promotions_can_be_left_out_and_change_no_trial(made):
    pipeline = data_engineering.create_pipeline()
    small = SourceParameters(form="package", folder=None, promotions=False)
    inputs = {**given(raw_frames()), "params:source": small}
    without = run(pipeline, {name: inputs[name] for name in pipeline.inputs()})
    assert len(made["promotions"].to_pandas()) == len(raw_frames()["promotions"])
    assert without["promotions"].to_pandas().empty
    pd.testing.assert_frame_equal(without["trials"], made["trials"])


def test_a_longer_history_sees_the_earlier_campaign():
    trials = run_on(raw_frames(), history_days=95)["trials"].set_index("household_id")
    assert trials["prior_campaigns_type_a"].to_dict() == {h: float(h == 5) for h in HOUSEHOLDS}


def test_a_household_that_redeems_without_a_mailing_stops_the_run():
    raw = raw_frames()
    raw["redemptions"] = raw["redemptions"].assign(household_id=6)
    with pytest.raises(ContractError, match=r"`redemptions\.household_id, campaign_id` breaks"):
        run_on(raw)


def test_too_few_mailed_households_stop_the_run():
    with pytest.raises(TrialError, match="`min_arm_households` = 5"):
        run_on(raw_frames(), min_arm_households=5)
