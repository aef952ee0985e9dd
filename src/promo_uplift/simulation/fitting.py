"""From the canonical tables of the real data to a profile: aggregates only, no row of it."""

from __future__ import annotations

import ibis.expr.types as ir
import numpy as np

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.simulation.baskets import basket_frame
from promo_uplift.simulation.campaign_fit import (
    campaign_facts,
    demographic_shares,
    logit_slopes,
    mailed_rows,
    redemption_slopes,
    targeting_slopes,
)
from promo_uplift.simulation.parameters import ProfileParameters
from promo_uplift.simulation.profile import WorldProfile
from promo_uplift.simulation.shop_fit import (
    amount_grids,
    calendar_facts,
    category_facts,
    line_facts,
    local_hour_shares,
    product_cells,
    store_facts,
)
from promo_uplift.simulation.standardise import standardised
from promo_uplift.simulation.trait_fit import (
    basket_factor,
    household_traits,
    mean_decay,
    rates_behind,
    trait_grids,
    weekly_drift,
)


def fit_profile(
    *, tables: CanonicalTables, timestamps: ir.Table, parameters: ProfileParameters
) -> WorldProfile:
    """Sum up the real tables into what a simulated world is drawn from.

    Parameters
    ----------
    tables : CanonicalTables
        The canonical tables of the real data; all but ``promotions`` are read.
    timestamps : Table
        The raw transactions with ``transaction_timestamp`` in UTC, for the hours of the day, which
        the canonical tables do not keep.
    parameters : ProfileParameters
        How finely to sum up.

    Returns
    -------
    WorldProfile
        Aggregates: no household, product or basket can be read back from it.

    Raises
    ------
    SourceError
        If there is no campaign with enough history to fit the targeting rule to.
    """
    baskets = basket_frame(tables)
    shopping = baskets[baskets["lines"] > 0]
    first, last = baskets["date"].min(), baskets["date"].max()
    households = household_traits(baskets=shopping, tables=tables, first=first, last=last)
    fuel = baskets.loc[baskets["fuel_usd"] > 0]
    weeks = ((last - first).days + 1) / 7.0
    households["fuel_per_week"] = (
        fuel.groupby("household_id").size().reindex(households.index, fill_value=0) / weeks
    )
    grids, correlation = trait_grids(households=households, points=parameters.grid_points)
    variance, decay = weekly_drift(shopping=shopping, first=first, last=last)
    factor = basket_factor(shopping=shopping, points=parameters.grid_points)
    grids = rates_behind(
        grids=grids,
        counts=households["baskets"].to_numpy(dtype=np.float64),
        basket_cv2=float(np.var(factor)),
        drift=variance * mean_decay(decay, n_weeks=round(weeks)),
    )
    mailed = mailed_rows(tables=tables, shopping=shopping, parameters=parameters)
    lines = line_facts(tables)
    demographics = households["has_demographics"].to_numpy(dtype=np.int64)
    spend = np.log1p(households["spend"].to_numpy(dtype=np.float64))
    return WorldProfile(
        n_households=len(households),
        trait_grids=grids,
        trait_correlation=correlation,
        basket_factor=factor,
        **category_facts(tables),
        products=product_cells(tables=tables, min_share=parameters.min_cell_share),
        **calendar_facts(shopping=shopping, first=first, last=last),
        hour=local_hour_shares(timestamps),
        weekly_variance=variance,
        weekly_decay=decay,
        **store_facts(shopping),
        **lines,
        **amount_grids(tables=tables, points=parameters.grid_points),
        campaigns=campaign_facts(tables=tables, n_households=len(households)),
        targeting=targeting_slopes(mailed),
        redemption=redemption_slopes(tables=tables, mailed=mailed, households=households),
        demographics=demographic_shares(tables),
        missing_demographics_share=float(1.0 - demographics.mean()),
        demographics_slope=logit_slopes(standardised(spend)[:, None], demographics)[0],
    )
