"""The household x category x week panel of a dose: discount depth, or display and mailer exposure.

A category is a commodity of the products; a week is the publisher's (Monday to Sunday), and only
weeks wholly inside the data count.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import ibis
import ibis.expr.types as ir
import pandas as pd

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.tables import DAY_OF_2017_01_01, CanonicalTables
from promo_uplift.features.household_days import CENTS_PER_USD, cents
from promo_uplift.trials.selection import data_coverage
from promo_uplift.trials.treatments import refuse_unknown_categories

DAYS_PER_WEEK: Final = 7
KEYS: Final = ("household_id", "category", "week")
DOSE_COLUMNS: Final = (*KEYS, "dose", "spend_usd")
#: The code of ``display`` and ``mailer`` that says: not there.
NOT_PROMOTED: Final = "0"


@dataclass(frozen=True, slots=True)
class DoseDesign:
    """Which dose, of which categories, and from how much of a past.

    Attributes
    ----------
    definition : {"discount_depth", "display_mailer_exposure"}
        Name of the treatment definition.
    categories : tuple of str or None
        Commodities to keep; None keeps all.
    baseline_weeks : int
        First whole weeks of the data, over which usual products and the usual store are found;
        the panel starts after them. Read for ``display_mailer_exposure`` only.
    usual_weeks : int
        A product is usual if it was bought in at least so many weeks of the baseline.
    """

    definition: Literal["discount_depth", "display_mailer_exposure"]
    categories: tuple[str, ...] | None
    baseline_weeks: int
    usual_weeks: int


@dataclass(frozen=True, slots=True)
class DosePanel:
    """Doses and outcomes, and what was left out.

    Attributes
    ----------
    panel : DataFrame
        ``household_id``, ``category``, ``week`` (the publisher's number), ``dose`` in [0, 1] and
        ``spend_usd`` (merchandise of the category in the week), in order of the first three.
    report : DataFrame
        ``quantity``, ``value``, ``meaning``: what is in it and what was left out.
    """

    panel: pd.DataFrame
    report: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Weeks:
    """Whole weeks inside the data, first to last, as the publisher numbers them."""

    first: int
    last: int


Count = tuple[str, object, str]


def continuous_dose_panel(*, tables: CanonicalTables, design: DoseDesign) -> DosePanel:
    r"""Compute a continuous treatment by household, category and week.

    ``discount_depth``: :math:`D = \sum (retail + match) / \sum (sales + retail + match)` over what
    the household bought of the category in the week, list price in USD. It exists in weeks with a
    purchase only, and the household's own choice has a part in it: what describes, not causes. A
    week whose list price is 0 has no dose: left out and counted. Manufacturer coupons are not part
    of it.

    ``display_mailer_exposure``: share of the household's usual products of the category that were
    on display or in the mailer of its usual store in the week. Usual products and store (most days
    with a purchase; of equals the lowest id) are found in the first ``baseline_weeks`` weeks and
    kept; the weeks after them are the panel, whether or not the household bought, with a spend of 0
    where it did not. Summed over weeks the dose counts exposed weeks. A store that the promotions
    do not cover, or not in that week, is unknown and not unexposed: left out and counted.

    Parameters
    ----------
    tables : CanonicalTables
        ``transactions``, ``products``; ``promotions`` for the exposure.
    design : DoseDesign
        The dose.

    Returns
    -------
    DosePanel
        The panel and the report.

    Raises
    ------
    TrialError
        If the definition is not continuous, a category unknown, the exposure asked for without
        promotions, the baseline leaves no week, or nothing is left.
    """
    if design.definition not in DOSES:
        raise TrialError(
            f"`definition` must be a dose, one of {list(DOSES)}, got {design.definition!r}. Two "
            "arms are `select_trials`' or `select_panel_campaigns`' work."
        )
    if design.categories is not None:
        refuse_unknown_categories(
            tables=tables, categories=list(design.categories), field="categories"
        )
    rows, counts = DOSES[design.definition](tables=tables, design=design)
    panel = rows.select(*DOSE_COLUMNS).order_by(*KEYS).to_pyarrow().to_pandas()
    if panel.empty:
        raise TrialError(
            f"`{design.definition}` must leave rows, found none: "
            + "; ".join(f"{name} = {value}" for name, value, _ in counts)
        )
    own: list[Count] = [
        ("treatment_definition", design.definition, "the dose"),
        *counts,
        ("n_rows", len(panel), "rows of the panel"),
        ("n_households", panel["household_id"].nunique(), "households of the panel"),
        ("n_categories", panel["category"].nunique(), "categories of the panel"),
    ]
    return DosePanel(
        panel=panel, report=pd.DataFrame(own, columns=["quantity", "value", "meaning"])
    )


def discount_depth(
    *, tables: CanonicalTables, design: DoseDesign
) -> tuple[ir.Table, Sequence[Count]]:
    """Share of list price discounted, by household, category and week with a purchase."""
    weeks = _whole_weeks(tables=tables)
    bought = _category_lines(tables=tables, design=design, weeks=weeks)
    off = cents(bought.retail_discount_usd + bought.coupon_match_discount_usd)
    sums = bought.group_by(*KEYS).agg(
        spend=cents(bought.sales_usd).sum(), discount=off.sum(), lines=bought.count()
    )
    list_price = sums.spend + sums.discount
    n_free = _number((list_price == 0).sum())
    rows = sums.filter(list_price > 0).mutate(
        dose=sums.discount / list_price, spend_usd=sums.spend / CENTS_PER_USD
    )
    return rows, (
        ("first_week", weeks.first, "first whole week"),
        ("last_week", weeks.last, "last whole week"),
        ("n_without_list_price", n_free, "left out: basket-weeks with a list price of 0"),
    )


def display_mailer_exposure(
    *, tables: CanonicalTables, design: DoseDesign
) -> tuple[ir.Table, Sequence[Count]]:
    """Share of usual products promoted at the usual store, by household, category and week."""
    promotions = _promotions(tables=tables)
    weeks = _whole_weeks(tables=tables)
    panel_weeks = _after_baseline(weeks=weeks, design=design)
    bought = _category_lines(tables=tables, design=design, weeks=weeks)
    usual = _usual_products(
        tables=tables, bought=bought, design=design, weeks=weeks, until=panel_weeks.first
    )
    covered = _covered_store_weeks(promotions=promotions, usual=usual, weeks=panel_weeks)
    known = usual.semi_join(covered, "store_id")
    promoted = _promoted(promotions=promotions, usual=known, weeks=panel_weeks)
    pairs = known.group_by("household_id", "category", "store_id").agg(n_usual=known.count())
    grid = pairs.join(covered, "store_id")
    now = bought.filter(bought.week >= panel_weeks.first)
    spend = now.group_by(*KEYS).agg(spend=cents(now.sales_usd).sum())
    rows = grid.left_join(promoted, KEYS, rname="{name}_of_promoted").left_join(
        spend, KEYS, rname="{name}_of_spend"
    )
    rows = rows.mutate(
        dose=rows.n_promoted.fill_null(0) / rows.n_usual.cast("float64"),
        spend_usd=rows.spend.fill_null(0.0) / CENTS_PER_USD,
    )
    n_all = _number(usual.select("household_id", "category").distinct().count())
    n_known = _number(pairs.count())
    n_lacking = n_known * (panel_weeks.last - panel_weeks.first + 1) - _number(grid.count())
    return rows, (
        ("first_week", panel_weeks.first, "first week of the panel"),
        ("last_week", panel_weeks.last, "last week of the panel"),
        ("n_baseline_weeks", design.baseline_weeks, "weeks before it that tell what is usual"),
        ("n_pairs", n_all, "pairs of a household and a category with usual products"),
        (
            "n_store_without_promotions",
            n_all - n_known,
            "pairs left out: `promotions` has nothing of the usual store",
        ),
        (
            "n_weeks_without_promotions",
            n_lacking,
            "rows left out: `promotions` has nothing of the usual store in the week",
        ),
    )


def _whole_weeks(*, tables: CanonicalTables) -> _Weeks:
    first, last = data_coverage(tables=tables)
    monday = first + dt.timedelta(days=-first.weekday() % DAYS_PER_WEEK)
    n = ((last - monday).days + 1) // DAYS_PER_WEEK
    if n < 1:
        raise TrialError(f"The data must hold a whole week, Monday to Sunday; {first} to {last}.")
    number = ((monday - dt.date(2017, 1, 1)).days + DAY_OF_2017_01_01 + 8) // DAYS_PER_WEEK
    return _Weeks(first=number, last=number + n - 1)


def _after_baseline(*, weeks: _Weeks, design: DoseDesign) -> _Weeks:
    for name in ("baseline_weeks", "usual_weeks"):
        if getattr(design, name) < 1:
            raise TrialError(f"`{name}` must be at least 1, got {getattr(design, name)}.")
    n = weeks.last - weeks.first + 1
    if design.baseline_weeks >= n:
        raise TrialError(
            f"`baseline_weeks` must leave weeks for the panel; the data holds {n} whole weeks, got "
            f"{design.baseline_weeks}. Choose a shorter baseline."
        )
    return _Weeks(first=weeks.first + design.baseline_weeks, last=weeks.last)


def _category_lines(*, tables: CanonicalTables, design: DoseDesign, weeks: _Weeks) -> ir.Table:
    """Merchandise lines of products with a commodity, in whole weeks."""
    products = tables.products.select("product_id", category="commodity").drop_null("category")
    if design.categories is not None:
        products = products.filter(products.category.isin(list(design.categories)))
    lines = tables.transactions.rename(week="week_no")
    lines = lines.filter(lines.is_merchandise, lines.week >= weeks.first, lines.week <= weeks.last)
    return lines.join(products, "product_id")


def _usual_products(
    *, tables: CanonicalTables, bought: ir.Table, design: DoseDesign, weeks: _Weeks, until: int
) -> ir.Table:
    """Find each household's usual products and the one usual store, read at once."""
    base = bought.filter(bought.week < until)
    products = base.group_by("household_id", "category", "product_id").agg(
        weeks=base.week.nunique()
    )
    products = products.filter(products.weeks >= design.usual_weeks).drop("weeks")
    lines = tables.transactions
    lines = lines.filter(lines.is_merchandise, lines.week_no >= weeks.first, lines.week_no < until)
    visits = lines.group_by("household_id", "store_id").agg(days=lines.date.nunique())
    by_visits = ibis.window(
        group_by="household_id", order_by=[ibis.desc("days"), ibis.asc("store_id")]
    )
    ranked = visits.mutate(place=ibis.row_number().over(by_visits))
    stores = ranked.filter(ranked.place == 0).select("household_id", "store_id")
    return ibis.memtable(products.join(stores, "household_id").to_pyarrow())


def _promotions(*, tables: CanonicalTables) -> ir.Table:
    promotions = tables.promotions
    if promotions is None or _number(promotions.limit(1).count()) == 0:
        raise TrialError(
            "`display_mailer_exposure` must have the table `promotions`; this source has none. Set "
            "`source.promotions` to true, or add the publisher's causal_data.csv to the folder."
        )
    return promotions.rename(week="week_no")


def _covered_store_weeks(*, promotions: ir.Table, usual: ir.Table, weeks: _Weeks) -> ir.Table:
    """Usual stores and weeks of which the promotions hold anything, read at once."""
    inside = promotions.filter(promotions.week >= weeks.first, promotions.week <= weeks.last)
    covered = inside.semi_join(usual, "store_id").select("store_id", "week").distinct()
    return ibis.memtable(covered.to_pyarrow())


def _promoted(*, promotions: ir.Table, usual: ir.Table, weeks: _Weeks) -> ir.Table:
    """Count usual products on display or in the mailer; no row where there is none."""
    shown = promotions.filter(
        promotions.week >= weeks.first,
        promotions.week <= weeks.last,
        (promotions.display != NOT_PROMOTED) | (promotions.mailer != NOT_PROMOTED),
    )
    shown = shown.semi_join(usual, ["product_id", "store_id"])
    shown = shown.select("product_id", "store_id", "week").distinct()
    hits = usual.join(shown, ["product_id", "store_id"])
    return hits.group_by(*KEYS).agg(n_promoted=hits.count())


def _number(value: ir.IntegerScalar) -> int:
    return int(value.to_pyarrow().as_py() or 0)


class Dose(Protocol):
    """Computes the rows of a dose and what it left out."""

    def __call__(
        self, *, tables: CanonicalTables, design: DoseDesign
    ) -> tuple[ir.Table, Sequence[Count]]:
        """Return ``DOSE_COLUMNS`` and counts."""
        ...


DOSES: Final[Mapping[str, Dose]] = {
    "discount_depth": discount_depth,
    "display_mailer_exposure": display_mailer_exposure,
}
