"""The panels around campaign starts and by calendar, on a retailer counted by hand."""

import datetime as dt
import math

import pytest
from tiny_retail import LINES, T0, line, tiny_tables
from tiny_retail import trial_parameters as parameters

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.panel import PANEL_OUTCOMES
from promo_uplift.trials.calendar_panel import calendar_panel
from promo_uplift.trials.panel import household_week_panel
from promo_uplift.trials.panel_selection import PanelWeeks, select_panel_campaigns

# -------------------------------------------------------------------------------- household x week

WEEKS = PanelWeeks(pre_weeks=2, post_weeks=4, eligibility_days=84, min_pre_weeks=2)


def panel_of(tables, chosen, weeks=WEEKS):
    selection = select_panel_campaigns(tables=tables, parameters=chosen, weeks=weeks)
    return selection.report.set_index("campaign_id"), household_week_panel(
        tables=tables, campaigns=selection.campaigns, parameters=chosen, weeks=weeks
    )


def test_weeks_count_from_time_zero_and_the_parts_are_right():
    report, panel = panel_of(tiny_tables(), parameters())
    assert report.index.tolist() == [1, 2, 3, 4, 5]
    assert report["used"].tolist() == [True, False, False, False, False]
    assert report.loc[2, "reason"] == "not among `campaigns`"
    one = panel[panel["household_id"] == 1].set_index("rel_week")
    assert one["week_start"].dt.date.tolist() == [T0 + dt.timedelta(7 * w) for w in range(-2, 5)]
    # 31 May in week -1, 21 May in week -2; 1 June in week 0; 28 June in 3; 29 June and 1 July in 4
    assert one["spend_usd"].tolist() == [10.0, 10.0, 50.0, 0.0, 0.0, 20.0, 104.0]
    assert one["visits"].tolist() == [1, 1, 1, 0, 0, 1, 2]
    assert one["units"].tolist() == [4, 3, 1, 0, 0, 1, 2]  # no fuel, no coupon line
    assert one["target_spend_usd"].tolist() == [10.0, 3.0, 50.0, 0.0, 0.0, 0.0, 104.0]
    assert one["other_spend_usd"].tolist() == [0.0, 7.0, 0.0, 0.0, 0.0, 20.0, 0.0]
    assert one["retailer_discount_usd"].tolist() == [0, 1, 0, 0, 0, 2, 0]
    assert one["coupon_match_discount_usd"].tolist() == [0.5, 0, 0, 0, 0, 1, 0]
    assert one["manufacturer_coupon_usd"].tolist() == [1.5, 0, 0, 0, 0, 0, 0]


def test_the_rest_of_a_targets_commodity_is_the_category():
    # coupons of product 1 only; product 3 becomes SOUP too: a neighbour, not a target
    tables = tiny_tables(
        coupons=[(1, 100, 1)],
        products=[
            (1, "GROCERY", "Private", "grocery", "merchandise", "SOUP"),
            (2, "PRODUCE", "National", "fresh", "merchandise", None),
            (3, "DRUG GM", "National", "health_beauty", "merchandise", "SOUP"),
            (4, None, None, "alcohol", "merchandise", None),
        ],
    )
    _, panel = panel_of(tables, parameters())
    one = panel[panel["household_id"] == 1].set_index("rel_week").loc[-2]
    assert one[["target_spend_usd", "category_spend_usd", "other_spend_usd"]].tolist() == [2, 8, 0]


def test_a_target_without_a_commodity_has_no_neighbours():
    products = [(i, None, None, "grocery", "merchandise", None) for i in (1, 2, 3, 4)]
    _, panel = panel_of(tiny_tables(coupons=[(1, 100, 1)], products=products), parameters())
    assert panel["category_spend_usd"].sum() == 0
    assert panel["target_spend_usd"].sum() > 0


@pytest.mark.parametrize("last_day", [27, 28])
def test_a_week_cut_by_the_datas_end_is_missing_to_the_day(last_day):
    until = dt.date(2017, 6, last_day)
    lines = [row for row in LINES if row[2] <= until] + [line(6, 99, (6, last_day), 1, 1, 1.0)]
    _, panel = panel_of(tiny_tables(transactions=lines), parameters())
    one = panel[panel["household_id"] == 1].set_index("rel_week")
    assert one.loc[3, "is_covered"] == (last_day == 28)
    assert math.isnan(one.loc[3, "spend_usd"]) == (last_day == 27)
    assert one.loc[4, list(PANEL_OUTCOMES)].isna().all()
    assert one.loc[2, "spend_usd"] == 0.0


def test_a_campaign_with_too_little_is_left_out_with_the_reason():
    chosen = parameters(campaigns=None)
    report, _ = panel_of(tiny_tables(), chosen)
    assert report.loc[3, "reason"].endswith("each arm needs `min_arm_households` = 2")
    assert report.loc[2, "reason"] == "its type is not among `campaign_types` ['TypeA']"
    of_soap = parameters(treatment_definition="coupon_exposure", category="SOAP", campaigns=None)
    reason = panel_reasons(tiny_tables(), of_soap, WEEKS).loc[5, "reason"]
    assert reason == "its coupons cover no product of `category` 'SOAP'"
    wide = PanelWeeks(pre_weeks=30, post_weeks=1, eligibility_days=84, min_pre_weeks=25)
    reason = panel_reasons(tiny_tables(), chosen, wide).loc[1, "reason"]
    assert reason == (
        "the data covers 21 of the 30 weeks before time zero, fewer than `min_pre_weeks` = 25"
    )


def panel_reasons(tables, chosen, weeks):
    selection = select_panel_campaigns(tables=tables, parameters=chosen, weeks=weeks)
    return selection.report.set_index("campaign_id")


@pytest.mark.parametrize(
    ("changed", "match"),
    [({"pre_weeks": 0}, "`pre_weeks` must be at least 1"), ({"min_pre_weeks": 3}, "at most")],
)
def test_weeks_that_make_no_panel_are_refused(changed, match):
    values = {"pre_weeks": 2, "post_weeks": 4, "eligibility_days": 84, "min_pre_weeks": 2}
    with pytest.raises(TrialError, match=match):
        PanelWeeks(**(values | changed))


def test_unknown_campaigns_and_none_at_all_are_refused():
    tables = tiny_tables()
    with pytest.raises(TrialError, match=r"unknown: \[77\]"):
        select_panel_campaigns(tables=tables, parameters=parameters(campaigns=[77]), weeks=WEEKS)
    with pytest.raises(TrialError, match="must hold at least one campaign"):
        household_week_panel(tables=tables, campaigns=[], parameters=parameters(), weeks=WEEKS)


# ---------------------------------------------------------------------------------------- calendar


def mailing_world():
    """Five periods of two weeks from Monday 2 January; a Sunday before them, eight days after."""
    first = {1: (1, 3), 2: (1, 3), 8: (1, 15), 9: (1, 16), 10: (1, 1), 11: (1, 2), 12: (1, 2)}
    lines = [line(i, i, day, 1, 2, 5.0) for i, day in first.items()]
    lines += [line(8, 20, (2, 26), 2, 3, 7.0), line(8, 21, (2, 26), 8, 9_000, 30.0)]
    lines += [line(8, 22, (2, 27), 1, 1, 1.0), line(12, 23, (3, 20), 1, 1, 1.0)]
    starts = [
        (20, "TypeA", dt.date(2016, 12, 20)),
        (21, "TypeA", dt.date(2017, 1, 20)),
        (22, "TypeA", dt.date(2017, 2, 26)),
        (23, "TypeA", dt.date(2017, 3, 15)),
        (24, "TypeB", dt.date(2017, 1, 5)),
    ]
    return tiny_tables(
        transactions=lines,
        campaigns=[(i, kind, start, start + dt.timedelta(days=30)) for i, kind, start in starts],
        campaign_targets=[(20, 2), (21, 1), (21, 2), (21, 9), (22, 1), (22, 8), (23, 11), (24, 8)],
    )


def test_cohorts_are_the_period_of_the_first_mailing():
    result = calendar_panel(tables=mailing_world(), campaign_types=["TypeA"], period_weeks=2)
    cohorts = result.panel.groupby("household_id")["cohort"].unique().map(list).to_dict()
    # 2 was mailed before the data; 9 and 10 bought nothing from 2 to 15 January
    assert cohorts == {1: [2], 8: [4], 11: [0], 12: [0]}
    counts = result.report.set_index("quantity")["value"].to_dict()
    assert (
        counts
        | {
            "n_periods": 5,
            "n_days_left_out_before": 1,
            "n_days_left_out_after": 8,
            "n_baseline_periods": 1,
            "n_households_of_data": 7,
            "n_already_treated": 1,
            "n_without_baseline": 2,
            "n_households": 4,
            "n_mailed_after": 1,
        }
        == counts
    )
    assert result.cohorts["cohort"].tolist() == [0, 2, 4]
    assert result.cohorts["n_households"].tolist() == [2, 1, 1]
    assert result.cohorts["n_first_mailed"].tolist()[1:] == [2, 1]
    assert result.cohorts["period_start"].dt.date.tolist()[1:] == [
        dt.date(2017, 1, 16),
        dt.date(2017, 2, 13),
    ]


def test_periods_are_balanced_with_real_zeros():
    panel = calendar_panel(tables=mailing_world(), campaign_types=["TypeA"], period_weeks=2).panel
    eight = panel[panel["household_id"] == 8]
    assert eight["period"].tolist() == [1, 2, 3, 4, 5]
    assert eight["spend_usd"].tolist() == [5.0, 0.0, 0.0, 7.0, 1.0]
    assert eight["units"].tolist() == [2, 0, 0, 3, 1]
    assert eight["visits"].tolist() == [1, 0, 0, 1, 1]
    # its purchase of 20 March fills no period
    assert panel.loc[panel["household_id"] == 12, "spend_usd"].tolist() == [5.0, 0, 0, 0, 0]


def test_a_type_that_does_not_count_makes_no_cohort():
    with pytest.raises(TrialError, match="must leave a period before it"):
        calendar_panel(tables=mailing_world(), campaign_types=["TypeA", "TypeB"], period_weeks=2)


def test_nobody_mailed_and_no_baseline_are_refused():
    tables = tiny_tables()
    with pytest.raises(TrialError, match="none does"):
        calendar_panel(
            tables=tiny_tables(campaign_targets=[]), campaign_types=["TypeA"], period_weeks=1
        )
    with pytest.raises(TrialError, match="must leave at least two periods"):
        calendar_panel(tables=tables, campaign_types=["TypeA"], period_weeks=27)
    with pytest.raises(TrialError, match=r"found \['TypeZ'\]"):
        calendar_panel(tables=tables, campaign_types=["TypeZ"], period_weeks=1)
