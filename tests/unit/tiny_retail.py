"""A retailer small enough to compute every figure by hand, for the tests of trials."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pyarrow as pa

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables

T0 = dt.date(2017, 6, 1)

_INT, _USD, _TEXT, _DATE, _BOOL = pa.int64(), pa.float64(), pa.string(), pa.date32(), pa.bool_()

SCHEMAS = {
    "transactions": [
        ("household_id", _INT),
        ("basket_id", _INT),
        ("date", _DATE),
        ("week_no", _INT),
        ("store_id", _INT),
        ("product_id", _INT),
        ("quantity", _INT),
        ("sales_usd", _USD),
        ("retail_discount_usd", _USD),
        ("coupon_discount_usd", _USD),
        ("coupon_match_discount_usd", _USD),
        ("line_kind", _TEXT),
        ("is_merchandise", _BOOL),
    ],
    "products": [
        ("product_id", _INT),
        ("department", _TEXT),
        ("brand", _TEXT),
        ("category", _TEXT),
        ("line_kind", _TEXT),
        ("commodity", _TEXT),
    ],
    "households": [
        ("household_id", _INT),
        ("demo_age", _INT),
        ("demo_income", _INT),
        ("demo_household_size", _INT),
        ("demo_home_owner", _INT),
        ("has_demographics", _BOOL),
    ],
    "campaigns": [
        ("campaign_id", _INT),
        ("campaign_type", _TEXT),
        ("start_date", _DATE),
        ("end_date", _DATE),
    ],
    "campaign_targets": [("campaign_id", _INT), ("household_id", _INT)],
    "coupons": [("campaign_id", _INT), ("coupon_upc", _INT), ("product_id", _INT)],
    "redemptions": [
        ("household_id", _INT),
        ("campaign_id", _INT),
        ("coupon_upc", _INT),
        ("date", _DATE),
    ],
}


def table(name, rows):
    """Ibis table of the canonical schema from tuples in the order of its columns."""
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in SCHEMAS[name]]
    return ibis.memtable(
        pa.table(
            {
                column: pa.array(list(values), kind)
                for (column, kind), values in zip(SCHEMAS[name], columns, strict=True)
            }
        )
    )


PRODUCT_ROWS = [
    (1, "GROCERY", "Private", "grocery", "merchandise", "SOUP"),
    (2, "PRODUCE", "National", "fresh", "merchandise", "APPLES"),
    (3, "DRUG GM", "National", "health_beauty", "merchandise", "SOAP"),
    (4, None, None, "alcohol", "merchandise", None),
    (8, "FUEL", "National", "other", "fuel", "COUPON/MISC ITEMS"),
    (9, None, None, "other", "coupon", None),
]
KIND = {row[0]: row[4] for row in PRODUCT_ROWS}


def line(household, basket, date, product, quantity, sales, *, retail=0.0, coupon=0.0, match=0.0):
    """One receipt line; the date is (month, day) of 2017."""
    kind = KIND[product]
    return (
        household,
        basket,
        dt.date(2017, *date),
        60,
        1,
        product,
        quantity,
        sales,
        retail,
        coupon,
        match,
        kind,
        kind == "merchandise",
    )


LINES = [
    # household 1 in the covariate window [9 March, 1 June)
    line(1, 11, (5, 31), 1, 2, 3.00, retail=1.00),
    line(1, 11, (5, 31), 2, 1, 7.00),
    line(1, 12, (5, 21), 1, 1, 2.00, match=0.50),
    line(1, 12, (5, 21), 9, 0, 0.00, coupon=1.50),
    line(1, 12, (5, 21), 8, 10_000, 30.00),
    line(1, 13, (5, 21), 3, 3, 8.00),
    line(1, 14, (5, 1), 4, 1, 4.00, coupon=0.50),
    # before and after it
    line(1, 15, (3, 8), 1, 1, 100.00),
    line(1, 16, (6, 1), 1, 1, 50.00),
    line(1, 17, (6, 28), 2, 1, 20.00, retail=2.00, match=1.00),
    line(1, 17, (6, 28), 8, 9_000, 40.00),
    line(1, 18, (6, 29), 1, 1, 99.00),
    line(1, 19, (7, 1), 1, 1, 5.00),
    line(1, 20, (7, 28), 2, 1, 6.00),
    line(1, 21, (7, 29), 2, 1, 7.00),
    # household 2: on the window's first day, for nothing; household 3: a day too early and too late
    line(2, 30, (3, 9), 1, 1, 0.00),
    line(3, 31, (3, 8), 1, 1, 10.00),
    line(3, 32, (6, 1), 1, 1, 10.00),
    # household 4 buys fuel only; household 5 twice on one day and once more; 7 once
    line(4, 33, (5, 5), 8, 5_000, 20.00),
    line(5, 34, (5, 10), 2, 1, 6.00),
    line(5, 35, (5, 10), 2, 1, 6.00),
    line(5, 36, (5, 20), 2, 1, 6.00),
    line(7, 37, (5, 1), 1, 1, 9.00),
    # household 6 marks the first and the last day of the data
    line(6, 38, (1, 1), 1, 1, 1.00),
    line(6, 39, (12, 31), 1, 1, 1.00),
]

CAMPAIGNS = [
    (1, "TypeA", T0, dt.date(2017, 6, 30)),
    (2, "TypeB", dt.date(2017, 5, 2), T0),
    (3, "TypeA", dt.date(2017, 1, 26), dt.date(2017, 2, 20)),
    (4, "TypeC", dt.date(2017, 1, 25), dt.date(2017, 12, 31)),
    (5, "TypeA", T0, dt.date(2017, 6, 15)),
]

TARGETS = [(1, 1), (1, 3), (1, 7), (2, 1), (3, 1), (4, 1), (5, 1), (5, 2), (3, 5)]

REDEMPTIONS = [
    (1, 2, 200, dt.date(2017, 5, 15)),
    (1, 2, 200, T0),
    (1, 1, 100, dt.date(2017, 6, 10)),
    (1, 1, 101, dt.date(2017, 6, 10)),
]

COUPONS = [(1, 100, 1), (1, 101, 1), (1, 101, 3), (2, 200, 2)]

HOUSEHOLDS = [(1, 3, None, 2, 4, True), *[(i, None, None, None, None, False) for i in range(2, 8)]]


def tiny_tables(**changed):
    """The tables, with the rows of any of them replaced."""
    rows = {
        "transactions": LINES,
        "products": PRODUCT_ROWS,
        "households": HOUSEHOLDS,
        "campaigns": CAMPAIGNS,
        "campaign_targets": TARGETS,
        "coupons": COUPONS,
        "redemptions": REDEMPTIONS,
    } | changed
    return CanonicalTables(**{name: table(name, values) for name, values in rows.items()})


def trial_parameters(**changed):
    """Parameters of the tiny trials."""
    values = {
        "treatment_definition": "campaign_targeted",
        "control_definition": "not_targeted",
        "campaign_types": ["TypeA"],
        "campaigns": [1],
        "pre_days": 84,
        "history_days": 126,
        "outcome_days": 28,
        "post_days": 28,
        "placebo_shift_days": 28,
        "washout_days": 0,
        "min_arm_households": 2,
    }
    return TrialParameters(**(values | changed))


def by_household(trials: pd.DataFrame) -> pd.DataFrame:
    """Rows of a trial table or covariate table of one campaign, indexed by household."""
    return trials.set_index("household_id").sort_index()
