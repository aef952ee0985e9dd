"""What a simulated world knows of the real one: aggregates, and no row of it."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from promo_uplift.contracts.results import FloatArray

#: Household traits that the copula joins.
TRAITS: Final = (
    "visits_per_week",
    "usd_per_week",
    "discount_rate",
    "private_share",
    "fuel_per_week",
)
#: What the targeting rule sees of a household when the list is drawn up.
TARGETING_FEATURES: Final = ("log_spend", "log_visits", "mailed_before", "has_demographics")
REDEMPTION_FEATURES: Final = ("log_visits", "discount_rate")


class ProfilePart(BaseModel):
    """Base: unknown keys refused, immutable. Dates are ISO text, so that JSON holds all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProductCell(ProfilePart):
    """Merchandise of one department, commodity and brand.

    ``share`` is of all merchandise lines; ``price_usd`` the mean amount of a line and
    ``price_log_sd`` its spread between products (log scale); ``popularity_log_sd`` the spread of
    lines per product.
    """

    department: str
    commodity: str
    category: str
    brand: Literal["Private", "National"]
    share: float
    price_usd: float
    price_log_sd: float
    popularity_log_sd: float
    n_products: int


class CampaignFacts(ProfilePart):
    """One campaign: calendar, sizes, and the share of its mailed households that redeemed."""

    campaign_id: int
    campaign_type: Literal["TypeA", "TypeB", "TypeC"]
    start_date: str
    end_date: str
    mailed_share: float
    n_coupons: int
    target_sales_share: float
    redemption_share: float
    redemptions_per_redeemer: float

    @property
    def start(self) -> dt.date:
        """First day."""
        return dt.date.fromisoformat(self.start_date)

    @property
    def n_days(self) -> int:
        """Days from the first to the last, both counted."""
        return (dt.date.fromisoformat(self.end_date) - self.start).days + 1


class DemographicShares(ProfilePart):
    """Labels of one demographic with their frequencies; the rest is not stated."""

    labels: list[str]
    shares: list[float]


class WorldProfile(ProfilePart):
    """Aggregates of the real tables that a simulated world is drawn from.

    Attributes
    ----------
    n_households : int
        Households that shop in the real data.
    trait_grids : dict
        Trait -> its quantiles over households, at ``grid_probabilities``.
    trait_correlation : list of list
        Correlation of the traits' normal scores, in the order of ``TRAITS``.
    basket_factor : list of float
        Quantiles of the lines of a basket relative to its household's mean.
    line_price_log_sd : float
        Spread of what lines of the same product cost (log scale).
    category_lines, category_shape : dict
        Category -> share of merchandise lines; shape of the gamma weight that a household gives it.
    products : list of ProductCell
    discount_depth : list of float
        Quantiles of the discount of a discounted line, as a share of its shelf price.
    week_of_year, weekday, hour : list of float
        Relative spend: 53 weeks counted from 1 January and 7 days from Monday, mean
        1; and the frequency of the 24 store-local hours, sum 1.
    weekly_variance, weekly_decay : float
        Variance of a household's weekly visit rate around its mean (relative), and how much of it
        remains a week later.
    store_shares : list of float
        Shares of households by the store that they visit most, largest first.
    home_store_share : float
        Share of baskets bought in that store.
    quantity_shares : list of float
        Shares of lines with 1, 2, 3 ... items.
    fuel_usd : list of float
        Quantiles of a purchase of fuel, USD.
    fuel_price_usd : float
        USD per gallon.
    coupon_usd : list of float
        Quantiles of the discount of a coupon, USD.
    coupon_carrier_share, coupon_match_share : float
        Share of coupons that stand on a line of their own; what the retailer adds, per coupon USD.
    campaigns : list of CampaignFacts
        Ids are the original's.
    targeting : dict
        Campaign type -> slope of the logit of being mailed on each of ``TARGETING_FEATURES``,
        standardised within a campaign.
    redemption : dict
        Slope of the logit of redeeming, given mailed, on ``REDEMPTION_FEATURES``.
    demographics : dict
        Name -> labels and frequencies.
    missing_demographics_share, demographics_slope : float
        Share of households without any, and the slope of the logit of having them on a
        household's standardised log spend.
    """

    n_households: int
    trait_grids: dict[str, list[float]]
    trait_correlation: list[list[float]]
    basket_factor: list[float]
    line_price_log_sd: float
    category_lines: dict[str, float]
    category_shape: dict[str, float]
    products: list[ProductCell] = Field(min_length=1)
    discount_depth: list[float]
    week_of_year: list[float]
    weekday: list[float]
    hour: list[float]
    weekly_variance: float
    weekly_decay: float
    store_shares: list[float]
    home_store_share: float
    quantity_shares: list[float]
    fuel_usd: list[float]
    fuel_price_usd: float
    coupon_usd: list[float]
    coupon_carrier_share: float
    coupon_match_share: float
    campaigns: list[CampaignFacts]
    targeting: dict[str, dict[str, float]]
    redemption: dict[str, float]
    demographics: dict[str, DemographicShares]
    missing_demographics_share: float
    demographics_slope: float

    @model_validator(mode="after")
    def _traits_are_complete(self) -> WorldProfile:
        if absent := [name for name in TRAITS if name not in self.trait_grids]:
            raise ValueError(f"`trait_grids` must hold {list(TRAITS)}; missing: {absent}.")
        return self


def grid_probabilities(n_points: int) -> FloatArray:
    """Probabilities of a grid: midpoints, so that it holds nobody's smallest or largest value."""
    return (np.arange(n_points) + 0.5) / n_points


def quantile_grid(values: FloatArray, n_points: int) -> list[float]:
    """Quantiles at the probabilities of a grid."""
    return [float(v) for v in np.quantile(values, grid_probabilities(n_points))]


def from_grid(grid: list[float], probability: FloatArray) -> FloatArray:
    """Values at the given probabilities, by linear interpolation of a quantile grid."""
    return np.interp(probability, grid_probabilities(len(grid)), grid)
