"""What each store changed by: a store study collapsed to one row per store and wave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import Count, OpenShare, Parameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.panel.rank import refuse_rank_deficient
from promo_uplift.sources.store_tables import StoreTables


class StoreStudyAnalysis(Parameters):
    """How a store study is analysed.

    ``base_location`` is the location that the others are held against. ``income_scale`` is what
    incomes are standardised on. The ``anticipation_days`` before a store's start count neither as
    before nor as after; the event study and its test go by ``bin_days``. A wave with fewer than
    ``min_stores`` stores, or fewer that never run the campaign, has no estimate. ``level`` is the
    intervals' confidence.
    """

    base_location: str
    income_scale: Literal["log", "linear"]
    anticipation_days: Annotated[int, Field(ge=0)]
    bin_days: Count
    min_stores: Annotated[int, Field(ge=2)]
    level: OpenShare


@dataclass(frozen=True, slots=True)
class StoreVisits:
    """Visits with the traits that moderate, and the stores' own.

    Attributes
    ----------
    visits : DataFrame
        ``store`` (row of ``stores``), ``date``, ``sales_usd``, ``income_sd`` (standardised over the
        customers, missing where unknown), ``is_after``.
    stores : DataFrame
        ``store_id``, ``campaign_start``, ``size_sd`` (standardised over the stores), ``location``.
    n_without_income : int
        Visits of customers whose income is not known: they take no part in the income slope.
    """

    visits: pd.DataFrame
    stores: pd.DataFrame
    n_without_income: int


def store_visits(tables: StoreTables, analysis: StoreStudyAnalysis) -> StoreVisits:
    """Join the tables and standardise the moderators.

    Raises
    ------
    MetricError
        If no store lies in ``base_location``, or an income has no logarithm.
    """
    locations = sorted(tables.stores["location"].unique())
    if analysis.base_location not in locations:
        raise MetricError(
            f"`base_location` must be one of the stores' {locations}; got "
            f"{analysis.base_location!r}."
        )
    income = tables.customers["income_usd"]
    if analysis.income_scale == "log":
        if broken := int((income <= 0.0).sum()):
            raise MetricError(
                f"`income_usd` of `customer_demographics.csv` must be above 0 on a log scale; "
                f"{broken} are not. Use `income_scale` linear, or leave those incomes empty."
            )
        income = np.log(income)
    by_customer = pd.Series(_standardised(income), index=tables.customers["customer_id"])
    sales = tables.sales
    place = pd.Series(np.arange(len(tables.stores)), index=tables.stores["store_id"])
    visits = pd.DataFrame(
        {
            "store": sales["store_id"].map(place).to_numpy(),
            "date": sales["date"].to_numpy(),
            "sales_usd": sales["sales_usd"].to_numpy(),
            "income_sd": sales["customer_id"].map(by_customer).to_numpy(),
            "is_after": sales["is_after"].to_numpy(),
        }
    )
    stores = tables.stores[["store_id", "campaign_start", "location"]].assign(
        size_sd=_standardised(tables.stores["store_size_sqm"])
    )
    return StoreVisits(visits, stores, int(visits["income_sd"].isna().sum()))


def refuse_without_untreated(found: StoreVisits) -> None:
    """Refuse a study in which every store runs the campaign, naming the columns that coincide.

    Raises
    ------
    MetricError
        If no store has an empty ``campaign_start``.
    """
    stores = found.stores
    starts = stores["campaign_start"]
    if starts.isna().any():
        return
    days = pd.DataFrame({"store": found.visits["store"], "date": found.visits["date"]})
    days = days.drop_duplicates()
    start = starts.to_numpy()[days["store"]]
    treatment = (days["date"].to_numpy() >= start).astype(np.float64)
    post = (days["date"] >= starts.min()).to_numpy(dtype=np.float64)
    traits = {"store_size": stores["size_sd"].to_numpy()[days["store"]]}
    for name in sorted(stores["location"].unique())[1:]:
        traits[f"location_{name}"] = (stores["location"] == name).to_numpy(float)[days["store"]]
    columns = {"constant": np.ones(len(days)), "post": post}
    columns |= {f"post x {name}": post * trait for name, trait in traits.items()}
    columns |= {"treatment": treatment}
    columns |= {f"treatment x {name}": treatment * trait for name, trait in traits.items()}
    first = f"`campaign_start` is filled in for all {len(stores)} stores: there is no untreated "
    first += "group. "
    try:
        refuse_rank_deficient(pd.DataFrame(columns))
    except MetricError as error:
        raise MetricError(
            f"{first}What the campaign did cannot be told from what the season did. Add the sales "
            "of stores that do not run it, with an empty `campaign_start`; "
            "`before_after_association` describes the change without calling it an effect. In the "
            f"regression: {error}"
        ) from error
    raise MetricError(
        f"{first}Stores that start later can stand in only until they start: empty the "
        "`campaign_start` of the last wave and end `sales_after.csv` on the day before it."
    )


def wave_visits(found: StoreVisits, start: pd.Timestamp) -> tuple[pd.DataFrame, FloatArray]:
    """Visits to the stores of one wave and to those that never start, with days since its start.

    Returns the visits with ``rel_day`` and whether each store (row of ``stores``) is of the wave.
    """
    starts = found.stores["campaign_start"]
    of_wave, never = (starts == start).to_numpy(), starts.isna().to_numpy()
    visits = found.visits[(of_wave | never)[found.visits["store"]]]
    return visits.assign(rel_day=(visits["date"] - start).dt.days), of_wave.astype(np.float64)


def mean_by(values: FloatArray, code: IntArray, size: int) -> FloatArray:
    """Mean of the values by code ``(size,)``; NaN where a code has none."""
    count = np.bincount(code, minlength=size)
    total = np.bincount(code, weights=values, minlength=size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def store_changes(*, visits: pd.DataFrame, is_after: np.ndarray, n_stores: int) -> pd.DataFrame:
    """Return what each store's visits changed by from before to after.

    Parameters
    ----------
    visits : DataFrame
        Of :class:`StoreVisits`, only those that count.
    is_after : bool (n,)
        Period of each visit.
    n_stores : int
        Number of stores.

    Returns
    -------
    DataFrame
        A row per store with visits in both periods: ``store``, ``n`` visits, ``n_after``,
        ``change`` (USD per visit), ``change_at_mean_income`` and ``change_of_slope`` (USD per visit
        and standard deviation of income), the last two missing where incomes do not vary in both
        periods.
    """
    code = visits["store"].to_numpy() * 2 + is_after
    amount, size = visits["sales_usd"].to_numpy(), 2 * n_stores
    count = np.bincount(code, minlength=size).reshape(n_stores, 2)
    mean = mean_by(amount, code, size).reshape(n_stores, 2)
    known = visits["income_sd"].notna().to_numpy()
    income, of = visits["income_sd"].to_numpy()[known], code[known]
    centre, level = mean_by(income, of, size), mean_by(amount[known], of, size)
    deviation = income - centre[of]
    spread = np.bincount(of, weights=deviation**2, minlength=size)
    moved = np.bincount(of, weights=deviation * amount[known], minlength=size)
    slope = np.where(spread > 0.0, moved / np.where(spread > 0.0, spread, 1.0), np.nan)
    at_mean = (level - slope * centre).reshape(n_stores, 2)
    slope = slope.reshape(n_stores, 2)
    table = pd.DataFrame(
        {
            "store": np.arange(n_stores),
            "n": count.sum(axis=1),
            "n_after": count[:, 1],
            "change": mean[:, 1] - mean[:, 0],
            "change_at_mean_income": at_mean[:, 1] - at_mean[:, 0],
            "change_of_slope": slope[:, 1] - slope[:, 0],
        }
    )
    return table.loc[pd.Series((count > 0).all(axis=1))].reset_index(drop=True)


def _standardised(values: pd.Series) -> FloatArray:
    """Mean 0 and standard deviation 1 over what is known; zeros where it does not vary."""
    spread = float(values.std(ddof=0))
    centred = (values - values.mean()).to_numpy(dtype=np.float64)
    return centred / spread if spread > 0.0 else centred * 0.0
