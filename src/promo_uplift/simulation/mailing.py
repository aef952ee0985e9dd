"""One start of campaigns: the list that is drawn up, and what it means for those not on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.setting import Setting
from promo_uplift.simulation.targeting import draw_arms, mailing_propensity

NOT_MAILED: Final = -1


@dataclass(frozen=True, slots=True)
class Mailing:
    """Who is mailed by which arm of a start.

    Attributes
    ----------
    campaigns : tuple of int
        Places of the arms in the world's campaigns.
    assigned : int64 (H,)
        Place of the arm that each household is mailed, or ``NOT_MAILED``.
    propensity : float64 (H,)
        P(mailed by any arm).
    spillover_usd : float64 (H,)
        What the others' mailing adds to the spend of a household that is not mailed, before the
        limit at 0.
    """

    campaigns: tuple[int, ...]
    assigned: IntArray
    propensity: FloatArray
    spillover_usd: FloatArray


def draw_mailing(
    *,
    setting: Setting,
    arms: tuple[int, ...],
    spend_usd: FloatArray,
    visits: FloatArray,
    past: list[Mailing],
) -> Mailing:
    """Draw up the list of one start.

    Parameters
    ----------
    setting : Setting
    arms : tuple of int
        Places of the campaigns that start together and exclude each other.
    spend_usd, visits : float64 (H,)
        What each household really bought in the days that the rule sees.
    past : list of Mailing
        Starts whose lists were drawn up before.
    """
    campaign = setting.campaigns[arms[0]]
    shares = np.array([setting.campaigns[arm].mailed_share for arm in arms])
    propensity = mailing_propensity(
        features={
            "log_spend": np.log1p(spend_usd),
            "log_visits": np.log1p(visits),
            "mailed_before": _mailed_before(setting=setting, arms=arms, past=past),
            "has_demographics": setting.households.has_demographics.astype(np.float64),
        },
        slopes=setting.profile.targeting[campaign.facts.campaign_type],
        unobserved=setting.unobserved[campaign.start_group],
        mailed_share=float(shares.sum()),
        parameters=setting.parameters.targeting,
    )
    is_mailed, arm = draw_arms(
        propensity=propensity,
        shares=shares,
        rng=generator(setting.seed, "mailing", campaign.start_group),
    )
    reached = store_share(setting.households.home_store, is_mailed.astype(np.float64))
    return Mailing(
        campaigns=arms,
        assigned=np.where(is_mailed, np.array(arms)[arm], NOT_MAILED),
        propensity=propensity,
        spillover_usd=setting.full_spillover_usd(arms) * reached,
    )


def _mailed_before(*, setting: Setting, arms: tuple[int, ...], past: list[Mailing]) -> FloatArray:
    """1 where a campaign of the same type was mailed in the days that count."""
    campaign = setting.campaigns[arms[0]]
    before = np.zeros(setting.n)
    for mailing in past:
        other = setting.campaigns[mailing.campaigns[0]]
        gap = campaign.start_day - other.start_day
        if (
            0 < gap <= setting.parameters.targeting.repeat_days
            and other.facts.campaign_type == campaign.facts.campaign_type
        ):
            before[mailing.assigned != NOT_MAILED] = 1.0
    return before


def store_share(home_store: IntArray, mailed: FloatArray) -> FloatArray:
    """Share of the households of each household's home store that are mailed, ``(H,)``."""
    total = np.maximum(np.bincount(home_store), 1)
    result: FloatArray = (np.bincount(home_store, weights=mailed) / total)[home_store]
    return result
