"""The contracts on the real package data: they hold, and each planted violation is named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import time
from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import pandera.ibis as pa
import pytest
from pandera.errors import SchemaErrors

from promo_uplift.contracts.errors import ContractError
from promo_uplift.contracts.tables import SCHEMAS, CanonicalTables
from promo_uplift.contracts.validation import table_rule_counts, validate_tables
from promo_uplift.sources import canonical_tables, cleaning_report, source_files, source_report

#: Counts of the package that were computed from its files by other means.
KNOWN_COUNTS = {
    ("transactions", "rows_read"): (1_469_307, 4_596_040),
    ("transactions", "retail_discount_given"): (736_369, 791_651),
    ("transactions", "coupon_discount_given"): (21_889, 26_360),
    ("transactions", "coupon_match_discount_given"): (10_300, 4_543),
    ("transactions", "quantity_zero"): (8_869, 6_544),
    ("transactions", "no_product_row"): (4_836, 173),
    ("transactions", "line_kind_fuel"): (14_697, 384_044),
    ("promotions", "repeated_key"): (12_785, None),
    ("campaigns", "campaign_id_mapped"): (4, None),
}
#: Half a minute on two busy cores; alone it takes about six seconds.
MAX_SECONDS = 30.0


@pytest.fixture(scope="module")
def raw() -> dict[str, ir.Table | None]:
    connection = ibis.duckdb.connect()
    files = source_files(form="package")
    return {name: connection.read_parquet(path) for name, path in files.items()}


@pytest.fixture(scope="module")
def tables(raw: dict[str, ir.Table | None]) -> CanonicalTables:
    return canonical_tables(form="package", raw=raw, seed=0)


@pytest.fixture(scope="module")
def small(raw: dict[str, ir.Table | None]) -> CanonicalTables:
    """A hundred households, stored, so that each planted violation costs little."""
    connection = raw["transactions"].get_backend()
    cut = canonical_tables(form="package", raw=raw, household_sample=100, seed=0)
    stored = {
        name: connection.create_table(
            f"small_{name}", table.limit(500) if name == "promotions" else table
        )
        for name, table in cut.items()
    }
    return CanonicalTables(**stored)


def test_the_package_keeps_every_contract_within_seconds(tables: CanonicalTables) -> None:
    started = time.perf_counter()
    report = validate_tables(tables)
    assert time.perf_counter() - started < MAX_SECONDS
    broken = report[report["rows_failed"] > 0].set_index(["table", "column"])["rows_failed"]
    assert broken.to_dict() == {
        ("coupons", "product_id"): 16,
        ("campaigns", "start_date"): 3,
        ("transactions", "product_id"): 4_836,
    }
    checked = report.groupby("table")["rows_checked"].max()
    assert checked["transactions"] == 1_469_307
    assert checked["promotions"] == 20_940_529


def test_the_cleaning_report_of_the_package_has_the_known_counts(
    raw: dict[str, ir.Table | None],
) -> None:
    report = cleaning_report(form="package", raw=raw, seed=0).set_index(["table", "rule"])
    for rule, (rows, usd) in KNOWN_COUNTS.items():
        assert report.loc[rule, "rows"] == rows, rule
        assert usd is None or report.loc[rule, "amount_usd"] == pytest.approx(usd, abs=0.5), rule
    moved = report.loc[("transactions", "day_moved_by_time_zone"), "share"]
    assert moved == pytest.approx(0.171, abs=0.0005)
    kinds = [rule for rule in report.index if rule[1].startswith("line_kind_")]
    assert report.loc[kinds, "rows"].sum() == 1_469_307


def test_the_source_report_of_the_package_matches_the_known_rows(
    raw: dict[str, ir.Table | None],
) -> None:
    report = source_report(form="package", raw=raw, files=source_files(form="package"))
    assert report["rows_match"].tolist() == [True] * 8


Change = Callable[[ir.Table], ir.Table]
Plant = Callable[[CanonicalTables], CanonicalTables]


def _replaced(name: str, change: Change) -> Plant:
    return lambda tables: dataclasses.replace(tables, **{name: change(getattr(tables, name))})


def _one_row_with(column: str, value: object) -> Change:
    """The table, and its first row once more with another value."""

    def change(table: ir.Table) -> ir.Table:
        new = ibis.literal(value, type=table.schema()[column])
        first = table.order_by(table.columns).limit(1)
        return table.union(first.mutate(**{column: new}).select(table.columns))

    return change


def _swapped(first: str, second: str) -> Change:
    def change(table: ir.Table) -> ir.Table:
        both = table.mutate(**{first: table[second], second: table[first]})
        return both.select(table.columns)

    return change


def _first_again(table: ir.Table) -> ir.Table:
    return table.union(table.order_by(table.columns).limit(1))


PLANTED = {
    "negative sales": (
        _replaced("transactions", _one_row_with("sales_usd", -1.5)),
        r"`transactions\.sales_usd` breaks the rule 'is at least 0\.0': 1 of \d+ rows, "
        r"e\.g\. sales_usd=-1\.5",
    ),
    "sales not a number": (
        _replaced("transactions", _one_row_with("sales_usd", float("nan"))),
        r"`transactions\.sales_usd` breaks the rule 'is finite and not missing': 1 of",
    ),
    "infinite discount": (
        _replaced("transactions", _one_row_with("retail_discount_usd", float("inf"))),
        r"`transactions\.retail_discount_usd` breaks the rule 'is finite and not missing': 1 of",
    ),
    "missing household": (
        _replaced("transactions", _one_row_with("household_id", None)),
        r"`transactions\.household_id` breaks the rule 'is not missing': 1 of",
    ),
    "unknown line kind": (
        _replaced("transactions", _one_row_with("line_kind", "petrol")),
        r"`transactions\.line_kind` breaks the rule 'is one of .*line_kind=petrol",
    ),
    "line repeated": (
        _replaced("transactions", _first_again),
        r"`transactions\.household_id, .*' *occurs once \(unique key\)': 1 of",
    ),
    "date outside the calendar": (
        _replaced("transactions", _one_row_with("date", dt.date(2019, 5, 1))),
        r"`transactions\.date` breaks the rule 'is within 2016-03-23 to 2018-03-23': "
        r"1 of .*2019-05-01",
    ),
    "week by the wrong formula": (
        _replaced("transactions", lambda t: t.mutate(week_no=(t.week_no + 1).cast("int64"))),
        r"`transactions\.week_no` breaks the rule 'is ceil\(\(DAY \+ 2\) / 7\) of the date': "
        r"(\d+) of \1 rows",
    ),
    "fuel counted as merchandise": (
        _replaced("transactions", lambda t: t.mutate(is_merchandise=ibis.literal(True))),
        r"`transactions\.is_merchandise` breaks the rule .*line_kind=\w+, is_merchandise=True",
    ),
    "basket of two households": (
        _replaced("transactions", _one_row_with("household_id", 9_999_999)),
        r"`transactions\.basket_id` breaks the rule 'belongs to one household': "
        r"1 of .*last=9999999",
    ),
    "unknown household": (
        _replaced("transactions", _one_row_with("household_id", 9_999_999)),
        r"`transactions\.household_id` breaks the rule 'is in households': "
        r"1 of .*household_id=9999999",
    ),
    "products hardly listed": (
        _replaced("products", lambda t: t.mutate(is_listed=t.product_id % 2 == 0)),
        r"`transactions\.product_id` breaks the rule 'is listed in products, for at least 99%",
    ),
    "basket and product swapped": (
        _replaced("transactions", _swapped("basket_id", "product_id")),
        r"`product_id` and `basket_id` look swapped",
    ),
    "household and store swapped": (
        _replaced("transactions", _swapped("household_id", "store_id")),
        r"`household_id` and `store_id` look swapped",
    ),
    "product twice": (
        _replaced("products", _first_again),
        r"`products\.product_id` breaks the rule 'occurs once \(unique key\)': 1 of",
    ),
    "code outside its table": (
        _replaced("households", _one_row_with("demo_age", 7)),
        r"`households\.demo_age` breaks the rule 'is within 1 to 6': 1 of .*demo_age=7",
    ),
    "campaign ends before it starts": (
        _replaced("campaigns", _swapped("start_date", "end_date")),
        r"`campaigns\.start_date` breaks the rule 'is not after end_date': "
        r"27 of 27 rows, e\.g\. campaign_id=1",
    ),
    "campaign type of the package": (
        _replaced("campaigns", lambda t: t.mutate(campaign_type=ibis.literal("Type A"))),
        r"`campaigns\.campaign_type` breaks the rule .*campaign_type=Type A",
    ),
    "campaigns of another time": (
        _replaced(
            "campaigns",
            lambda t: t.mutate(start_date=dt.date(2016, 4, 1), end_date=dt.date(2018, 3, 1)),
        ),
        r"`campaigns\.start_date` breaks the rule 'lies within the transactions' dates, .*: "
        r"27 of 27",
    ),
    "household mailed twice by a campaign": (
        _replaced("campaign_targets", _first_again),
        r"`campaign_targets\.campaign_id, household_id` breaks the rule 'occurs once .*: 1 of",
    ),
    "target of an unknown campaign": (
        _replaced("campaign_targets", _one_row_with("campaign_id", 77)),
        r"`campaign_targets\.campaign_id` breaks the rule 'is in campaigns': 1 of \d+ rows, "
        r"e\.g\. campaign_id=77\.$",
    ),
    "target and campaign swapped": (
        _replaced("campaign_targets", _swapped("campaign_id", "household_id")),
        r"`campaign_targets\.campaign_id` breaks the rule 'is in campaigns'.*"
        r"`campaign_id` and `household_id` look swapped: exchange",
    ),
    "mailed households that never shop": (
        _replaced("transactions", lambda t: t.filter(t.household_id < 200)),
        r"`campaign_targets\.household_id` breaks the rule 'shops in transactions, for at least "
        r"50%",
    ),
    "coupon and product swapped": (
        _replaced("coupons", _swapped("coupon_upc", "product_id")),
        r"`product_id` and `coupon_upc` look swapped",
    ),
    "redeemer who was not mailed": (
        _replaced("redemptions", _one_row_with("household_id", 9_999_999)),
        r"`redemptions\.household_id, campaign_id` breaks the rule 'the household was mailed",
    ),
    "redemption outside its campaign": (
        _replaced("redemptions", _one_row_with("date", dt.date(2016, 4, 1))),
        r"`redemptions\.date` breaks the rule 'is within the campaign's start_date and end_date': "
        r"1 of",
    ),
    "promotion in week 0": (
        _replaced("promotions", _one_row_with("week_no", 0)),
        r"`promotions\.week_no` breaks the rule 'is within 1 to 105': 1 of",
    ),
    "empty table": (
        _replaced("redemptions", lambda t: t.limit(0)),
        r"`redemptions\.\*` breaks the rule 'has rows'",
    ),
    "missing column": (
        _replaced("coupons", lambda t: t.drop("product_id")),
        r"`coupons` must have the columns and types of its contract: .*'?product_id'?",
    ),
    "column too many": (
        _replaced("coupons", lambda t: t.mutate(price_usd=1.0)),
        r"`coupons` must have the columns and types of its contract: .*price_usd",
    ),
    "id as text": (
        _replaced("households", lambda t: t.mutate(household_id=t.household_id.cast("string"))),
        r"`households` must have the columns and types of its contract: .*household_id",
    ),
}


def test_the_small_tables_keep_every_contract(small: CanonicalTables) -> None:
    assert len(validate_tables(small)) > 90


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_named(small: CanonicalTables, name: str) -> None:
    plant, message = PLANTED[name]
    planted = plant(small)
    with pytest.raises(ContractError, match=re.compile(message, re.MULTILINE | re.DOTALL)):
        validate_tables(planted)


def test_examples_are_at_most_five(small: CanonicalTables) -> None:
    planted = _replaced("transactions", lambda t: t.mutate(week_no=t.week_no + 1))(small)
    counts = table_rule_counts("transactions", planted.transactions)
    assert [len(count.examples) for count in counts if count.rows_failed] == [5]


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("transactions", "sales_usd", -1.5),
        ("transactions", "date", dt.date(2019, 5, 1)),
        ("transactions", "line_kind", "petrol"),
        ("transactions", "quantity", None),
        ("households", "demo_age", 7),
        ("promotions", "week_no", 0),
    ],
)
def test_panderas_own_backend_agrees_with_the_aggregate(
    small: CanonicalTables, name: str, column: str, value: object
) -> None:
    right = getattr(small, name).limit(200)
    wrong = _one_row_with(column, value)(right)
    columns_only = pa.DataFrameSchema(SCHEMAS[name].columns, strict=True)
    columns_only.validate(right, lazy=True)
    assert not [count for count in table_rule_counts(name, right) if count.is_broken]
    with pytest.raises(SchemaErrors, match=column):
        columns_only.validate(wrong, lazy=True)
    assert column in {c.column for c in table_rule_counts(name, wrong) if c.is_broken}
