"""Arms and outcomes of the tiny retailer, and what a trial must not be built from."""

import datetime as dt
import math

import pytest
from tiny_retail import (
    CAMPAIGNS,
    LINES,
    T0,
    TARGETS,
    by_household,
    line,
    tiny_tables,
    trial_parameters,
)

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import TrialError
from promo_uplift.trials import build_trials, select_trials
from promo_uplift.trials.build import LEADING


def trials_of(tables, parameters, shift_days=0, margin_rate=0.3):
    selection = select_trials(tables=tables, parameters=parameters, shift_days=shift_days)
    return (
        build_trials(
            tables=tables, selection=selection, parameters=parameters, margin_rate=margin_rate
        )
        .to_pyarrow()
        .to_pandas()
    )


@pytest.fixture(scope="module")
def tiny():
    return trials_of(tiny_tables(), trial_parameters())


OUTCOMES_BY_HAND = {
    "treatment": 1,
    "redeemed": 1,
    "spend_usd": 70.0,
    "all_sales_usd": 110.0,
    "pre_28d_sales_usd": 50.0,
    "visits": 2,
    "target_spend_usd": 50.0,
    "other_spend_usd": 20.0,
    "retailer_discount_usd": 3.0,
    "margin_usd": 0.3 * 70.0 - 3.0,
    "post_spend_usd": 11.0,
}


@pytest.mark.parametrize("name", OUTCOMES_BY_HAND)
def test_an_outcome_equals_the_figure_by_hand(tiny, name):
    assert by_household(tiny).loc[1, name] == pytest.approx(OUTCOMES_BY_HAND[name], abs=1e-12)


def test_the_table_has_its_columns_and_order(tiny):
    assert tuple(tiny.columns) == (*LEADING, *COVARIATES)
    assert list(tiny["household_id"]) == [1, 2, 5, 7]
    assert list(tiny["treatment"]) == [1, 0, 0, 1]
    assert list(tiny["redeemed"]) == [1, 0, 0, 0]
    assert {str(date)[:10] for date in tiny["start_date"]} == {"2017-06-01"}


def test_no_purchase_in_a_covered_window_is_a_spend_of_zero(tiny):
    idle = by_household(tiny).loc[2]
    assert idle["spend_usd"] == idle["post_spend_usd"] == idle["margin_usd"] == 0
    assert idle["visits"] == 0


def test_the_order_of_the_receipt_lines_changes_nothing(tiny):
    turned = trials_of(tiny_tables(transactions=LINES[::-1]), trial_parameters())
    assert turned.equals(tiny)


def test_swapped_arms_swap_the_treatment_and_nothing_else(tiny):
    others = [row for row in TARGETS if row[0] != 1]
    swapped = trials_of(tiny_tables(campaign_targets=[*others, (1, 2), (1, 5)]), trial_parameters())
    assert list(swapped["treatment"]) == [0, 1, 1, 0]
    kept = [name for name in tiny.columns if name != "treatment"]
    assert swapped[kept].equals(tiny[kept])


def test_a_margin_that_is_no_share_is_refused():
    tables, parameters = tiny_tables(), trial_parameters()
    selection = select_trials(tables=tables, parameters=parameters)
    with pytest.raises(TrialError, match=r"`margin_rate` must be in \[0, 1\], got 1.5"):
        build_trials(tables=tables, selection=selection, parameters=parameters, margin_rate=1.5)


# ----------------------------------------------------------------------------------- coverage


def data_from(first, last):
    """Tables whose first and last receipts are on these days (household 6 marks them)."""
    inside = [row for row in LINES if first < row[2] < last and row[0] != 6]
    ends = [line(6, 90, (first.month, first.day), 1, 1, 1.0)]
    ends += [line(6, 91, (last.month, last.day), 1, 1, 1.0)]
    return tiny_tables(transactions=[*inside, *ends])


FIRST = T0 - dt.timedelta(days=126)
LAST = T0 + dt.timedelta(days=27)
DAY = dt.timedelta(days=1)


def test_windows_that_the_data_just_covers_make_a_trial():
    selection = select_trials(tables=data_from(FIRST, LAST), parameters=trial_parameters())
    assert [c.campaign_id for c in selection.campaigns] == [1]
    assert (selection.first_date, selection.last_date) == (FIRST, LAST)


@pytest.mark.parametrize(
    ("first", "last", "window"),
    [
        (FIRST, LAST - DAY, r"outcome window \[2017-06-01, 2017-06-29\) ends after the data"),
        (FIRST + DAY, LAST, r"history window \[2017-01-26, 2017-06-01\) starts before the data"),
        (T0 - 83 * DAY, LAST, r"covariate window \[2017-03-09, 2017-06-01\) starts before"),
    ],
)
def test_a_named_campaign_one_day_outside_the_data_is_refused(first, last, window):
    tables = data_from(first, last)
    with pytest.raises(TrialError, match=f"(?s)covers {first} to {last}.*campaign 1,.*{window}"):
        select_trials(tables=tables, parameters=trial_parameters())


def test_an_unnamed_campaign_outside_the_data_is_left_out_with_the_reason():
    tables = tiny_tables(
        campaigns=[*CAMPAIGNS[:4], (6, "TypeA", dt.date(2017, 12, 10), dt.date(2017, 12, 20))]
    )
    report = select_trials(tables=tables, parameters=trial_parameters(campaigns=None)).report
    rows = report.set_index("campaign_id")
    assert list(rows.index) == [1, 3, 6]
    assert list(rows["used"]) == [True, False, False]
    assert rows.loc[3, "reason"].startswith("covariate window [2016-11-03, 2017-01-26) starts")
    assert "outcome window [2017-12-10, 2018-01-07) ends after" in rows.loc[6, "reason"]
    assert rows.loc[1, ["n_eligible", "n_treated", "n_control"]].tolist() == [4, 2, 2]
    assert rows.loc[[3, 6], "n_eligible"].isna().all()


def test_nothing_left_is_refused_with_every_reason():
    tables = data_from(T0 - 30 * DAY, LAST)
    with pytest.raises(TrialError, match=r"`campaign_types` .*found none.*campaign 1.*campaign 5"):
        select_trials(tables=tables, parameters=trial_parameters(campaigns=None))


def test_a_post_window_past_the_data_is_null_and_reported():
    end = dt.date(2017, 7, 28)
    covered = trials_of(data_from(FIRST, end), trial_parameters())
    assert by_household(covered).loc[1, "post_spend_usd"] == 5.0
    parameters = trial_parameters()
    tables = data_from(FIRST, end - DAY)
    assert not select_trials(tables=tables, parameters=parameters).report["is_post_covered"].any()
    assert trials_of(tables, parameters)["post_spend_usd"].isna().all()


def test_an_empty_data_set_is_refused():
    tables = tiny_tables(transactions=[])
    with pytest.raises(TrialError, match="`transactions` must have rows"):
        select_trials(tables=tables, parameters=trial_parameters())


# ------------------------------------------------------------------------------ bad configuration


@pytest.mark.parametrize(
    ("campaigns", "message"),
    [
        ([1, 77], r"unknown: \[77\]. The data covers 2017-01-01 to 2017-12-31"),
        ([1, 1], r"\[1\] repeated"),
        ([2], r"`campaign_types` \['TypeA'\]; 2 is TypeB"),
    ],
)
def test_campaigns_that_cannot_be_meant_are_refused(campaigns, message):
    tables = tiny_tables()
    with pytest.raises(TrialError, match=message):
        select_trials(tables=tables, parameters=trial_parameters(campaigns=campaigns))


@pytest.mark.parametrize(
    ("targets", "counts"),
    [
        ([(1, i) for i in range(1, 8)], "4 treated and 0 control of 4 eligible"),
        ([(5, 1)], "0 treated and 4 control of 4 eligible"),
        ([(1, 1)], "1 treated and 3 control of 4 eligible"),
    ],
)
def test_an_arm_that_is_empty_or_too_small_is_refused(targets, counts):
    tables = tiny_tables(campaign_targets=targets)
    with pytest.raises(TrialError, match=f"`min_arm_households` = 2.*campaign 1: {counts}"):
        select_trials(tables=tables, parameters=trial_parameters())


def test_a_campaign_chosen_by_type_is_left_out_if_an_arm_is_small():
    tables = tiny_tables(campaign_targets=[(1, 1), (1, 2), (5, 1)])
    selection = select_trials(tables=tables, parameters=trial_parameters(campaigns=None))
    report = selection.report.set_index("campaign_id")
    assert [c.campaign_id for c in selection.campaigns] == [1]
    assert "fewer than `min_arm_households` = 2" in report.loc[5, "reason"]
    assert report.loc[5, "n_treated"] == 1
    floor = trial_parameters(campaigns=None, min_arm_households=4)
    with pytest.raises(TrialError, match="both have at least `min_arm_households` = 4"):
        select_trials(tables=tables, parameters=floor)


# ---------------------------------------------------------------------------------------- washout


def washout_tables():
    """Campaign 3 (same type) last ran on 20 February, 101 days before; 1 and 5 were mailed it."""
    extra = [line(8, 40, (5, 2), 1, 1, 3.0), line(9, 41, (5, 2), 1, 1, 3.0)]
    return tiny_tables(transactions=[*LINES, *extra], campaign_targets=[*TARGETS, (1, 9), (2, 2)])


@pytest.mark.parametrize(
    ("washout_days", "households"),
    [(0, [1, 2, 5, 7, 8, 9]), (100, [1, 2, 5, 7, 8, 9]), (101, [2, 7, 8, 9])],
)
def test_washout_drops_both_arms_exposed_to_the_same_type(washout_days, households):
    trials = trials_of(washout_tables(), trial_parameters(washout_days=washout_days))
    assert list(trials["household_id"]) == households


def test_washed_out_rows_are_counted():
    parameters = trial_parameters(washout_days=101)
    report = select_trials(tables=washout_tables(), parameters=parameters).report
    counts = report.set_index("campaign_id").loc[1]
    names = ["n_eligible", "n_washed_out", "n_treated", "n_control"]
    assert counts[names].tolist() == [6, 2, 2, 2]


def test_an_arm_that_the_washout_empties_is_refused():
    parameters = trial_parameters(washout_days=101)
    tables = tiny_tables()
    with pytest.raises(TrialError, match=r"1 treated and 1 control .*\(2 washed out\)"):
        select_trials(tables=tables, parameters=parameters)


# ---------------------------------------------------------------------------------------- placebo


def placebo_lines():
    """All eligible households buy on 20 April; household 7 around both ends of the placebo."""
    early = [line(i, 60 + i, (4, 20), 1, 1, 2.0) for i in (1, 2, 5, 7)]
    around = [(70, (5, 4), 11.0), (71, (5, 31), 13.0), (72, (6, 1), 17.0)]
    return [*LINES, *early, *(line(7, basket, day, 1, 1, usd) for basket, day, usd in around)]


def test_a_placebo_ends_where_the_mailing_begins():
    campaigns = [(1, "TypeA", T0, dt.date(2017, 6, 30)), CAMPAIGNS[1]]
    tables = tiny_tables(transactions=placebo_lines(), campaigns=campaigns)
    parameters = trial_parameters(history_days=90)
    selection = select_trials(tables=tables, parameters=parameters, shift_days=28)
    assert selection.time_zeros[0].date == dt.date(2017, 5, 4)
    rows = by_household(trials_of(tables, parameters, shift_days=28))
    # outcome [4 May, 1 June): 11 + 13, not the 17 of the first day of the campaign
    assert rows.loc[7, "spend_usd"] == 24.0
    assert rows.loc[7, "pre_recency_days"] == 3  # 1 May
    assert rows.loc[7, "treatment"] == 1
    assert rows["post_spend_usd"].isna().all()
    # campaign 2 started on 2 May: prior to 4 May, for household 1 only
    assert rows.loc[1, "prior_days_since_last"] == 2
    assert math.isnan(rows.loc[7, "prior_days_since_last"])


def test_a_placebo_without_history_is_left_out_and_reported():
    selection = select_trials(tables=tiny_tables(), parameters=trial_parameters(), shift_days=28)
    assert selection.campaigns == ()
    assert not selection.report["used"].any()
    reason = selection.report["reason"].iloc[0]
    assert reason.startswith("history window [2016-12-29, 2017-05-04) starts before the data")
    assert reason.endswith("(moved 28 days earlier)")


def test_an_empty_placebo_builds_no_table():
    tables, parameters = tiny_tables(), trial_parameters()
    selection = select_trials(tables=tables, parameters=parameters, shift_days=28)
    with pytest.raises(TrialError, match="`selection` must hold at least one campaign"):
        build_trials(tables=tables, selection=selection, parameters=parameters, margin_rate=0.3)


@pytest.mark.parametrize("shift_days", [27, -1])
def test_a_shift_that_reaches_into_the_campaign_is_refused(shift_days):
    tables = tiny_tables()
    with pytest.raises(TrialError, match=r"`(placebo_)?shift_days` must be"):
        select_trials(tables=tables, parameters=trial_parameters(), shift_days=shift_days)
