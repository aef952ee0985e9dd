"""Contracts of the canonical tables: what every form of the raw data must become.

The Pandera schemas are the single statement of columns, types, ranges and keys. Structure is
checked by Pandera's Ibis backend; the rules on values are read off the same schema objects and
counted in one aggregate per table inside the engine, because the backend runs one query per rule
and pulls every failure case into memory (21 million promotions would not fit).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.datatypes as it
import ibis.expr.types as ir
import pandera.ibis as pa

#: The publisher counts days over two years; day 285 is 1 January 2017.
FIRST_DAY: Final = 1
LAST_DAY: Final = 731
DAY_OF_2017_01_01: Final = 285
FIRST_DATE: Final = dt.date(2017, 1, 1) + dt.timedelta(days=FIRST_DAY - DAY_OF_2017_01_01)
LAST_DATE: Final = dt.date(2017, 1, 1) + dt.timedelta(days=LAST_DAY - DAY_OF_2017_01_01)
LAST_WEEK_NO: Final = -(-(LAST_DAY + 2) // 7)

LINE_KINDS: Final = ("merchandise", "fuel", "coupon", "gift_card", "miscellaneous")
CATEGORIES: Final = ("grocery", "fresh", "bakery", "health_beauty", "alcohol", "other")
CAMPAIGN_TYPES: Final = ("TypeA", "TypeB", "TypeC")

#: Ordered codes of the demographics, lowest first; the label's place in the tuple (from 1) is its
#: code. Both forms of the data give the same codes; anything else is missing.
DEMOGRAPHIC_CODES: Final[dict[str, tuple[str, ...]]] = {
    "demo_age": ("19-24", "25-34", "35-44", "45-54", "55-64", "65+"),
    "demo_income": (
        "Under 15K",
        "15-24K",
        "25-34K",
        "35-49K",
        "50-74K",
        "75-99K",
        "100-124K",
        "125-149K",
        "150-174K",
        "175-199K",
        "200-249K",
        "250K+",
    ),
    "demo_household_size": ("1", "2", "3", "4", "5+"),
    "demo_home_owner": ("Renter", "Probable Renter", "Probable Owner", "Homeowner"),
}


def _id() -> pa.Column:
    return pa.Column(it.int64, pa.Check.ge(1), nullable=False)


def _usd() -> pa.Column:
    return pa.Column(it.float64, pa.Check.ge(0.0), nullable=False)


def _date() -> pa.Column:
    return pa.Column(it.date, pa.Check.in_range(FIRST_DATE, LAST_DATE), nullable=False)


def _week_no() -> pa.Column:
    return pa.Column(it.int64, pa.Check.in_range(1, LAST_WEEK_NO), nullable=False)


def _one_of(values: tuple[str, ...]) -> pa.Column:
    return pa.Column(it.string, pa.Check.isin(list(values)), nullable=False)


def _label() -> pa.Column:
    return pa.Column(it.string, nullable=True)


def _code(name: str) -> pa.Column:
    return pa.Column(it.int64, pa.Check.in_range(1, len(DEMOGRAPHIC_CODES[name])), nullable=True)


def _schema(
    name: str, columns: dict[str, pa.Column], unique: list[str] | None = None
) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, name=name, strict=True, unique=unique)


#: One line of a receipt. All discounts are amounts given to the customer, so never negative.
#: ``quantity`` is in thousandths of a gallon on fuel lines, and 0 on coupon carriers.
TRANSACTIONS: Final = _schema(
    "transactions",
    {
        "household_id": _id(),
        "basket_id": _id(),
        "date": _date(),
        "week_no": _week_no(),
        "store_id": _id(),
        "product_id": _id(),
        "quantity": pa.Column(it.int64, pa.Check.ge(0), nullable=False),
        "sales_usd": _usd(),
        "retail_discount_usd": _usd(),
        "coupon_discount_usd": _usd(),
        "coupon_match_discount_usd": _usd(),
        "line_kind": _one_of(LINE_KINDS),
        "is_merchandise": pa.Column(it.boolean, nullable=False),
    },
    unique=[
        "household_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_usd",
        "retail_discount_usd",
        "coupon_discount_usd",
        "coupon_match_discount_usd",
    ],
)

#: Every product of the publisher's file and every product sold. ``is_listed`` is false where a
#: product was sold but has no row in the file. ``package_size`` is free text, spelt differently by
#: the two forms of the data.
PRODUCTS: Final = _schema(
    "products",
    {
        "product_id": _id(),
        "manufacturer_id": pa.Column(it.int64, pa.Check.ge(0), nullable=True),
        "department": _label(),
        "brand": _label(),
        "commodity": _label(),
        "sub_commodity": _label(),
        "package_size": _label(),
        "category": _one_of(CATEGORIES),
        "line_kind": _one_of(LINE_KINDS),
        "is_listed": pa.Column(it.boolean, nullable=False),
    },
    unique=["product_id"],
)

#: One row per household known from any table.
HOUSEHOLDS: Final = _schema(
    "households",
    {
        "household_id": _id(),
        "demo_age": _code("demo_age"),
        "demo_income": _code("demo_income"),
        "demo_household_size": _code("demo_household_size"),
        "demo_home_owner": _code("demo_home_owner"),
        "has_demographics": pa.Column(it.boolean, nullable=False),
    },
    unique=["household_id"],
)

#: Campaign ids are the original's in both forms. ``end_date`` is the last day.
CAMPAIGNS: Final = _schema(
    "campaigns",
    {
        "campaign_id": _id(),
        "campaign_type": _one_of(CAMPAIGN_TYPES),
        "start_date": _date(),
        "end_date": _date(),
    },
    unique=["campaign_id"],
)

CAMPAIGN_TARGETS: Final = _schema(
    "campaign_targets",
    {"campaign_id": _id(), "household_id": _id()},
    unique=["campaign_id", "household_id"],
)

COUPONS: Final = _schema(
    "coupons",
    {"campaign_id": _id(), "coupon_upc": _id(), "product_id": _id()},
    unique=["campaign_id", "coupon_upc", "product_id"],
)

REDEMPTIONS: Final = _schema(
    "redemptions",
    {"household_id": _id(), "campaign_id": _id(), "coupon_upc": _id(), "date": _date()},
    unique=["household_id", "campaign_id", "coupon_upc", "date"],
)

#: Absence of a row means: not promoted. Not unique: 12,785 keys of the package occur twice.
PROMOTIONS: Final = _schema(
    "promotions",
    {
        "product_id": _id(),
        "store_id": _id(),
        "week_no": _week_no(),
        "display": pa.Column(it.string, nullable=False),
        "mailer": pa.Column(it.string, nullable=False),
    },
)

SCHEMAS: Final[dict[str, pa.DataFrameSchema]] = {
    "transactions": TRANSACTIONS,
    "products": PRODUCTS,
    "households": HOUSEHOLDS,
    "campaigns": CAMPAIGNS,
    "campaign_targets": CAMPAIGN_TARGETS,
    "coupons": COUPONS,
    "redemptions": REDEMPTIONS,
    "promotions": PROMOTIONS,
}


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule between the columns of one row, which no single column's check can say.

    Attributes
    ----------
    column, text : str
        The column to name when it breaks, and the rule.
    shown : tuple of str
        Columns shown in examples.
    holds : callable
        The rule as an expression of the table.
    """

    column: str
    text: str
    shown: tuple[str, ...]
    holds: Callable[[ir.Table], ir.BooleanValue]


def _week_follows_from_date(table: ir.Table) -> ir.BooleanValue:
    day = table.date.delta(ibis.literal(dt.date(2017, 1, 1)), unit="day") + DAY_OF_2017_01_01
    return table.week_no == (day + 8) // 7


ROW_RULES: Final[dict[str, tuple[RowRule, ...]]] = {
    "transactions": (
        RowRule(
            "week_no",
            "is ceil((DAY + 2) / 7) of the date",
            ("date", "week_no"),
            _week_follows_from_date,
        ),
        RowRule(
            "is_merchandise",
            "is true exactly where line_kind is 'merchandise'",
            ("line_kind", "is_merchandise"),
            lambda table: table.is_merchandise == (table.line_kind == "merchandise"),
        ),
    ),
    "campaigns": (
        RowRule(
            "start_date",
            "is not after end_date",
            ("campaign_id", "start_date", "end_date"),
            lambda table: table.start_date <= table.end_date,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class CanonicalTables:
    """The eight canonical tables as lazy Ibis expressions over one backend.

    Attributes
    ----------
    transactions, products, households, campaigns, campaign_targets, coupons, redemptions : Table
        As the schemas of this module state.
    promotions : Table or None
        None where the source has none (``causal_data`` is optional in the original form).
    """

    transactions: ir.Table
    products: ir.Table
    households: ir.Table
    campaigns: ir.Table
    campaign_targets: ir.Table
    coupons: ir.Table
    redemptions: ir.Table
    promotions: ir.Table | None = None

    def items(self) -> Iterator[tuple[str, ir.Table]]:
        """Name and expression of every table that is present, in the order of the schemas."""
        for name in SCHEMAS:
            table = getattr(self, name)
            if table is not None:
                yield name, table


def empty_promotions() -> ir.Table:
    """Return a promotions table without rows, for a source that has none."""
    types = {name: column.dtype.type for name, column in PROMOTIONS.columns.items()}
    return ibis.memtable([], schema=types)
