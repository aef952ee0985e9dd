"""Proves at run time that nothing at or after time zero reaches a covariate or eligibility."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import ibis
import ibis.expr.types as ir
import pandas as pd

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.features.covariates import covariates
from promo_uplift.features.windows import TimeZero

KEYS: Final = ["campaign_id", "household_id"]
#: What ``changed`` holds where the rows themselves differ, in place of a column.
ELIGIBILITY: Final = "eligible households"


class CovariateBuilder(Protocol):
    """Whatever builds covariates; ``covariates`` is the one that runs use."""

    def __call__(
        self,
        *,
        tables: CanonicalTables,
        time_zeros: Sequence[TimeZero],
        pre_days: int,
        history_days: int,
    ) -> ir.Table:
        """Keys and one column per covariate, one row per campaign and eligible household."""
        ...


@dataclass(frozen=True, slots=True)
class WindowAudit:
    """Outcome of the window audit.

    Attributes
    ----------
    n_covariates : int
        Columns compared.
    n_rows : int
        Rows (household x campaign) compared.
    changed : tuple of str
        Columns that differed in any variant, and ``"eligible households"`` if rows came or went.
    passed : bool
        True if nothing changed.
    """

    n_covariates: int
    n_rows: int
    changed: tuple[str, ...]
    passed: bool

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> WindowAudit | None:
        """Read an audit from its JSON record; None where nothing was audited (no entries)."""
        return cls(**{**record, "changed": tuple(record["changed"])}) if record else None


def window_audit(
    *,
    tables: CanonicalTables,
    time_zeros: Sequence[TimeZero],
    pre_days: int,
    history_days: int,
    builder: CovariateBuilder = covariates,
) -> WindowAudit:
    """Rebuild the covariates of each campaign without its future, and with a garbled one.

    Time zero differs by campaign, so each is audited alone: once with every row at or after its
    time zero deleted, once with the values of those rows replaced (another household, product and
    kind of line, other amounts, other campaign types and last days). The covariates and the set of
    eligible households must be equal bit for bit to those built from the whole data.

    Parameters
    ----------
    tables : CanonicalTables
        The whole data.
    time_zeros : sequence of TimeZero
        Campaigns to audit.
    pre_days, history_days : int
        Windows in days, as for ``covariates``.
    builder : callable
        What builds the covariates.

    Returns
    -------
    WindowAudit
        ``changed`` names what depends on the future.
    """
    whole = (
        builder(tables=tables, time_zeros=time_zeros, pre_days=pre_days, history_days=history_days)
        .to_pyarrow()
        .to_pandas()
    )
    names = [name for name in whole.columns if name not in KEYS]
    changed: set[str] = set()
    for zero in time_zeros:
        expected = whole[whole["campaign_id"] == zero.campaign_id]
        for variant in (without_future, with_garbled_future):
            rebuilt = (
                builder(
                    tables=variant(tables=tables, time_zero=zero.date),
                    time_zeros=[zero],
                    pre_days=pre_days,
                    history_days=history_days,
                )
                .to_pyarrow()
                .to_pandas()
            )
            changed |= _differences(expected=expected, rebuilt=rebuilt, names=names)
    order = [name for name in (ELIGIBILITY, *names) if name in changed]
    return WindowAudit(
        n_covariates=len(names), n_rows=len(whole), changed=tuple(order), passed=not order
    )


def _differences(*, expected: pd.DataFrame, rebuilt: pd.DataFrame, names: list[str]) -> set[str]:
    left, right = expected.set_index(KEYS), rebuilt.set_index(KEYS)
    common = left.index.intersection(right.index)
    changed = set() if len(common) == len(left) == len(right) else {ELIGIBILITY}
    left, right = left.loc[common], right.loc[common]
    return changed | {name for name in names if not left[name].equals(right[name])}


def without_future(*, tables: CanonicalTables, time_zero: dt.date) -> CanonicalTables:
    """Return the tables as they stood before ``time_zero``.

    No later purchase, campaign, mailing or redemption. Products, households and coupons carry no
    date; coupons leave with their campaign.
    """
    now = ibis.literal(time_zero)
    campaigns = tables.campaigns.filter(tables.campaigns.start_date < now)
    return replace(
        tables,
        transactions=tables.transactions.filter(tables.transactions.date < now),
        redemptions=tables.redemptions.filter(tables.redemptions.date < now),
        campaigns=campaigns,
        campaign_targets=tables.campaign_targets.semi_join(campaigns, "campaign_id"),
        coupons=tables.coupons.semi_join(campaigns, "campaign_id"),
    )


def with_garbled_future(*, tables: CanonicalTables, time_zero: dt.date) -> CanonicalTables:
    """Return the tables with the values of all rows at or after ``time_zero`` replaced.

    Dates stay in the future; households and products are mirrored (lowest id for highest), so
    that the rows go to households that exist.
    """
    now = ibis.literal(time_zero)
    lines, campaigns = tables.transactions, tables.campaigns
    later = campaigns.filter(campaigns.start_date >= now).select("campaign_id")
    targets = tables.campaign_targets.left_join(later.mutate(is_later=True), "campaign_id")
    redemptions = tables.redemptions.mutate(is_later=tables.redemptions.date >= now)
    return replace(
        tables,
        transactions=_replaced(
            lines,
            future=lines.date >= now,
            household_id=_mirrored(lines.household_id, among=tables.households.household_id),
            product_id=_mirrored(lines.product_id, among=tables.products.product_id),
            quantity=lines.quantity + 1,
            sales_usd=lines.sales_usd * 3.0 + 7.0,
            retail_discount_usd=lines.retail_discount_usd + 5.0,
            coupon_discount_usd=lines.coupon_discount_usd + 3.0,
            coupon_match_discount_usd=lines.coupon_match_discount_usd + 2.0,
            is_merchandise=~lines.is_merchandise,
        ),
        campaigns=_replaced(
            campaigns,
            future=campaigns.start_date >= now,
            campaign_type=(campaigns.campaign_type == "TypeA").ifelse("TypeB", "TypeA"),
            end_date=campaigns.start_date,
        ),
        campaign_targets=_mirrored_households(targets, tables=tables).select(
            *tables.campaign_targets.columns
        ),
        redemptions=_mirrored_households(redemptions, tables=tables).select(
            *tables.redemptions.columns
        ),
    )


def _replaced(table: ir.Table, *, future: ir.BooleanColumn, **values: ir.Column) -> ir.Table:
    return table.mutate(
        **{name: future.ifelse(value, table[name]) for name, value in values.items()}
    )


def _mirrored(ids: ir.IntegerColumn, *, among: ir.IntegerColumn) -> ir.IntegerColumn:
    return among.min().as_scalar() + among.max().as_scalar() - ids


def _mirrored_households(table: ir.Table, *, tables: CanonicalTables) -> ir.Table:
    mirrored = _mirrored(table.household_id, among=tables.households.household_id)
    return _replaced(table, future=table.is_later.fill_null(False), household_id=mirrored)
