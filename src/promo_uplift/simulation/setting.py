"""What is fixed before the first day of a simulated world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.simulation.campaigns import Campaign, lead_days, plan_campaigns
from promo_uplift.simulation.catalogue import (
    Catalogue,
    covered_products,
    draw_catalogue,
    stratum_probabilities,
)
from promo_uplift.simulation.effects import household_effects
from promo_uplift.simulation.households import Households, draw_households
from promo_uplift.simulation.parameters import SimulationParameters
from promo_uplift.simulation.profile import WorldProfile
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.rates import seasons

_LITTLE_USD: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Setting:
    """Households, products and campaigns before anything happens.

    Attributes
    ----------
    profile, parameters, seed
        What it was drawn from.
    households, catalogue, campaigns
        Who, what, when.
    covered : tuple of bool (P,)
        Products of each campaign's coupons.
    effect_usd : float64 (H,)
        Effect of a mailing with multiplier 1, USD over the effect's days, before the limit at 0.
    season : float64 (days,)
        Factor on everybody's visits.
    expected_lines : float64 (H,)
        Lines of a basket of mean size.
    stratum_cumulative : float64 (H, 12)
        Running probabilities of the strata of a line.
    target_usd : tuple of float64 (H,)
        Expected spend of a basket on the products of each campaign.
    switch_probability : tuple of float64 (H,)
        Chance that a line of another product becomes one of the campaign's, if mailed.
    unobserved : dict of float64 (H,)
        Start of campaigns -> the trait that nobody records; zeros for a type without an effect.
    """

    profile: WorldProfile
    parameters: SimulationParameters
    seed: int
    households: Households
    catalogue: Catalogue
    campaigns: tuple[Campaign, ...]
    covered: tuple[BoolArray, ...]
    effect_usd: FloatArray
    season: FloatArray
    expected_lines: FloatArray
    stratum_cumulative: FloatArray
    target_usd: tuple[FloatArray, ...]
    switch_probability: tuple[FloatArray, ...]
    unobserved: dict[int, FloatArray]

    @property
    def n(self) -> int:
        """Number of households."""
        return len(self.households)

    def block_slices(self) -> list[slice]:
        """Places of the households of each block."""
        size = self.parameters.block_households
        return [slice(i, min(i + size, self.n)) for i in range(0, self.n, size)]

    def groups(self) -> dict[int, tuple[int, ...]]:
        """Places of the arms of each start."""
        found: dict[int, tuple[int, ...]] = {}
        for place, campaign in enumerate(self.campaigns):
            found[campaign.start_group] = (*found.get(campaign.start_group, ()), place)
        return found

    def decision_day(self, arms: tuple[int, ...]) -> int:
        """Day on which the list is drawn up: the start, or before it."""
        campaign = self.campaigns[arms[0]]
        return campaign.start_day - lead_days(campaign.facts.campaign_type, self.parameters)

    def full_spillover_usd(self, arms: tuple[int, ...]) -> float:
        """USD that reach a household that is not mailed where everyone else in its store is."""
        multiplier = float(np.mean([self.campaigns[arm].multiplier for arm in arms]))
        share = self.parameters.interference.spillover_share
        return share * multiplier * float(self.effect_usd.mean())


def draw_setting(*, profile: WorldProfile, parameters: SimulationParameters, seed: int) -> Setting:
    """Draw households, products and coupons, and plan the campaigns."""
    households = draw_households(profile=profile, parameters=parameters, seed=seed)
    catalogue = draw_catalogue(profile=profile, n_products=parameters.n_products, seed=seed)
    campaigns, _ = plan_campaigns(profile=profile, parameters=parameters)
    chances = stratum_probabilities(households=households, profile=profile)
    price = chances @ catalogue.stratum_mean(catalogue.price_usd)
    covered = tuple(
        covered_products(
            catalogue=catalogue,
            line_share=chances.mean(axis=0)[catalogue.stratum] * catalogue.popularity,
            sales_share=campaign.facts.target_sales_share,
            rng=generator(seed, "coupons", campaign.campaign_id),
        )
        for campaign in campaigns
    )
    target_usd = tuple(
        households.basket_usd
        * (chances @ catalogue.stratum_mean(catalogue.price_usd * one))
        / price
        for one in covered
    )
    return Setting(
        profile=profile,
        parameters=parameters,
        seed=seed,
        households=households,
        catalogue=catalogue,
        campaigns=campaigns,
        covered=covered,
        effect_usd=household_effects(households=households, parameters=parameters.effect),
        season=seasons(profile=profile, parameters=parameters),
        expected_lines=households.basket_usd / price,
        stratum_cumulative=np.cumsum(chances, axis=1),
        target_usd=target_usd,
        switch_probability=tuple(
            _switch_probability(
                households=households, campaign=one, target_usd=usd, parameters=parameters
            )
            for one, usd in zip(campaigns, target_usd, strict=True)
        ),
        unobserved={
            one.start_group: _unobserved(campaign=one, parameters=parameters, seed=seed)
            for one in campaigns
        },
    )


def _switch_probability(
    *,
    households: Households,
    campaign: Campaign,
    target_usd: FloatArray,
    parameters: SimulationParameters,
) -> FloatArray:
    """Chance that moves ``cannibalisation_usd`` at a household's ordinary visits, at most 1."""
    usd = parameters.interference.cannibalisation_usd if campaign.multiplier else 0.0
    visits = households.visits_per_day * parameters.effect.days
    other_usd = visits * (households.basket_usd - target_usd)
    result: FloatArray = np.minimum(usd / np.maximum(other_usd, _LITTLE_USD), 1.0)
    return result


def _unobserved(*, campaign: Campaign, parameters: SimulationParameters, seed: int) -> FloatArray:
    if campaign.facts.campaign_type not in parameters.effect.campaign_types:
        return np.zeros(parameters.n_households)
    rng = generator(seed, "unobserved", campaign.start_group)
    return rng.standard_normal(parameters.n_households)
