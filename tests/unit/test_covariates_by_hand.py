"""Every covariate of a household whose purchases fit on a page, computed with pencil and paper."""

import datetime as dt
import math
import re
from pathlib import Path

import pytest
from tiny_retail import (
    T0,
    by_household,
    tiny_tables,
)

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import TrialError
from promo_uplift.features import TimeZero, covariates, eligible_households
from promo_uplift.features.windows import MASK_BITS

#: Household 1: visits on 31, 21 and 1 May (gaps 10 and 20 days), baskets of $10, $2, $8 and $4.
BY_HAND = {
    "pre_recency_days": 1,
    "pre_active_last_4w": 1,
    "pre_active_last_12w": 1,
    "pre_days_between_visits_mean": 15,
    "pre_days_between_visits_std": math.sqrt(50),
    "pre_tenure_days": 31,
    "pre_visits": 3,
    "pre_visits_per_week": 3 / 12,
    "pre_baskets": 4,
    "pre_active_weeks": 3,
    "pre_purchase_regularity": 1 / (1 + math.sqrt(50) / 15),
    "pre_lines": 5,
    "pre_spend_usd": 24,
    "pre_spend_per_week": 2,
    "pre_basket_spend_mean": 6,
    "pre_basket_spend_std": math.sqrt(40 / 3),
    "pre_paid_usd": 22,
    "pre_basket_paid_mean": 5.5,
    "pre_coupon_saving_share": 2 / 24,
    "pre_discount_rate": 1.5 / 25.5,
    "pre_discounted_line_share": 2 / 5,
    "pre_private_label_share": 5 / 24,
    "pre_n_departments": 3,
    "pre_n_products": 4,
    "pre_items_per_basket": 8 / 4,
    "pre_products_per_basket": 5 / 4,
    "pre_share_grocery": 5 / 24,
    "pre_share_fresh": 7 / 24,
    "pre_share_bakery": 0,
    "pre_share_health_beauty": 8 / 24,
    "pre_share_alcohol": 4 / 24,
    "pre_share_other": 0,
    "pre_week_coverage": 3 / 12,
    # campaign 3 started 126 days ago, 4 one day earlier (but still runs), 5 on the day itself
    "prior_campaigns_type_a": 1,
    "prior_campaigns_type_b": 1,
    "prior_campaigns_type_c": 0,
    "prior_days_since_last": 30,
    "prior_redemptions": 1,
    "active_campaigns": 2,
    "demo_age": 3,
    "demo_income": math.nan,
    "demo_household_size": 2,
    "demo_home_owner": 4,
    "demo_missing": 0,
}


@pytest.fixture(scope="module")
def tiny():
    return by_household(
        covariates(
            tables=tiny_tables(), time_zeros=[TimeZero(1, T0)], pre_days=84, history_days=126
        )
        .to_pyarrow()
        .to_pandas()
    )


def test_the_figures_by_hand_are_of_every_covariate():
    assert tuple(BY_HAND) == COVARIATES


@pytest.mark.parametrize("name", COVARIATES)
def test_a_covariate_equals_the_figure_by_hand(tiny, name):
    assert tiny.loc[1, name] == pytest.approx(BY_HAND[name], abs=1e-12, nan_ok=True)


def test_only_buyers_of_merchandise_inside_the_window_are_eligible(tiny):
    assert list(tiny.index) == [1, 2, 5, 7]


def test_eligibility_is_the_rows_of_the_covariates(tiny):
    eligible = (
        eligible_households(tables=tiny_tables(), time_zeros=[TimeZero(1, T0)], pre_days=84)
        .to_pyarrow()
        .to_pandas()
    )
    assert sorted(eligible["household_id"]) == list(tiny.index)


def test_a_purchase_on_the_first_day_for_nothing_has_no_shares(tiny):
    row = tiny.loc[2]
    assert row["pre_recency_days"] == row["pre_tenure_days"] == 84
    assert row["pre_active_last_4w"] == 0
    assert row["pre_active_last_12w"] == row["pre_active_weeks"] == row["pre_visits"] == 1
    missing = set(row.index[row.isna()])
    shares = {name for name in COVARIATES if name.startswith("pre_share_")}
    assert missing == shares | {
        "pre_private_label_share",
        "pre_coupon_saving_share",
        "pre_discount_rate",
        "pre_days_between_visits_mean",
        "pre_days_between_visits_std",
        "pre_purchase_regularity",
        "pre_basket_spend_std",
        "prior_days_since_last",
        "demo_age",
        "demo_income",
        "demo_household_size",
        "demo_home_owner",
    }
    assert row["demo_missing"] == 1
    assert row["prior_redemptions"] == row["active_campaigns"] == 0


def test_two_baskets_of_one_day_are_one_visit_and_one_gap_has_no_spread(tiny):
    row = tiny.loc[5]
    assert (row["pre_visits"], row["pre_baskets"], row["pre_n_products"]) == (2, 3, 1)
    assert row["pre_days_between_visits_mean"] == 10
    assert math.isnan(row["pre_days_between_visits_std"])
    assert row["pre_basket_spend_std"] == 0


def test_all_covariates_are_floats(tiny):
    assert {str(tiny[name].dtype) for name in COVARIATES} == {"float64"}


def test_a_window_that_ends_amid_a_week_counts_the_part_as_a_block():
    rows = (
        covariates(
            tables=tiny_tables(), time_zeros=[TimeZero(1, T0)], pre_days=30, history_days=126
        )
        .to_pyarrow()
        .to_pandas()
    )
    # 1 May is 31 days before: two visits are left, in 2 of 5 blocks
    row = by_household(rows).loc[1]
    assert row["pre_visits"] == 2
    assert row["pre_week_coverage"] == 2 / 5
    assert row["pre_visits_per_week"] == pytest.approx(2 * 7 / 30)


def test_more_campaigns_than_bits_of_a_mask_give_the_same_figures(tiny):
    zeros = [TimeZero(i, T0) for i in range(1, MASK_BITS + 3)]
    rows = (
        covariates(tables=tiny_tables(), time_zeros=zeros, pre_days=84, history_days=126)
        .to_pyarrow()
        .to_pandas()
    )
    assert rows.groupby("campaign_id").size().eq(4).all()
    assert len(rows) == 4 * (MASK_BITS + 2)
    assert rows.loc[rows["household_id"] == 1, "pre_n_products"].eq(4).all()
    assert rows.loc[rows["household_id"] == 1, "pre_n_departments"].eq(3).all()


@pytest.mark.parametrize(
    ("zeros", "message"),
    [
        ([], "at least one campaign"),
        ([TimeZero(1, T0), TimeZero(1, T0 - dt.timedelta(days=1))], r"\[1\] repeated"),
    ],
)
def test_unusable_time_zeros_are_refused(zeros, message):
    tables = tiny_tables()
    with pytest.raises(TrialError, match=message):
        covariates(tables=tables, time_zeros=zeros, pre_days=84, history_days=126)


def test_the_documented_covariates_are_the_ones_that_exist():
    page = Path(__file__).parents[2] / "docs" / "covariates.md"
    named = re.findall(r"^\| `([a-z0-9_]+)` \|", page.read_text(), flags=re.MULTILINE)
    assert [name for name in named if name in COVARIATES] == list(COVARIATES)
