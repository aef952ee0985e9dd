"""Raw tables of three households in both forms, holding the same purchases."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd

#: Local 21:30 on Sunday 8 January 2017 is 02:30 UTC on Monday: another day and another week.
PACKAGE = {
    "transactions": {
        "household_id": [1, 1, 2, 2, 2],
        "basket_id": [11, 11, 12, 13, 13],
        "transaction_timestamp": pd.to_datetime(
            [
                "2017-01-09 02:30:00",
                "2017-01-09 02:30:00",
                "2017-02-01 15:00:00",
                "2017-07-04 03:59:59",
                "2017-07-04 03:59:59",
            ]
        ),
        "week": [2, 2, 6, 28, 28],
        "store_id": [300, 300, 300, 301, 301],
        "product_id": [501, 502, 503, 501, 504],
        "quantity": [2, 9000, 0, 1, 1],
        "sales_value": [3.0, 20.0, 0.0, 1.5, 8.0],
        "retail_disc": [0.5, 0.0, 0.0, 0.0, 1.0],
        "coupon_disc": [0.0, 0.0, 1.0, 0.0, 0.0],
        "coupon_match_disc": [0.25, 0.0, 0.0, 0.0, 0.0],
    },
    "products": {
        "product_id": [501, 502, 504],
        "manufacturer_id": [2, 69, 7],
        "department": ["GROCERY", "MISCELLANEOUS", "GROCERY"],
        "brand": ["Private", "National", "National"],
        "product_category": ["SOUP", "COUPON/MISC ITEMS", "DOMESTIC WINE"],
        "product_type": ["CONDENSED SOUP", "GASOLINE-REG UNLEADED", "RED WINE"],
        "package_size": ["10 OZ", None, None],
    },
    "demographics": {
        "household_id": [1],
        "age": ["65+"],
        "income": ["35-49K"],
        "household_size": ["5+"],
        "home_ownership": ["Probable Homeowner"],
        "kids_count": ["0"],
    },
    "campaigns": {
        "campaign_id": [8, 27],
        "campaign_type": ["Type B", "Type A"],
        "start_date": pd.to_datetime(["2017-05-08", "2017-02-08"]),
        "end_date": pd.to_datetime(["2017-06-25", "2017-03-26"]),
    },
    "campaign_targets": {"campaign_id": [8, 27, 27], "household_id": [2, 1, 3]},
    "coupons": {
        "coupon_upc": [10000000001, 10000000001, 10000000002],
        "product_id": [501, 501, 504],
        "campaign_id": [8, 8, 27],
    },
    "redemptions": {
        "household_id": [1],
        "coupon_upc": [10000000002],
        "campaign_id": [27],
        "redemption_date": pd.to_datetime(["2017-02-10"]),
    },
    "promotions": {
        "product_id": [501, 501],
        "store_id": [300, 301],
        "display_location": ["9", "0"],
        "mailer_location": ["0", "A"],
        "week": [1, 1],
    },
}

ORIGINAL = {
    "transactions": {
        "household_key": [1, 1, 2, 2, 2],
        "BASKET_ID": [11, 11, 12, 13, 13],
        "DAY": [292, 292, 316, 468, 468],
        "PRODUCT_ID": [501, 502, 503, 501, 504],
        "QUANTITY": [2, 9000, 0, 1, 1],
        "SALES_VALUE": [3.0, 20.0, 0.0, 1.5, 8.0],
        "STORE_ID": [300, 300, 300, 301, 301],
        "RETAIL_DISC": [-0.5, 0.0, 0.0, 0.0, -1.0],
        "TRANS_TIME": [2130, 2130, 1000, 2359, 2359],
        "WEEK_NO": [42, 42, 46, 68, 68],
        "COUPON_DISC": [0.0, 0.0, -1.0, 0.0, 0.0],
        "COUPON_MATCH_DISC": [-0.25, 0.0, 0.0, 0.0, 0.0],
    },
    "products": {
        "PRODUCT_ID": [501, 502, 503, 504],
        "MANUFACTURER": [2, 69, 1, 7],
        "DEPARTMENT": ["GROCERY", "MISC SALES TRAN", " ", "GROCERY"],
        "BRAND": ["Private", "National", "National", "National"],
        "COMMODITY_DESC": ["SOUP", "COUPON/MISC ITEMS", " ", "DOMESTIC WINE"],
        "SUB_COMMODITY_DESC": ["CONDENSED SOUP", "GASOLINE-REG UNLEADED", " ", "RED WINE"],
        "CURR_SIZE_OF_PRODUCT": ["10 OZ", " ", " ", ""],
    },
    "demographics": {
        "AGE_DESC": ["65+"],
        "INCOME_DESC": ["35-49K"],
        "HOMEOWNER_DESC": ["Probable Owner"],
        "HOUSEHOLD_SIZE_DESC": ["5+"],
        "household_key": [1],
    },
    "campaigns": {
        "DESCRIPTION": ["TypeB", "TypeA"],
        "CAMPAIGN": [8, 30],
        "START_DAY": [412, 323],
        "END_DAY": [460, 369],
    },
    "campaign_targets": {
        "DESCRIPTION": ["TypeB", "TypeA", "TypeA"],
        "household_key": [2, 1, 3],
        "CAMPAIGN": [8, 30, 30],
    },
    "coupons": {
        "COUPON_UPC": [10000000001, 10000000001, 10000000002],
        "PRODUCT_ID": [501, 501, 504],
        "CAMPAIGN": [8, 8, 30],
    },
    "redemptions": {
        "household_key": [1],
        "DAY": [325],
        "COUPON_UPC": [10000000002],
        "CAMPAIGN": [30],
    },
    "promotions": {
        "PRODUCT_ID": [501, 501],
        "STORE_ID": [300, 301],
        "WEEK_NO": [41, 41],
        "display": ["9", "0"],
        "mailer": ["0", "A"],
    },
}

FORMS = {"package": PACKAGE, "original": ORIGINAL}


def frames(form: str) -> dict[str, pd.DataFrame]:
    """Fresh frames of one form, free to be changed."""
    return {name: pd.DataFrame(columns) for name, columns in FORMS[form].items()}


def as_tables(raw: Mapping[str, pd.DataFrame | None]) -> dict[str, ir.Table | None]:
    """The frames as tables of a new DuckDB."""
    connection = ibis.duckdb.connect()
    return {
        name: None if frame is None else connection.create_table(name, frame)
        for name, frame in raw.items()
    }
