"""Treatment definitions: which households a campaign's trial counts as treated.

A new definition is one entry here and its name in ``TrialParameters``. A continuous one has no
treated households: ``trials.dose_panel`` computes its dose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Protocol

import ibis.expr.types as ir

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.trials.definitions import Definition

KEYS: Final = ("campaign_id", "household_id")
COUPON_EXPOSURE: Final = "coupon_exposure"


class FindTreated(Protocol):
    """Finds the treated households of every campaign."""

    def __call__(self, *, tables: CanonicalTables, parameters: TrialParameters) -> ir.Table:
        """Distinct ``campaign_id``, ``household_id`` of the treated."""
        ...


@dataclass(frozen=True, slots=True)
class TreatmentDefinition:
    """A definition, and how its treated are found (None where it is a dose)."""

    definition: Definition
    find_treated: FindTreated | None


def campaign_targeted(*, tables: CanonicalTables, parameters: TrialParameters) -> ir.Table:
    """Households that were mailed the campaign (intention to treat), decided before time zero."""
    return tables.campaign_targets.select(*KEYS).distinct()


def coupon_exposure(*, tables: CanonicalTables, parameters: TrialParameters) -> ir.Table:
    """Households that were mailed the campaign, where its coupons cover ``parameters.category``.

    A campaign whose coupons hold no product of the category treats nobody.
    """
    covering = target_products(tables=tables, parameters=parameters).select("campaign_id")
    return tables.campaign_targets.semi_join(covering, "campaign_id").select(*KEYS).distinct()


def campaign_participation(*, tables: CanonicalTables, parameters: TrialParameters) -> ir.Table:
    """Households that bought a product of the campaign's coupons in its first ``outcome_days``.

    Decided after time zero, mailed or not. The days count from the campaign's own start, for a
    placebo too: its arms are the real ones.
    """
    campaigns = tables.campaigns.select("campaign_id", first=tables.campaigns.start_date)
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    bought = lines.select("household_id", "product_id", "date").distinct()
    bought = bought.join(target_products(tables=tables, parameters=parameters), "product_id").join(
        campaigns, "campaign_id"
    )
    since = bought.date.epoch_days() - bought.first.epoch_days()
    return bought.filter(since >= 0, since < parameters.outcome_days).select(*KEYS).distinct()


def target_products(*, tables: CanonicalTables, parameters: TrialParameters) -> ir.Table:
    """Products of each campaign's coupons; for ``coupon_exposure`` those of the category only.

    Returns
    -------
    Table
        Distinct ``campaign_id``, ``product_id``.

    Raises
    ------
    TrialError
        If the category is no commodity of the products.
    """
    covered = tables.coupons.select("campaign_id", "product_id").distinct()
    if parameters.treatment_definition != COUPON_EXPOSURE:
        return covered
    category = str(parameters.category)
    refuse_unknown_categories(tables=tables, categories=[category], field="category")
    products = tables.products.filter(tables.products.commodity == category)
    return covered.semi_join(products, "product_id")


def campaigns_without_coupons(
    *, tables: CanonicalTables, campaigns: Sequence[int], parameters: TrialParameters
) -> dict[int, str]:
    """Campaigns that ``coupon_exposure`` leaves without a treated household, with the reason."""
    if parameters.treatment_definition != COUPON_EXPOSURE:
        return {}
    covering = target_products(tables=tables, parameters=parameters).select("campaign_id")
    known = set(covering.distinct().to_pyarrow().column("campaign_id").to_pylist())
    reason = f"its coupons cover no product of `category` {parameters.category!r}"
    return {one: reason for one in campaigns if one not in known}


def refuse_unknown_categories(
    *, tables: CanonicalTables, categories: list[str], field: str
) -> None:
    """Refuse a category that no product has.

    Raises
    ------
    TrialError
        If one is no commodity of ``products``.
    """
    names = tables.products.select("commodity").distinct().to_pyarrow()
    known = sorted(name for name in names.column("commodity").to_pylist() if name is not None)
    for name in categories:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f" Did you mean one of {near}?" if near else ""
            raise TrialError(
                f"`{field}` must name a commodity of the products; {name!r} is none of the "
                f"{len(known)}.{hint}"
            )


def refuse_continuous(*, parameters: TrialParameters) -> FindTreated:
    """Return how the treated of a binary definition are found; refuse a dose.

    Raises
    ------
    TrialError
        If the definition is continuous.
    """
    chosen = TREATMENT_DEFINITIONS[parameters.treatment_definition]
    if chosen.find_treated is None:
        binary = [name for name, one in TREATMENT_DEFINITIONS.items() if one.find_treated]
        raise TrialError(
            f"`treatment_definition` must have two arms here, one of {binary}; "
            f"{parameters.treatment_definition!r} is a dose per household, category and week. "
            "The panel lens takes it: trials.continuous_dose_panel."
        )
    return chosen.find_treated


TREATMENT_DEFINITIONS: Final[Mapping[str, TreatmentDefinition]] = {
    one.definition.name: one
    for one in (
        TreatmentDefinition(
            Definition(
                name="campaign_targeted",
                kind="binary",
                is_decided_after_time_zero=False,
                outcome="spend_usd",
                sentence="The household is on the campaign's mailing list.",
            ),
            campaign_targeted,
        ),
        TreatmentDefinition(
            Definition(
                name=COUPON_EXPOSURE,
                kind="binary",
                is_decided_after_time_zero=False,
                outcome="target_spend_usd",
                sentence=(
                    "The household is on the mailing list of a campaign whose coupons cover the "
                    "configured category."
                ),
            ),
            coupon_exposure,
        ),
        TreatmentDefinition(
            Definition(
                name="campaign_participation",
                kind="binary",
                is_decided_after_time_zero=True,
                outcome="spend_usd",
                sentence=(
                    "The household bought a product of the campaign's coupons within the outcome "
                    "window, mailed or not."
                ),
            ),
            campaign_participation,
        ),
        TreatmentDefinition(
            Definition(
                name="discount_depth",
                kind="continuous",
                is_decided_after_time_zero=True,
                outcome="spend_usd",
                sentence=(
                    "Share of the list price that the retailer took off what the household bought "
                    "of the category in the week."
                ),
            ),
            None,
        ),
        TreatmentDefinition(
            Definition(
                name="display_mailer_exposure",
                kind="continuous",
                is_decided_after_time_zero=False,
                outcome="spend_usd",
                sentence=(
                    "Share of the household's usual products of the category that were on display "
                    "or in the mailer of its usual store in the week; summed up, exposed weeks."
                ),
            ),
            None,
        ),
    )
}
