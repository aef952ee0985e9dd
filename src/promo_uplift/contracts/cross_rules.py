"""Rules that hold between canonical tables: ids that must exist, dates and weeks that must agree.

Each rule is one function of all tables; a broken one says which rows, and whether two columns
look swapped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import ibis.expr.types as ir

from promo_uplift.contracts.rules import RuleCount, examples_of, looks_swapped
from promo_uplift.contracts.tables import CanonicalTables

#: Share of lines (of coupon rows) whose product may lack a row in the publisher's product file;
#: the package has 0.33 % and the original none.
UNLISTED_SHARE: Final = 0.01
#: Share of mailed households that may never shop in the data: 1 % of the package's; a swapped
#: household column puts it near 1.
SILENT_SHARE: Final = 0.5


def _count(table: ir.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def targets_name_campaigns(tables: CanonicalTables) -> RuleCount:
    """Every mailing belongs to a campaign."""
    return _in_campaigns("campaign_targets", tables.campaign_targets, "household_id", tables)


def coupons_name_campaigns(tables: CanonicalTables) -> RuleCount:
    """Every coupon belongs to a campaign."""
    return _in_campaigns("coupons", tables.coupons, "product_id", tables)


def redemptions_name_campaigns(tables: CanonicalTables) -> RuleCount:
    """Every redemption belongs to a campaign."""
    return _in_campaigns("redemptions", tables.redemptions, "household_id", tables)


def _in_campaigns(name: str, table: ir.Table, other: str, tables: CanonicalTables) -> RuleCount:
    return _in_parent(
        name=name,
        table=table,
        column="campaign_id",
        parent_name="campaigns",
        parent=tables.campaigns,
        swappable=other,
    )


def targets_name_households(tables: CanonicalTables) -> RuleCount:
    """Every mailed household is a known one."""
    return _in_parent(
        name="campaign_targets",
        table=tables.campaign_targets,
        column="household_id",
        parent_name="households",
        parent=tables.households,
        swappable="campaign_id",
    )


def transactions_name_households(tables: CanonicalTables) -> RuleCount:
    """Every line belongs to a known household."""
    return _in_parent(
        name="transactions",
        table=tables.transactions,
        column="household_id",
        parent_name="households",
        parent=tables.households,
        swappable="store_id",
    )


def _in_parent(
    *,
    name: str,
    table: ir.Table,
    column: str,
    parent_name: str,
    parent: ir.Table,
    swappable: str,
    tolerated_share: float = 0.0,
    rule: str | None = None,
) -> RuleCount:
    orphans = table.anti_join(parent.select(column), column)
    failed = _count(orphans)
    rows = _count(table)
    examples: tuple[str, ...] = ()
    hint = ""
    if failed > tolerated_share * rows:
        examples = examples_of(orphans, [column])
        hint = looks_swapped(
            table=table,
            column=column,
            other=swappable,
            parent=parent,
            parent_column=column,
            failed=failed,
        )
    return RuleCount(
        name,
        column,
        rule or f"is in {parent_name}",
        rows,
        failed,
        examples,
        tolerated_share,
        hint,
    )


def mailed_households_shop(tables: CanonicalTables) -> RuleCount:
    """Most mailed households occur in the transactions."""
    mailed = tables.campaign_targets.select("household_id").distinct()
    silent = mailed.anti_join(tables.transactions.select("household_id"), "household_id")
    rows, failed = _count(mailed), _count(silent)
    is_broken = failed > SILENT_SHARE * rows
    hint = "`transactions.household_id` or `campaign_targets.household_id` looks swapped"
    return RuleCount(
        "campaign_targets",
        "household_id",
        f"shops in transactions, for at least {1 - SILENT_SHARE:.0%} of the households",
        rows,
        failed,
        examples_of(silent, ["household_id"]) if is_broken else (),
        SILENT_SHARE,
        f"{hint} with another id column: compare both files." if is_broken else "",
    )


def lines_name_listed_products(tables: CanonicalTables) -> RuleCount:
    """Almost every line's product is in the publisher's product file."""
    listed = tables.products.filter(tables.products.is_listed)
    return _in_parent(
        name="transactions",
        table=tables.transactions,
        column="product_id",
        parent_name="products",
        parent=listed,
        swappable="basket_id",
        tolerated_share=UNLISTED_SHARE,
        rule=f"is listed in products, for at least {1 - UNLISTED_SHARE:.0%} of the lines",
    )


def coupons_name_listed_products(tables: CanonicalTables) -> RuleCount:
    """Almost every coupon's product is in the publisher's product file."""
    listed = tables.products.filter(tables.products.is_listed)
    return _in_parent(
        name="coupons",
        table=tables.coupons,
        column="product_id",
        parent_name="products",
        parent=listed,
        swappable="coupon_upc",
        tolerated_share=UNLISTED_SHARE,
        rule=f"is listed in products, for at least {1 - UNLISTED_SHARE:.0%} of the rows",
    )


def redeemers_were_mailed(tables: CanonicalTables) -> RuleCount:
    """Whoever redeems a campaign's coupon was mailed that campaign."""
    key = ["household_id", "campaign_id"]
    strangers = tables.redemptions.anti_join(tables.campaign_targets, key)
    failed = _count(strangers)
    return RuleCount(
        "redemptions",
        ", ".join(key),
        "the household was mailed by the campaign (is in campaign_targets)",
        _count(tables.redemptions),
        failed,
        examples_of(strangers, key) if failed else (),
    )


def redemptions_lie_in_campaign(tables: CanonicalTables) -> RuleCount:
    """Coupons are redeemed while their campaign runs."""
    joined = tables.redemptions.join(tables.campaigns, "campaign_id")
    outside = joined.filter(~joined.date.between(joined.start_date, joined.end_date))
    failed = _count(outside)
    return RuleCount(
        "redemptions",
        "date",
        "is within the campaign's start_date and end_date",
        _count(joined),
        failed,
        examples_of(outside, ["campaign_id", "date"]) if failed else (),
    )


def campaigns_meet_transactions(tables: CanonicalTables) -> RuleCount:
    """At least one campaign starts while transactions are recorded."""
    dates = tables.transactions.date
    first, last = (
        tables.transactions.aggregate(first=dates.min(), last=dates.max())
        .to_pyarrow()
        .to_pylist()[0]
        .values()
    )
    campaigns = tables.campaigns
    outside = campaigns.filter(~campaigns.start_date.between(first, last))
    rows, failed = _count(campaigns), _count(outside)
    return RuleCount(
        "campaigns",
        "start_date",
        f"lies within the transactions' dates, {first} to {last}, for at least one campaign",
        rows,
        failed,
        examples_of(outside, ["campaign_id", "start_date"]) if failed == rows else (),
        tolerated_share=(rows - 1) / rows,
    )


def baskets_have_one_household(tables: CanonicalTables) -> RuleCount:
    """No basket is shared by two households."""
    table = tables.transactions
    baskets = table.group_by("basket_id").aggregate(
        first=table.household_id.min(), last=table.household_id.max()
    )
    shared = baskets.filter(baskets["first"] != baskets["last"])
    failed = _count(shared)
    return RuleCount(
        "transactions",
        "basket_id",
        "belongs to one household",
        _count(baskets),
        failed,
        examples_of(shared, ["basket_id", "first", "last"]) if failed else (),
    )


CROSS_RULES: Final[tuple[Callable[[CanonicalTables], RuleCount], ...]] = (
    targets_name_campaigns,
    targets_name_households,
    mailed_households_shop,
    coupons_name_campaigns,
    coupons_name_listed_products,
    redemptions_name_campaigns,
    redeemers_were_mailed,
    redemptions_lie_in_campaign,
    campaigns_meet_transactions,
    transactions_name_households,
    lines_name_listed_products,
    baskets_have_one_household,
)
