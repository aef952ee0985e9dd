"""Nothing at or after time zero reaches a covariate or eligibility, whatever the tables hold."""

import datetime as dt
from dataclasses import replace

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features import TimeZero, covariates, window_audit
from promo_uplift.features.audit import ELIGIBILITY

FIRST = dt.date(2017, 1, 1)
T0 = FIRST + dt.timedelta(days=60)
PRE_DAYS, HISTORY_DAYS = 42, 56
#: Six weeks to each side of time zero: later than the earliest day that any window reads.
OFFSETS = st.integers(-60, 45)
HOUSEHOLDS = range(1, 6)
PRODUCTS = {
    1: ("GROCERY", "Private", "grocery", "merchandise"),
    2: ("PRODUCE", "National", "fresh", "merchandise"),
    3: ("SPIRITS", "National", "alcohol", "merchandise"),
    4: ("FUEL", None, "other", "fuel"),
    5: (None, None, "other", "coupon"),
    6: ("PASTRY", "Private", "bakery", "merchandise"),
}
CENTS = st.integers(0, 5_000).map(lambda cents: cents / 100)

purchases = st.tuples(
    OFFSETS,
    st.sampled_from(HOUSEHOLDS),
    st.integers(0, 1),
    st.sampled_from(list(PRODUCTS)),
    st.integers(0, 4),
    CENTS,
    CENTS,
    CENTS,
    CENTS,
)
campaigns = st.lists(
    st.tuples(
        OFFSETS, st.integers(0, 60), st.sampled_from("ABC"), st.sets(st.sampled_from(HOUSEHOLDS))
    ),
    max_size=5,
)
redeemed = st.lists(st.tuples(OFFSETS, st.sampled_from(HOUSEHOLDS)), max_size=6)
worlds = st.tuples(st.lists(purchases, min_size=1, max_size=40), campaigns, redeemed)


def day(offset):
    return T0 + dt.timedelta(days=offset)


def frame(rows, columns):
    values = list(zip(*rows, strict=True)) if rows else [[] for _ in columns]
    return ibis.memtable(
        pa.table(
            {
                name: pa.array(list(column), kind)
                for (name, kind), column in zip(columns.items(), values, strict=True)
            }
        )
    )


def tables_of(world):
    """Canonical tables of the columns that covariates read, campaign 1 starting on time zero."""
    bought, other_campaigns, redemptions = world
    whole, usd, text = pa.int64(), pa.float64(), pa.string()
    starting = [(0, 20, "A", {1, 2}), *other_campaigns]
    return CanonicalTables(
        transactions=frame(
            [
                (
                    household,
                    (offset + 100) * 100 + household * 10 + basket,
                    day(offset),
                    product,
                    quantity,
                    *amounts,
                    PRODUCTS[product][3],
                    PRODUCTS[product][3] == "merchandise",
                )
                for offset, household, basket, product, quantity, *amounts in bought
            ],
            {
                "household_id": whole,
                "basket_id": whole,
                "date": pa.date32(),
                "product_id": whole,
                "quantity": whole,
                "sales_usd": usd,
                "retail_discount_usd": usd,
                "coupon_discount_usd": usd,
                "coupon_match_discount_usd": usd,
                "line_kind": text,
                "is_merchandise": pa.bool_(),
            },
        ),
        products=frame(
            [(product, *labels[:3]) for product, labels in PRODUCTS.items()],
            {"product_id": whole, "department": text, "brand": text, "category": text},
        ),
        households=frame(
            [(i, i % 3 + 1, None, 2, None, i % 2 == 0) for i in HOUSEHOLDS],
            {
                "household_id": whole,
                "demo_age": whole,
                "demo_income": whole,
                "demo_household_size": whole,
                "demo_home_owner": whole,
                "has_demographics": pa.bool_(),
            },
        ),
        campaigns=frame(
            [
                (i, f"Type{letter}", day(offset), day(offset + length))
                for i, (offset, length, letter, _) in enumerate(starting, start=1)
            ],
            {
                "campaign_id": whole,
                "campaign_type": text,
                "start_date": pa.date32(),
                "end_date": pa.date32(),
            },
        ),
        campaign_targets=frame(
            [
                (i, household)
                for i, (*_, households) in enumerate(starting, start=1)
                for household in sorted(households)
            ],
            {"campaign_id": whole, "household_id": whole},
        ),
        coupons=frame(
            [(1, 7, 1)], {"campaign_id": whole, "coupon_upc": whole, "product_id": whole}
        ),
        redemptions=frame(
            [(household, 1, 7, day(offset)) for offset, household in redemptions],
            {
                "household_id": whole,
                "campaign_id": whole,
                "coupon_upc": whole,
                "date": pa.date32(),
            },
        ),
    )


def audit(world, **changed):
    return window_audit(
        tables=tables_of(world),
        time_zeros=[TimeZero(1, T0)],
        pre_days=PRE_DAYS,
        history_days=HISTORY_DAYS,
        **changed,
    )


#: No shrinking: each example costs seconds, and is small enough to read as it is.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(world=worlds)
def test_deleting_or_altering_the_future_changes_nothing(world):
    result = audit(world)
    assert result.passed, result.changed
    assert result.n_covariates == len(COVARIATES)


#: Purchases on both sides of time zero: household 1 only after it, 2 and 3 on both.
BOTH_SIDES = (
    [
        (-40, 3, 0, 2, 1, 5.0, 0.0, 0.0, 0.0),
        (-3, 2, 0, 1, 2, 4.0, 1.0, 0.5, 0.0),
        (-1, 3, 0, 6, 1, 6.0, 0.0, 0.0, 0.5),
        (0, 3, 0, 1, 1, 9.0, 0.0, 0.0, 0.0),
        (0, 1, 0, 1, 1, 8.0, 0.0, 0.0, 0.0),
        (6, 2, 1, 3, 1, 7.0, 0.0, 0.0, 0.0),
    ],
    [(-20, 30, "B", {2}), (0, 30, "C", {3})],
    [(-2, 2), (0, 3)],
)


def leaky(feature):
    """Covariates with one column that looks past time zero."""

    def build(*, tables, time_zeros, pre_days, history_days):
        honest = covariates(
            tables=tables, time_zeros=time_zeros, pre_days=pre_days, history_days=history_days
        )
        leak = feature(tables)
        rows = honest.left_join(leak, "household_id")
        return rows.select(*honest.columns, "leak")

    return build


def spend_including_time_zero(tables):
    lines = tables.transactions
    lines = lines.filter(lines.date <= ibis.literal(T0))
    return lines.group_by("household_id").agg(leak=lines.sales_usd.sum())


def redemptions_ever(tables):
    return tables.redemptions.group_by("household_id").agg(leak=lambda t: t.count())


def mailings_ever(tables):
    return tables.campaign_targets.group_by("household_id").agg(leak=lambda t: t.count())


def latest_campaign_type(tables):
    mailed = tables.campaign_targets.join(tables.campaigns, "campaign_id")
    return mailed.group_by("household_id").agg(leak=lambda t: (t.campaign_type == "TypeC").sum())


@pytest.mark.parametrize(
    "feature",
    [spend_including_time_zero, redemptions_ever, mailings_ever, latest_campaign_type],
)
def test_a_leaky_feature_is_caught(feature):
    result = audit(BOTH_SIDES, builder=leaky(feature))
    assert not result.passed
    assert result.changed == ("leak",)


def test_eligibility_by_the_future_is_caught():
    def build(*, tables, time_zeros, pre_days, history_days):
        shifted = [replace(zero, date=zero.date + dt.timedelta(days=7)) for zero in time_zeros]
        rows = covariates(
            tables=tables, time_zeros=shifted, pre_days=pre_days, history_days=history_days
        )
        return rows.select("campaign_id", "household_id", "demo_missing")

    result = audit(BOTH_SIDES, builder=build)
    assert result.changed == (ELIGIBILITY,)


def test_the_honest_covariates_of_the_same_world_pass():
    result = audit(BOTH_SIDES)
    assert (result.passed, result.n_rows) == (True, 2)


def test_each_campaign_is_audited_at_its_own_time_zero():
    zeros = [TimeZero(1, T0), TimeZero(2, T0 - dt.timedelta(days=20))]
    result = window_audit(
        tables=tables_of(BOTH_SIDES), time_zeros=zeros, pre_days=PRE_DAYS, history_days=HISTORY_DAYS
    )
    assert (result.passed, result.n_rows) == (True, 3)
