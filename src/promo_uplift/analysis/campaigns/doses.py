"""Discount depth and exposure within household: the two treatments that are no yes or no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from promo_uplift.contracts.campaign_parameters import DoseParameters
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.effects.estimate import estimates_table
from promo_uplift.effects.panel.dose import DOSE_VERSIONS, DoseSettings, dose_effects
from promo_uplift.effects.panel.dose_index import PURCHASE_COLUMNS, price_index
from promo_uplift.features.household_days import CENTS_PER_USD, cents
from promo_uplift.trials.dose_panel import DoseDesign, continuous_dose_panel
from promo_uplift.trials.treatments import refuse_unknown_categories

#: Version of the dose -> the treatment definition that it belongs to.
DEFINITIONS: Final = {
    "price_index": "discount_depth",
    "realised": "discount_depth",
    "exposure": "display_mailer_exposure",
}


@dataclass(frozen=True, slots=True)
class DoseTables:
    """Effects of the doses, and what was counted on the way.

    Attributes
    ----------
    effects : DataFrame
        ``treatment_definition, version, assumption`` and the columns of a table of estimates.
    report : DataFrame
        ``version, quantity, value, meaning``: rows that are in, and left out.
    """

    effects: pd.DataFrame
    report: pd.DataFrame


def dose_tables(*, tables: CanonicalTables, parameters: DoseParameters, level: float) -> DoseTables:
    """Spend against each dose, within household and category, USD per 10 percentage points.

    A source without promotions has no exposure: its row says so.

    Raises
    ------
    TrialError
        If a category is no commodity of the products.
    """
    refuse_unknown_categories(
        tables=tables, categories=parameters.categories, field="campaigns.doses.categories"
    )
    effects, reports = [], []
    for version, definition in DEFINITIONS.items():
        try:
            panel, report = _panel(version, tables, parameters)
        except TrialError as refusal:
            reports.append(
                pd.DataFrame([{"quantity": "refused", "value": 0, "meaning": str(refusal)}]).assign(
                    version=version
                )
            )
            continue
        found = dose_effects(
            panel=panel,
            settings=DoseSettings(
                version=version,
                edges=tuple(parameters.edges),
                min_households=parameters.min_households,
                level=level,
            ),
        )
        table = estimates_table(found.estimates)
        table.insert(0, "assumption", DOSE_VERSIONS[version])
        table.insert(0, "version", version)
        table.insert(0, "treatment_definition", definition)
        effects.append(table)
        reports.append(report.assign(version=version))
    return DoseTables(
        pd.concat(effects, ignore_index=True),
        pd.concat(reports, ignore_index=True)[["version", "quantity", "value", "meaning"]],
    )


def _panel(
    version: str, tables: CanonicalTables, parameters: DoseParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    categories = tuple(parameters.categories)
    if version != "price_index":
        found = continuous_dose_panel(
            tables=tables,
            design=DoseDesign(
                definition="discount_depth" if version == "realised" else "display_mailer_exposure",
                categories=categories,
                baseline_weeks=parameters.baseline_weeks,
                usual_weeks=parameters.usual_weeks,
            ),
        )
        return found.panel, found.report
    index = price_index(
        purchases=category_purchases(tables=tables, categories=categories),
        baseline_weeks=parameters.baseline_weeks,
    )
    report = pd.DataFrame(
        [
            {"quantity": name, "value": value, "meaning": "counted by the price index"}
            for name, value in index.counts.items()
        ]
    )
    return index.panel, report


def category_purchases(*, tables: CanonicalTables, categories: tuple[str, ...]) -> pd.DataFrame:
    """Purchases summed by household, store, category and week, USD; ``PURCHASE_COLUMNS``."""
    products = tables.products.select("product_id", category="commodity")
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    lines = lines.join(products, "product_id")
    lines = lines.filter(lines.category.isin(list(categories)))
    discount = cents(lines.retail_discount_usd + lines.coupon_match_discount_usd)
    spend = cents(lines.sales_usd)
    sums = lines.group_by("household_id", "store_id", "category", week=lines.week_no).agg(
        list_usd=(spend + discount).sum() / CENTS_PER_USD,
        discount_usd=discount.sum() / CENTS_PER_USD,
        spend_usd=spend.sum() / CENTS_PER_USD,
    )
    frame: pd.DataFrame = sums.select(*PURCHASE_COLUMNS).to_pyarrow().to_pandas()
    return frame.sort_values(["household_id", "store_id", "category", "week"], ignore_index=True)
