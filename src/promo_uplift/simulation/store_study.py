"""The four tables of a store-and-customer campaign study, with the truth known.

Some stores run a campaign from a date of their own, others never do. Sales of a visit are gamma
around ``level + shocks of the day + effect``; the part without the effect moves in parallel in all
stores unless a knob says otherwise, so a difference-in-differences recovers the truth.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.special import expit

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.parameters import Finite, NotNegative, Positive, parsed_date
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.standardise import standardised

LOCATIONS: Final = ("urban", "suburban", "rural")


class StoreStudyParameters(Parameters):
    """A simulated store study.

    ``n_waves`` starts, ``days_between_waves`` apart, the first on ``start_date``; ``treated_share``
    of the stores run the campaign, larger ones more often by ``selection_on_size`` (the slope of
    the logit on standardised size). The effect of a visit is ``effect_usd`` plus the three slopes
    on standardised size, on being urban (against rural; suburban half of it) and on standardised
    income, from the store's start on, reached over ``ramp_days``; ``anticipation_usd`` in the
    ``anticipation_days`` before it; ``spillover_usd`` in the other stores of the location if all
    others there run it. ``trend_gap_usd`` per day breaks parallel trends.
    """

    n_stores: Annotated[int, Field(ge=4)]
    customers_per_store: Count
    visits_per_store_day: Count
    start_date: str
    days_before: Annotated[int, Field(ge=7)]
    days_after: Annotated[int, Field(ge=7)]
    treated_share: OpenShare
    selection_on_size: Finite
    n_waves: Count
    days_between_waves: Count
    visit_usd: Positive
    visit_cv: Positive
    store_sd_usd: NotNegative
    income_slope_usd: Finite
    day_sd_usd: NotNegative
    effect_usd: Finite
    effect_per_size_sd_usd: Finite
    effect_urban_usd: Finite
    effect_per_income_sd_usd: Finite
    ramp_days: Annotated[int, Field(ge=0)]
    anticipation_usd: Finite
    anticipation_days: Annotated[int, Field(ge=0)]
    spillover_usd: Finite
    trend_gap_usd: Finite

    @model_validator(mode="after")
    def _dates_fit(self) -> StoreStudyParameters:
        parsed_date("start_date", self.start_date)
        last = (self.n_waves - 1) * self.days_between_waves
        if last >= self.days_after:
            raise ValueError(
                f"`days_after` must hold the start of every wave; the last of {self.n_waves} waves "
                f"starts after {last} days, `days_after` is {self.days_after}."
            )
        treated = round(self.n_stores * self.treated_share)
        if not self.n_waves <= treated < self.n_stores:
            raise ValueError(
                "`treated_share` must leave a store without the campaign and one for every wave; "
                f"{treated} of {self.n_stores} stores would run it in {self.n_waves} waves."
            )
        return self


@dataclass(frozen=True, slots=True)
class StoreStudy:
    """A store study and its truth.

    Attributes
    ----------
    sales_before, sales_after : DataFrame
        ``date``, ``store_id``, ``customer_id``, ``sales_usd``: a row per visit, before and from the
        first store's start on.
    store_characteristics : DataFrame
        ``store_id``, ``store_size_sqm``, ``location``, ``campaign_start`` (missing: never).
    customer_demographics : DataFrame
        ``customer_id``, ``store_id``, ``income_usd``, ``age_years``, ``household_size``.
    truth : DataFrame
        A row per visit of both tables, in their order: ``date``, ``store_id``, ``customer_id``,
        ``is_treated``, ``effect_usd`` (expected, of what is so far, anticipation included),
        ``mu0_usd``, ``y0_usd``, ``y1_usd``, ``spillover_usd``, ``is_limited``.
    effects : DataFrame
        ``group``, ``level``, ``n_visits``, ``effect_usd``: the mean effect on visits to stores that
        run the campaign, over all and by wave, location, size and income (thirds).
    """

    sales_before: pd.DataFrame
    sales_after: pd.DataFrame
    store_characteristics: pd.DataFrame
    customer_demographics: pd.DataFrame
    truth: pd.DataFrame
    effects: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Stores:
    size: FloatArray
    location: IntArray
    level: FloatArray
    start_day: IntArray
    is_treated: BoolArray


def simulate_store_study(*, parameters: StoreStudyParameters, seed: int) -> StoreStudy:
    """Simulate the four tables of a store-and-customer study, with the truth of each visit.

    Days are counted from the first store's start. Sales are at or above 0; where the effect would
    make the expected sale negative it is limited, marked, and the truth is the limited one.

    Parameters
    ----------
    parameters : StoreStudyParameters
        The knobs; money is in USD per visit.
    seed : int
        Same seed, same tables.
    """
    stores = _stores(parameters, generator(seed, "stores"))
    customers = _customers(parameters, generator(seed, "customers"))
    visits = _visits(stores=stores, customers=customers, parameters=parameters, seed=seed)
    start = parsed_date("start_date", parameters.start_date)
    visits["date"] = pd.to_datetime(start) + pd.to_timedelta(visits["day"], unit="D")
    sales = visits[["date", "store_id", "customer_id", "sales_usd"]]
    is_before = visits["day"] < 0
    truth_columns = [
        "date",
        "store_id",
        "customer_id",
        "is_treated",
        "effect_usd",
        "mu0_usd",
        "y0_usd",
        "y1_usd",
        "spillover_usd",
        "is_limited",
    ]
    return StoreStudy(
        sales_before=sales[is_before].reset_index(drop=True),
        sales_after=sales[~is_before].reset_index(drop=True),
        store_characteristics=_store_table(stores, start),
        customer_demographics=customers,
        truth=visits[truth_columns].reset_index(drop=True),
        effects=_effects(visits),
    )


def _stores(parameters: StoreStudyParameters, rng: np.random.Generator) -> _Stores:
    n = parameters.n_stores
    size = np.exp(rng.normal(7.0, 0.4, n))
    score = expit(parameters.selection_on_size * standardised(size))
    n_treated = round(n * parameters.treated_share)
    chosen = rng.choice(n, size=n_treated, replace=False, p=score / score.sum())
    wave = np.full(n, -1)
    wave[chosen] = rng.permutation(np.arange(n_treated) % parameters.n_waves)
    never = np.iinfo(np.int64).max
    return _Stores(
        size=size,
        location=rng.integers(0, len(LOCATIONS), n),
        level=parameters.visit_usd + parameters.store_sd_usd * rng.standard_normal(n),
        start_day=np.where(wave >= 0, wave * parameters.days_between_waves, never),
        is_treated=wave >= 0,
    )


def _customers(parameters: StoreStudyParameters, rng: np.random.Generator) -> pd.DataFrame:
    n = parameters.n_stores * parameters.customers_per_store
    return pd.DataFrame(
        {
            "customer_id": np.arange(1, n + 1),
            "store_id": np.repeat(
                np.arange(1, parameters.n_stores + 1), parameters.customers_per_store
            ),
            "income_usd": np.round(np.exp(rng.normal(10.9, 0.5, n)), -2),
            "age_years": rng.integers(18, 85, n),
            "household_size": 1 + rng.binomial(4, 0.3, n),
        }
    )


def _visits(
    *,
    stores: _Stores,
    customers: pd.DataFrame,
    parameters: StoreStudyParameters,
    seed: int,
) -> pd.DataFrame:
    rng = generator(seed, "visits")
    n_days = parameters.days_before + parameters.days_after
    shape = (n_days, parameters.n_stores, parameters.visits_per_store_day)
    day = np.broadcast_to(np.arange(n_days)[:, None, None], shape).ravel() - parameters.days_before
    store = np.broadcast_to(np.arange(parameters.n_stores)[None, :, None], shape).ravel()
    customer = store * parameters.customers_per_store + rng.integers(
        0, parameters.customers_per_store, size=len(day)
    )
    income = standardised(np.log(customers["income_usd"].to_numpy(dtype=np.float64)))[customer]
    shock = parameters.day_sd_usd * rng.standard_normal(n_days)
    gap = parameters.trend_gap_usd * day * stores.is_treated[store]
    mean = (
        stores.level[store]
        + parameters.income_slope_usd * income
        + shock[day + parameters.days_before]
        + gap
    )
    mean = np.maximum(mean, 0.01 * parameters.visit_usd)
    spill = _spillover(stores, parameters, store, day)
    wanted = _effect(stores, parameters, store, day, income)
    base = np.maximum(mean + spill, 0.0)
    effect = np.maximum(base + wanted, 0.0) - base
    noise = rng.gamma(1.0 / parameters.visit_cv**2, parameters.visit_cv**2, size=len(day))
    outcome0, outcome1 = base * noise, (base + effect) * noise
    on = stores.is_treated[store]
    return pd.DataFrame(
        {
            "day": day,
            "store_id": store + 1,
            "customer_id": customer + 1,
            "is_treated": on & (day >= stores.start_day[store]),
            "runs_campaign": on,
            "start_day": stores.start_day[store],
            "location": np.array(LOCATIONS)[stores.location[store]],
            "size": stores.size[store],
            "income": income,
            "effect_usd": np.where(on, effect, 0.0),
            "mu0_usd": base,
            "y0_usd": outcome0,
            "y1_usd": np.where(on, outcome1, outcome0),
            "spillover_usd": base - mean,
            "is_limited": on & (base + wanted < 0),
            "sales_usd": np.round(np.where(on, outcome1, outcome0), 2),
        }
    )


def _effect(
    stores: _Stores,
    parameters: StoreStudyParameters,
    store: IntArray,
    day: IntArray,
    income: FloatArray,
) -> FloatArray:
    """Effect on a visit at its day: nothing, anticipation, then the ramp to the full effect."""
    urban = np.array([1.0, 0.5, 0.0])[stores.location[store]]
    full = (
        parameters.effect_usd
        + parameters.effect_per_size_sd_usd * standardised(stores.size)[store]
        + parameters.effect_urban_usd * urban
        + parameters.effect_per_income_sd_usd * income
    )
    since = np.where(
        stores.is_treated[store], day - stores.start_day[store], np.iinfo(np.int64).min
    )
    reached = np.clip((since + 1.0) / (parameters.ramp_days + 1.0), 0.0, 1.0)
    early = (since < 0) & (since >= -parameters.anticipation_days)
    return np.where(since >= 0, full * reached, np.where(early, parameters.anticipation_usd, 0.0))


def _spillover(
    stores: _Stores, parameters: StoreStudyParameters, store: IntArray, day: IntArray
) -> FloatArray:
    """USD that reach a store without a running campaign from the others of its location."""
    if parameters.spillover_usd == 0.0:
        return np.zeros(len(store))
    days = np.arange(day.min(), day.max() + 1)
    running = (days[:, None] >= stores.start_day[None, :]).astype(np.float64)
    same = (stores.location[:, None] == stores.location[None, :]).astype(np.float64)
    np.fill_diagonal(same, 0.0)
    share = running @ same / np.maximum(same.sum(axis=0), 1.0)
    place = day - day.min()
    usd = parameters.spillover_usd * share[place, store]
    return np.where(running[place, store] > 0, 0.0, usd)


def _store_table(stores: _Stores, start: dt.date) -> pd.DataFrame:
    begin = pd.to_datetime(start) + pd.to_timedelta(
        np.where(stores.is_treated, stores.start_day, 0), unit="D"
    )
    return pd.DataFrame(
        {
            "store_id": np.arange(1, len(stores.size) + 1),
            "store_size_sqm": np.round(stores.size, 0),
            "location": np.array(LOCATIONS)[stores.location],
            "campaign_start": pd.Series(begin).where(stores.is_treated),
        }
    )


def _effects(visits: pd.DataFrame) -> pd.DataFrame:
    treated = visits[visits["is_treated"]]
    thirds = ("low", "middle", "high")
    groups: dict[str, pd.Series | str] = {
        "all": "all",
        "start_day": treated["start_day"],
        "location": treated["location"],
        "size": _thirds(treated["size"], thirds),
        "income": _thirds(treated["income"], thirds),
    }
    rows = []
    for name, level in groups.items():
        found = treated.assign(level=level).groupby("level", observed=True)["effect_usd"]
        for key, values in found:
            rows.append(
                {
                    "group": name,
                    "level": str(key),
                    "n_visits": len(values),
                    "effect_usd": float(values.mean()),
                }
            )
    return pd.DataFrame(rows)


def _thirds(values: pd.Series, names: tuple[str, ...]) -> pd.Series:
    return pd.cut(values.rank(pct=True), [0.0, 1 / 3, 2 / 3, 1.0], labels=list(names))
