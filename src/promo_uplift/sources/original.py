"""The form of the publisher's eight files: days instead of dates, discounts below zero."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir

from promo_uplift.sources.calendar import date_of_day, week_no_of_day
from promo_uplift.sources.forms import SourceForm, discounts_given
from promo_uplift.sources.raw import raw_columns


def _from_original(raw: dict[str, ir.Table]) -> dict[str, ir.Table]:
    transactions = raw["transactions"]
    return {
        **raw,
        "transactions": transactions.mutate(
            date=date_of_day(transactions.day),
            week_no=week_no_of_day(transactions.day),
            is_day_moved=ibis.literal(False),
            **discounts_given(transactions, -1),
        ).drop("day"),
        "campaigns": raw["campaigns"].mutate(
            start_date=date_of_day(raw["campaigns"].start_day),
            end_date=date_of_day(raw["campaigns"].end_day),
        ),
        "redemptions": raw["redemptions"].mutate(date=date_of_day(raw["redemptions"].day)),
    }


ORIGINAL: Final = SourceForm(
    name="original",
    stems={
        "transactions": "transaction_data",
        "products": "product",
        "demographics": "hh_demographic",
        "campaigns": "campaign_desc",
        "campaign_targets": "campaign_table",
        "coupons": "coupon",
        "redemptions": "coupon_redempt",
        "promotions": "causal_data",
    },
    columns={
        "transactions": raw_columns(
            ("household_key", "household_id", "integer"),
            ("BASKET_ID", "basket_id", "integer"),
            ("DAY", "day", "day"),
            ("WEEK_NO", "stated_week_no", "integer"),
            ("STORE_ID", "store_id", "integer"),
            ("PRODUCT_ID", "product_id", "integer"),
            ("QUANTITY", "quantity", "integer"),
            ("SALES_VALUE", "sales_usd", "usd"),
            ("RETAIL_DISC", "retail_discount_usd", "usd"),
            ("COUPON_DISC", "coupon_discount_usd", "usd"),
            ("COUPON_MATCH_DISC", "coupon_match_discount_usd", "usd"),
        ),
        "products": raw_columns(
            ("PRODUCT_ID", "product_id", "integer"),
            ("MANUFACTURER", "manufacturer_id", "integer"),
            ("DEPARTMENT", "department", "label"),
            ("BRAND", "brand", "label"),
            ("COMMODITY_DESC", "commodity", "label"),
            ("SUB_COMMODITY_DESC", "sub_commodity", "label"),
            ("CURR_SIZE_OF_PRODUCT", "package_size", "label"),
        ),
        "demographics": raw_columns(
            ("household_key", "household_id", "integer"),
            ("AGE_DESC", "demo_age", "label"),
            ("INCOME_DESC", "demo_income", "label"),
            ("HOUSEHOLD_SIZE_DESC", "demo_household_size", "label"),
            ("HOMEOWNER_DESC", "demo_home_owner", "label"),
        ),
        "campaigns": raw_columns(
            ("CAMPAIGN", "campaign_id", "integer"),
            ("DESCRIPTION", "campaign_type", "label"),
            ("START_DAY", "start_day", "day"),
            ("END_DAY", "end_day", "day"),
        ),
        "campaign_targets": raw_columns(
            ("CAMPAIGN", "campaign_id", "integer"),
            ("household_key", "household_id", "integer"),
        ),
        "coupons": raw_columns(
            ("CAMPAIGN", "campaign_id", "integer"),
            ("COUPON_UPC", "coupon_upc", "integer"),
            ("PRODUCT_ID", "product_id", "integer"),
        ),
        "redemptions": raw_columns(
            ("household_key", "household_id", "integer"),
            ("CAMPAIGN", "campaign_id", "integer"),
            ("COUPON_UPC", "coupon_upc", "integer"),
            ("DAY", "day", "day"),
        ),
        "promotions": raw_columns(
            ("PRODUCT_ID", "product_id", "integer"),
            ("STORE_ID", "store_id", "integer"),
            ("WEEK_NO", "week_no", "integer"),
            ("display", "display", "label"),
            ("mailer", "mailer", "label"),
        ),
    },
    to_uniform=_from_original,
    known_rows={
        "transactions": 2_595_732,
        "products": 92_353,
        "demographics": 801,
        "campaigns": 30,
        "campaign_targets": 7_208,
        "coupons": 124_548,
        "redemptions": 2_318,
    },
    known_sha256={
        "transactions": "3a685c0729cef664d634486189f774518b84f53cde7cbf701a5963238692b476",
        "products": "7ecbcec41e0f1e5a51b43a359965cc50dc5586a2b900a378b64032750fedc949",
        "demographics": "aeb10246d0c4f3d3433d1f441265b6c7e70b0926129b834a3b589517948b9f22",
        "campaigns": "632535c6bcdd97b5681e84c2c0652ddc4eaca8a0f899a3bb37dae8dbdc089684",
        "campaign_targets": "a716f88953c9ddf8847e191d862e8d022afd19cf7419f52cbe6dde950a121f21",
        "coupons": "718f4d466df8a54bbff45f340e0b601049721b0715503394a601bac3093c727d",
        "redemptions": "70a98f3bfb28be0dd850f19c8d806d2a23e44014546651367b21538db6fba1f8",
        "promotions": "60ed7021fefc209c0caf36fcf95d1e93693775acfdac01fc9ee38273da88937a",
    },
    discount_sign=-1,
)
