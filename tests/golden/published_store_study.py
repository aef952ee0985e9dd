"""The data of a published multichannel study, whose every store ran its campaign.

Its generator draws, seed 42, a customer and a sale for each of 50 stores on 30 days before
(N(500, 50)) and 30 after (N(550, 60)), then the stores' traits and the customers': no store is
untreated and nothing depends on a trait.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Its table of the "heterogeneity regression" (README), USD.
PUBLISHED = {
    "intercept": 504.3407,
    "medium": 0.9568,
    "small": 3.1659,
    "suburban": 0.9153,
    "urban": 4.6884,
    "treatment": 16.4147,
    "post_x_urban": -4.2684,
    "post_x_suburban": -1.1532,
}
#: Square metres in place of its three names of a size.
SIZE = {"small": 500.0, "medium": 1000.0, "large": 2000.0}


def published_store_study():
    """Its tables under this project's names of columns, and the names of the sizes by store."""
    # the generator that it used: another one draws other numbers
    draws = np.random.RandomState(42)
    before = _sales(draws, "2019-12-01", 500.0, 50.0)
    after = _sales(draws, "2020-01-01", 550.0, 60.0)
    traits = [
        (draws.choice(["small", "medium", "large"]), draws.choice(["urban", "suburban", "rural"]))
        for _ in range(50)
    ]
    income = []
    for _ in range(1000):
        draws.randint(18, 70)
        draws.choice(["M", "F"])
        income.append(draws.normal(30000.0, 10000.0))
    stores = pd.DataFrame(
        {
            "store_id": np.arange(1, 51),
            "store_size_sqm": [SIZE[size] for size, _ in traits],
            "location": [location for _, location in traits],
            "campaign_start": "2020-01-01",
        }
    )
    customers = pd.DataFrame({"customer_id": np.arange(1, 1001), "income_usd": income})
    return {
        "sales_before": before,
        "sales_after": after,
        "store_characteristics": stores,
        "customer_demographics": customers,
    }


def _sales(draws, first, mean, spread):
    rows = [
        (date, store, draws.randint(1, 1001), draws.normal(mean, spread))
        for date in pd.date_range(first, periods=30)
        for store in range(1, 51)
    ]
    return pd.DataFrame(rows, columns=["date", "store_id", "customer_id", "sales_usd"])
