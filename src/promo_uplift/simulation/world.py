"""A world with a known truth: campaigns in the order of their dates, purchases in between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.campaigns import Campaign, plan_campaigns
from promo_uplift.simulation.catalogue import Catalogue
from promo_uplift.simulation.households import Households
from promo_uplift.simulation.mailing import Mailing, draw_mailing
from promo_uplift.simulation.parameters import SimulationParameters
from promo_uplift.simulation.profile import WorldProfile
from promo_uplift.simulation.purchases import (
    Purchases,
    basket_factors,
    draw_arrivals,
    draw_lines,
    joined,
)
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.setting import Setting, draw_setting
from promo_uplift.simulation.states import product_switches, rate_states
from promo_uplift.simulation.truth import (
    TruthSums,
    add_expected,
    add_realised,
    arm_share,
    empty_sums,
    redemption_chances,
    truth_frame,
)


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world before it is written down as tables.

    Attributes
    ----------
    profile, parameters, seed
        What it was drawn from.
    households, catalogue, campaigns
        Who, what, when.
    covered : tuple of bool (P,)
        Products of each campaign's coupons.
    redemption : tuple of float64 (H,)
        Chance that each household redeems a coupon of the campaign if mailed and shopping.
    assigned : tuple of int64 (H,)
        Per campaign 1 where mailed, else 0.
    spillover_usd : tuple of float
        Per campaign, what reaches a household that is not mailed where everyone in its store is.
    blocks : tuple of Purchases
        What happened, by block of households.
    truth : DataFrame
        One row per household and campaign (``docs/simulation.md`` names the columns).
    left_out : tuple of int
        Campaigns of the calendar that the span does not hold.
    """

    profile: WorldProfile
    parameters: SimulationParameters
    seed: int
    households: Households
    catalogue: Catalogue
    campaigns: tuple[Campaign, ...]
    covered: tuple[BoolArray, ...]
    redemption: tuple[FloatArray, ...]
    assigned: tuple[IntArray, ...]
    spillover_usd: tuple[float, ...]
    blocks: tuple[Purchases, ...]
    truth: pd.DataFrame
    left_out: tuple[int, ...]

    def block_rows(self, block: int) -> slice:
        """Places of the households of a block."""
        size = self.parameters.block_households
        return slice(block * size, min((block + 1) * size, len(self.households)))


def build_world(*, profile: WorldProfile, parameters: SimulationParameters, seed: int) -> World:
    """Simulate purchases and mailings of all households, with the truth of every campaign.

    Campaigns are taken in the order in which their lists are drawn up: who is mailed depends on
    what was really bought before, and what is bought afterwards on who was mailed. Every visit is
    drawn at the largest of its rates over the states of the world that the truth compares, so both
    potential outcomes come from the same baskets.

    Parameters
    ----------
    profile : WorldProfile
        Aggregates of the real tables.
    parameters : SimulationParameters
        The knobs.
    seed : int
        Same seed, same world.

    Returns
    -------
    World

    Raises
    ------
    SourceError
        If the span holds no campaign, or the profile not the one to be like.

    References
    ----------
    Lewis, P. A. W. and Shedler, G. S. (1979). Simulation of nonhomogeneous Poisson processes by
    thinning. Naval Research Logistics Quarterly 26(3).
    """
    setting = draw_setting(profile=profile, parameters=parameters, seed=seed)
    agenda = sorted((setting.decision_day(arms), arms) for arms in setting.groups().values())
    borders = sorted({0, parameters.span.days, *(day for day, _ in agenda)})
    mailings: list[Mailing] = []
    parts: list[list[Purchases]] = [[] for _ in setting.block_slices()]
    sums = [empty_sums(setting.n) for _ in setting.campaigns]
    for segment, (first, end) in enumerate(pairwise(borders)):
        for arms in (arms for day, arms in agenda if day == first):
            spend, visits = _bought(
                parts=parts,
                n=setting.n,
                first=first - parameters.targeting.history_days,
                end=first,
            )
            mailings.append(
                draw_mailing(
                    setting=setting, arms=arms, spend_usd=spend, visits=visits, past=mailings
                )
            )
        days = np.arange(first, end, dtype=np.int64)
        for block, rows in enumerate(setting.block_slices()):
            rng = generator(seed, "purchases", segment, block)
            parts[block].append(
                _shop(setting=setting, rows=rows, days=days, mailings=mailings, sums=sums, rng=rng)
            )
    return _world(setting=setting, mailings=mailings, parts=parts, sums=sums)


def _bought(
    *, parts: list[list[Purchases]], n: int, first: int, end: int
) -> tuple[FloatArray, FloatArray]:
    """Merchandise spend (USD) and baskets of each household with ``first <= day < end``."""
    spend, visits = np.zeros(n), np.zeros(n)
    for part in (part for block in parts for part in block):
        inside = (part.day >= first) & (part.day < end)
        if inside.any():
            who = part.household[inside]
            spend += np.bincount(who, weights=part.spend_usd()[inside], minlength=n)
            visits += np.bincount(who, minlength=n)
    return spend, visits


def _shop(
    *,
    setting: Setting,
    rows: slice,
    days: IntArray,
    mailings: list[Mailing],
    sums: list[TruthSums],
    rng: np.random.Generator,
) -> Purchases:
    """Purchases of one block in one stretch of days; adds to the truth of the campaigns in it."""
    states = rate_states(setting=setting, rows=rows, days=days, mailings=mailings)
    arrivals = draw_arrivals(envelope=states.envelope(), rng=rng)
    who, day = rows.start + arrivals.row, days[arrivals.column]
    factors = basket_factors(
        grid=setting.profile.basket_factor,
        parameters=setting.parameters.spend,
        n=len(who),
        rng=rng,
    )
    drawn = draw_lines(
        household=who,
        day=day,
        expected_lines=setting.expected_lines[who] * factors,
        stratum_cumulative=setting.stratum_cumulative[who],
        catalogue=setting.catalogue,
        line_price_log_sd=setting.profile.line_price_log_sd,
        switches=product_switches(setting=setting, who=who, day=day, mailings=mailings),
        rng=rng,
    )
    spend = drawn.spend_usd()
    for place, one in states.campaigns.items():
        add_expected(
            sums=sums[place], setting=setting, place=place, rows=rows, days=days, states=one
        )
        add_realised(
            sums=sums[place],
            setting=setting,
            place=place,
            rows=rows,
            days=days,
            states=one,
            arrivals=arrivals,
            spend_usd=spend,
        )
    return drawn.take(arrivals.happen(states.factual))


def _world(
    *,
    setting: Setting,
    mailings: list[Mailing],
    parts: list[list[Purchases]],
    sums: list[TruthSums],
) -> World:
    parameters = setting.parameters
    _, left_out = plan_campaigns(profile=setting.profile, parameters=parameters)
    mailing_of = {place: mailing for mailing in mailings for place in mailing.campaigns}
    redemption, truth = [], []
    for place, campaign in enumerate(setting.campaigns):
        mailing = mailing_of[place]
        chance = redemption_chances(
            setting=setting,
            campaign=campaign,
            weight=mailing.propensity * arm_share(setting, place, mailing),
        )
        _, visits = _bought(
            parts=parts,
            n=setting.n,
            first=campaign.start_day - parameters.targeting.history_days,
            end=campaign.start_day,
        )
        redemption.append(chance)
        truth.append(
            truth_frame(
                setting=setting,
                place=place,
                mailing=mailing,
                sums=sums[place],
                redemption_chance=chance,
                is_eligible=visits > 0,
            )
        )
    places = range(len(setting.campaigns))
    return World(
        profile=setting.profile,
        parameters=parameters,
        seed=setting.seed,
        households=setting.households,
        catalogue=setting.catalogue,
        campaigns=setting.campaigns,
        covered=setting.covered,
        redemption=tuple(redemption),
        assigned=tuple((mailing_of[p].assigned == p).astype(np.int64) for p in places),
        spillover_usd=tuple(setting.full_spillover_usd(mailing_of[p].campaigns) for p in places),
        blocks=tuple(joined(block) for block in parts),
        truth=pd.concat(truth, ignore_index=True),
        left_out=left_out,
    )
