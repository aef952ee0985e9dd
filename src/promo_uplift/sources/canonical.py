"""From the raw tables of either form to the same canonical tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.tables import DEMOGRAPHIC_CODES, SCHEMAS, CanonicalTables
from promo_uplift.sources.forms import DISCOUNTS, SourceForm
from promo_uplift.sources.product_labels import (
    category,
    clean_department,
    clean_label,
    clean_sub_commodity,
    line_kind,
)
from promo_uplift.sources.raw import RAW_TABLES, RawTables, check_raw_table
from promo_uplift.sources.registry import source_form

#: Share of lines whose stated week may differ from the week of their date. The publisher's own
#: files have none; a clock read in the wrong zone gives 0.18 to 2.4 %.
MAX_WEEK_MISMATCH_SHARE: Final = 0.0005


@dataclass(frozen=True, slots=True)
class CleanTables:
    """Every household's tables after cleaning, with the marks that the report counts.

    Attributes
    ----------
    uniform : dict of str to Table
        The raw tables in canonical names, before anything was removed or recoded.
    transactions : Table
        Canonical columns, and ``is_listed``, ``is_day_moved``, ``stated_week_no`` and the raw
        discounts as ``given_*``.
    products, households : Table
        Canonical.
    """

    uniform: dict[str, ir.Table]
    transactions: ir.Table
    products: ir.Table
    households: ir.Table


def canonical_tables(
    *, form: str, raw: RawTables, household_sample: int | None = None, seed: int
) -> CanonicalTables:
    """Return the canonical tables of one form of the raw data, as lazy Ibis expressions.

    Parameters
    ----------
    form : {"package", "original"}
        Form of the raw data, a name in ``SOURCES``.
    raw : mapping of str to Table
        The raw tables ``transactions``, ``products``, ``demographics``, ``campaigns``,
        ``campaign_targets``, ``coupons``, ``redemptions``, ``promotions``; the last may be None.
    household_sample : int, optional
        Keep this many households (all of them if there are fewer) in every table that has
        households. Which ones depends on their ids and on ``seed`` only.
    seed : int
        Seed of that choice.

    Returns
    -------
    CanonicalTables
        One schema for both forms (``contracts.tables``).

    Raises
    ------
    SourceError
        If a raw table is missing, empty, lacks a column or a type, has days or dates outside the
        publisher's two years, weeks that contradict the dates, or discounts of the wrong sign.
    """
    clean = clean_tables(form=form, raw=raw)
    _refuse_wrong_clock(clean.uniform["transactions"], source_form(form))
    uniform = clean.uniform
    tables = {
        "transactions": clean.transactions,
        "products": clean.products,
        "households": clean.households,
        "campaigns": uniform["campaigns"],
        "campaign_targets": uniform["campaign_targets"],
        "coupons": uniform["coupons"].select(*SCHEMAS["coupons"].columns).distinct(),
        "redemptions": uniform["redemptions"],
        "promotions": uniform.get("promotions"),
    }
    if household_sample is not None:
        kept = sampled_ids(clean.households, n_households=household_sample, seed=seed)
        for name in ("transactions", "households", "campaign_targets", "redemptions"):
            tables[name] = tables[name].filter(tables[name].household_id.isin(kept))
    return CanonicalTables(
        **{
            name: None if table is None else table.select(*SCHEMAS[name].columns)
            for name, table in tables.items()
        }
    )


def clean_tables(*, form: str, raw: RawTables) -> CleanTables:
    """Check, unify and clean the raw tables of every household."""
    uniform = uniform_tables(form=form, raw=raw)
    special = _special_products(uniform["products"], uniform["transactions"])
    return CleanTables(
        uniform=uniform,
        transactions=_transactions(uniform["transactions"], special),
        products=_products(uniform["products"], special),
        households=_households(uniform),
    )


def uniform_tables(*, form: str, raw: RawTables) -> dict[str, ir.Table]:
    """Check the raw tables of a form and bring them to canonical names, dates and campaign ids."""
    source = source_form(form)
    missing = [name for name in RAW_TABLES if raw.get(name) is None and name != "promotions"]
    if missing:
        raise SourceError(
            f"`raw` must hold the tables {', '.join(RAW_TABLES)} ('promotions' may be None); "
            f"missing: {', '.join(missing)}. Add the files {[source.stems[m] for m in missing]}."
        )
    renamed: dict[str, ir.Table] = {}
    for name in RAW_TABLES:
        table = raw.get(name)
        if table is not None:
            check_raw_table(table, source.columns[name], name=source.stems[name])
            renamed[name] = _rename(table, source, name)
    return source.to_uniform(renamed)


def _rename(table: ir.Table, source: SourceForm, name: str) -> ir.Table:
    types = {"integer": "int64", "day": "int64", "usd": "float64", "label": "string"}
    return table.select(
        **{
            column.canonical: table[column.name].cast(types[column.kind])
            if column.kind in types
            else table[column.name]
            for column in source.columns[name]
        }
    )


def _special_products(products: ir.Table, transactions: ir.Table) -> ir.Table:
    """Products that are not listed merchandise, read at once: some hundreds of rows.

    The package lacks 22 rows of the original. The ones among them that were sold are coupon
    carriers, which never take money, and goods; whether any line of the product has sales tells
    them apart, as the labels of the original do.

    A small table in memory, and not an expression, because every later query joins it.
    """
    kinds = products.select("product_id", line_kind=line_kind(products), is_listed=True)
    sold = transactions.group_by("product_id").aggregate(sales_usd=transactions.sales_usd.sum())
    unlisted = sold.anti_join(products.select("product_id"), "product_id")
    special = kinds.filter(kinds.line_kind != "merchandise").union(
        unlisted.select(
            "product_id",
            line_kind=ibis.ifelse(unlisted.sales_usd > 0, "merchandise", "coupon"),
            is_listed=False,
        )
    )
    return ibis.memtable(special.to_pyarrow())


def _products(products: ir.Table, special: ir.Table) -> ir.Table:
    """Every listed product, and every product that was sold without being listed."""
    kinds = products.mutate(line_kind=line_kind(products))
    listed = kinds.select(
        product_id=kinds.product_id,
        manufacturer_id=kinds.manufacturer_id,
        department=clean_department(kinds.department),
        brand=clean_label(kinds.brand),
        commodity=clean_label(kinds.commodity),
        sub_commodity=clean_sub_commodity(kinds.sub_commodity),
        package_size=clean_label(kinds.package_size),
        category=category(kinds, is_merchandise=kinds.line_kind == "merchandise"),
        line_kind=kinds.line_kind,
        is_listed=ibis.literal(True),
    )
    unlisted = special.filter(~special.is_listed)
    return listed.union(
        unlisted.select(
            product_id=unlisted.product_id,
            manufacturer_id=ibis.null("int64"),
            department=ibis.null("string"),
            brand=ibis.null("string"),
            commodity=ibis.null("string"),
            sub_commodity=ibis.null("string"),
            package_size=ibis.null("string"),
            category=ibis.literal("other"),
            line_kind=unlisted.line_kind,
            is_listed=unlisted.is_listed,
        )
    )


def _transactions(transactions: ir.Table, special: ir.Table) -> ir.Table:
    joined = transactions.left_join(special, "product_id").drop("product_id_right")
    return joined.mutate(
        **{f"given_{name}": joined[name] for name in DISCOUNTS},
        **{name: ibis.greatest(joined[name], 0.0) for name in DISCOUNTS},
        line_kind=joined.line_kind.fill_null("merchandise"),
        is_listed=joined.is_listed.fill_null(True),
        is_merchandise=joined.line_kind.fill_null("merchandise") == "merchandise",
    )


def _households(uniform: dict[str, ir.Table]) -> ir.Table:
    known = ibis.union(
        *(
            uniform[name].select("household_id")
            for name in ("transactions", "campaign_targets", "redemptions", "demographics")
        ),
        distinct=True,
    )
    demographics = uniform["demographics"]
    coded = demographics.select(
        "household_id",
        **{name: demographic_code(demographics[name], name) for name in DEMOGRAPHIC_CODES},
        has_demographics=True,
    )
    joined = known.left_join(coded, "household_id").drop("household_id_right")
    return joined.mutate(has_demographics=joined.has_demographics.fill_null(False))


def demographic_code(label: ir.StringValue, name: str) -> ir.IntegerValue:
    """Ordered code of a demographic label, missing where the label is not in the code table."""
    codes = [(label == text, code) for code, text in enumerate(DEMOGRAPHIC_CODES[name], start=1)]
    return ibis.cases(*codes).cast("int64")


def sampled_ids(households: ir.Table, *, n_households: int, seed: int) -> list[int]:
    """Return the ids of the households that a sample keeps: the first ones by a seeded digest."""
    digest = households.household_id.cast("string").concat(f"-{seed}").hexdigest("md5")
    chosen = (
        households.select("household_id", digest=digest)
        .order_by("digest", "household_id")
        .limit(n_households)
    )
    return [int(i) for i in chosen.to_pyarrow().column("household_id").to_pylist()]


def _refuse_wrong_clock(transactions: ir.Table, source: SourceForm) -> None:
    name = source.stems["transactions"]
    facts = (
        transactions.aggregate(
            rows=transactions.count(),
            mismatched=(transactions.stated_week_no != transactions.week_no).sum(),
            **{f"{d}_right": (transactions[d] > 0).sum() for d in DISCOUNTS},
            **{f"{d}_wrong": (transactions[d] < 0).sum() for d in DISCOUNTS},
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    for column in source.columns["transactions"]:
        if column.canonical not in DISCOUNTS:
            continue
        right, wrong = facts[f"{column.canonical}_right"], facts[f"{column.canonical}_wrong"]
        if wrong > right:
            rule = "at or below 0" if source.discount_sign < 0 else "at or above 0"
            raise SourceError(
                f"`{name}.{column.name}` must be {rule} in the form '{source.name}'; "
                f"{wrong} lines are not and {right} are. The signs look reversed: is the file of "
                "the other form?"
            )
    if facts["mismatched"] > MAX_WEEK_MISMATCH_SHARE * facts["rows"]:
        raise SourceError(
            f"`{name}`: the stated week must agree with the date, ceil((DAY + 2) / 7); "
            f"{facts['mismatched']} of {facts['rows']} lines disagree. Check that "
            "`transaction_timestamp` is in UTC, or that `DAY` and `WEEK_NO` are the publisher's."
        )
