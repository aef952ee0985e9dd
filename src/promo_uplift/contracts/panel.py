"""The household x week panel: what every panel estimator takes."""

from __future__ import annotations

from typing import Final

import pandas as pd

from promo_uplift.contracts.errors import TrialError

#: One row per campaign, eligible household and week around the campaign's start.
PANEL_KEYS: Final = ("campaign_id", "household_id", "rel_week")
#: ``rel_week`` 0 starts on the campaign's first day; ``week_start`` is its first date; a week that
#: the data does not cover whole has ``is_covered`` False and missing outcomes, never zeros.
PANEL_COLUMNS: Final = (
    "campaign_id",
    "campaign_type",
    "household_id",
    "rel_week",
    "week_start",
    "treatment",
    "is_covered",
    "spend_usd",
    "visits",
    "units",
    "target_spend_usd",
    "category_spend_usd",
    "other_spend_usd",
    "retailer_discount_usd",
    "coupon_match_discount_usd",
    "manufacturer_coupon_usd",
)
#: Outcomes that are missing in a week that is not covered. Units hold no fuel and no coupon lines;
#: ``target_spend_usd`` + ``category_spend_usd`` (the rest of the commodities that hold a target
#: product) + ``other_spend_usd`` = ``spend_usd``.
PANEL_OUTCOMES: Final = PANEL_COLUMNS[PANEL_COLUMNS.index("spend_usd") :]


def validate_panel(panel: pd.DataFrame) -> pd.DataFrame:
    """Return ``panel`` if it keeps the contract.

    Raises
    ------
    TrialError
        If a column is missing, a key repeats, the arm of a household changes within a campaign, or
        an outcome is present in a week that the data does not cover, or missing in one that it
        does.
    """
    if lacking := [name for name in PANEL_COLUMNS if name not in panel.columns]:
        raise TrialError(f"`panel` must have the columns {lacking}, found {list(panel.columns)}.")
    keys = panel[list(PANEL_KEYS)]
    if repeated := int(keys.duplicated().sum()):
        raise TrialError(f"`panel` must hold each of {list(PANEL_KEYS)} once; {repeated} repeat.")
    arms = panel.groupby(["campaign_id", "household_id"], sort=False)["treatment"].nunique()
    if mixed := int((arms != 1).sum()):
        raise TrialError(
            f"`treatment` must be one value per household and campaign; {mixed} households change "
            "their arm within a campaign."
        )
    covered = panel["is_covered"].to_numpy(dtype=bool)
    for name in PANEL_OUTCOMES:
        missing = panel[name].isna().to_numpy()
        if invented := int((~missing & ~covered).sum()):
            raise TrialError(
                f"`{name}` must be missing in weeks that the data does not cover; {invented} rows "
                "have a value there. A week without data is not a week without purchases."
            )
        if lost := int((missing & covered).sum()):
            raise TrialError(
                f"`{name}` must be present in covered weeks, {lost} rows lack it; a household "
                "without a purchase has 0."
            )
    return panel
