"""A small shop in the schema of the publisher's files: clean by itself, to be spoilt by a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

#: The publisher's days of the package's year, and two TypeA campaigns with covered windows.
FIRST_DAY, LAST_DAY = 285, 649
CAMPAIGNS = {5: ("TypeB", 377, 411), 8: ("TypeA", 412, 460), 13: ("TypeA", 504, 551)}
HOUSEHOLDS = np.arange(1, 81)
MAILED = {5: HOUSEHOLDS[:10], 8: HOUSEHOLDS[:40], 13: HOUSEHOLDS[20:60]}
PRODUCTS = np.arange(501, 511)
COUPON_UPC = 10_000_000_000


def small_original() -> dict[str, pd.DataFrame]:
    """Return the tables by the names of their files; without ``causal_data``, which is optional."""
    rng = np.random.default_rng(0)
    targets = pd.concat(
        [
            pd.DataFrame(
                {"DESCRIPTION": CAMPAIGNS[campaign][0], "household_key": who, "CAMPAIGN": campaign}
            )
            for campaign, who in MAILED.items()
        ],
        ignore_index=True,
    )
    return {
        "transaction_data": _transactions(rng),
        "product": pd.DataFrame(
            {
                "PRODUCT_ID": PRODUCTS,
                "MANUFACTURER": 69,
                "DEPARTMENT": "GROCERY",
                "BRAND": "National",
                "COMMODITY_DESC": "SOUP",
                "SUB_COMMODITY_DESC": "CONDENSED SOUP",
                "CURR_SIZE_OF_PRODUCT": "10 OZ",
            }
        ),
        "hh_demographic": pd.DataFrame(
            {
                "AGE_DESC": "35-44",
                "MARITAL_STATUS_CODE": "A",
                "INCOME_DESC": "50-74K",
                "HOMEOWNER_DESC": "Homeowner",
                "HH_COMP_DESC": "2 Adults No Kids",
                "HOUSEHOLD_SIZE_DESC": "2",
                "KID_CATEGORY_DESC": "None/Unknown",
                "household_key": HOUSEHOLDS[::4],
            }
        ),
        "campaign_desc": pd.DataFrame(
            [(kind, campaign, *days) for campaign, (kind, *days) in CAMPAIGNS.items()],
            columns=["DESCRIPTION", "CAMPAIGN", "START_DAY", "END_DAY"],
        ),
        "campaign_table": targets,
        "coupon": pd.DataFrame(
            {
                "COUPON_UPC": [COUPON_UPC + campaign for campaign in CAMPAIGNS for _ in range(2)],
                "PRODUCT_ID": [*PRODUCTS[:2]] * len(CAMPAIGNS),
                "CAMPAIGN": [campaign for campaign in CAMPAIGNS for _ in range(2)],
            }
        ),
        "coupon_redempt": pd.DataFrame(
            {
                "household_key": [int(who[0]) for who in MAILED.values()],
                "DAY": [CAMPAIGNS[campaign][1] + 3 for campaign in MAILED],
                "COUPON_UPC": [COUPON_UPC + campaign for campaign in MAILED],
                "CAMPAIGN": list(MAILED),
            }
        ),
    }


def _transactions(rng: np.random.Generator) -> pd.DataFrame:
    """Return a visit every five days on average, two products each."""
    visits = rng.random((len(HOUSEHOLDS), LAST_DAY - FIRST_DAY + 1)) < 0.2
    visits[:, [0, -1]] = True
    household, day = np.nonzero(visits)
    lines = pd.DataFrame(
        {
            "household_key": np.repeat(HOUSEHOLDS[household], 2),
            "BASKET_ID": np.repeat(np.arange(len(day)) + 26_984_851_472, 2),
            "DAY": np.repeat(day + FIRST_DAY, 2),
            "PRODUCT_ID": (rng.integers(5, size=(len(day), 1)) * 2 + PRODUCTS[:2]).ravel(),
            "QUANTITY": 1,
            "SALES_VALUE": rng.gamma(2.0, 5.0, size=2 * len(day)).round(2),
            "STORE_ID": 364,
            "RETAIL_DISC": -0.5,
            "TRANS_TIME": 1631,
            "COUPON_DISC": 0.0,
            "COUPON_MATCH_DISC": 0.0,
        }
    )
    return lines.assign(WEEK_NO=-(-(lines["DAY"] + 2) // 7))


def write_files(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.csv``."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
