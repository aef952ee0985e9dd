"""The states of the world that the truth compares: visit rates with and without each mailing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.mailing import NOT_MAILED, Mailing
from promo_uplift.simulation.purchases import Switch
from promo_uplift.simulation.rates import (
    added_rates,
    mailed_changes,
    ordinary_rates,
    spillover_changes,
)
from promo_uplift.simulation.setting import Setting


@dataclass(frozen=True, slots=True)
class CampaignStates:
    """Rates of one block and stretch of days around one campaign, each ``(rows, days)``.

    Attributes
    ----------
    rate0, rate1 : float64
        If mailed by no arm of the start, and if mailed by this one; all other mailings as they are.
    alone0 : float64
        ``rate0`` without what spills over from others.
    is_limited : bool (rows,)
        Where a rate would have been negative.
    """

    rate0: FloatArray
    rate1: FloatArray
    alone0: FloatArray
    is_limited: BoolArray


@dataclass(frozen=True, slots=True)
class States:
    """Rates of one block and stretch of days.

    Attributes
    ----------
    factual : float64 (rows, days)
        With every mailing as it is.
    campaigns : dict of CampaignStates
        By the place of each campaign whose list was drawn up before.
    """

    factual: FloatArray
    campaigns: dict[int, CampaignStates]

    def envelope(self) -> FloatArray:
        """Largest rate of any state."""
        largest = self.factual
        for one in self.campaigns.values():
            if one.rate0 is not self.factual:
                largest = np.maximum(largest, np.maximum(one.rate0, one.rate1))
        return largest


def rate_states(
    *, setting: Setting, rows: slice, days: IntArray, mailings: list[Mailing]
) -> States:
    """Return the rates of a block in some days, in every state that the truth compares."""
    total = ordinary_rates(
        households=setting.households,
        rows=rows,
        days=days,
        season=setting.season,
        surges=_surges(setting),
    )
    nothing = np.zeros_like(total)
    added = [_added(setting=setting, rows=rows, days=days, mailing=one) for one in mailings]
    own = [
        sum(
            (
                np.where((mailing.assigned[rows] == place)[:, None], rate, 0.0)
                for place, rate in rates.items()
            ),
            nothing,
        )
        for mailing, rates in zip(mailings, added, strict=True)
    ]
    total = sum(own, total)
    factual = np.maximum(total, 0.0)
    untouched = CampaignStates(factual, factual, factual, np.zeros(len(total), dtype=np.bool_))
    campaigns: dict[int, CampaignStates] = {}
    for mailing, rates, part in zip(mailings, added, own, strict=True):
        others = total - part
        free0 = others + rates.get(NOT_MAILED, nothing)
        for place in mailing.campaigns:
            free1 = others + rates.get(place, nothing)
            campaigns[place] = (
                CampaignStates(
                    rate0=np.maximum(free0, 0.0),
                    rate1=np.maximum(free1, 0.0),
                    alone0=np.maximum(others, 0.0),
                    is_limited=np.any(np.minimum(free0, free1) < 0.0, axis=1),
                )
                if rates
                else untouched
            )
    return States(factual=factual, campaigns=campaigns)


def _added(
    *, setting: Setting, rows: slice, days: IntArray, mailing: Mailing
) -> dict[int, FloatArray]:
    """Rates that a start adds in these days: by arm, and ``NOT_MAILED`` for who gets none."""
    parameters = setting.parameters
    changes = {
        place: mailed_changes(
            campaign=setting.campaigns[place],
            effect_usd=setting.effect_usd,
            parameters=parameters,
        )
        for place in mailing.campaigns
    }
    changes[NOT_MAILED] = spillover_changes(
        campaign=setting.campaigns[mailing.campaigns[0]],
        usd=mailing.spillover_usd,
        parameters=parameters,
    )
    found = {
        place: added_rates(
            changes=one, rows=rows, days=days, basket_usd=setting.households.basket_usd
        )
        for place, one in changes.items()
    }
    return {place: rate for place, rate in found.items() if rate is not None}


def _surges(setting: Setting) -> tuple[tuple[int, int, FloatArray], ...]:
    """Factors on visits by the trait that nobody records, around each start with an effect."""
    knobs = setting.parameters.targeting
    sd = knobs.unobserved_confounding * knobs.unobserved_log_rate
    if sd == 0.0:
        return ()
    starts = {one.start_group: one for one in setting.campaigns if one.has_effect}
    return tuple(
        (
            one.start_day - knobs.unobserved_lead_days,
            one.start_day + setting.parameters.outcome_days,
            np.exp(sd * setting.unobserved[group] - sd**2 / 2.0),
        )
        for group, one in starts.items()
    )


def product_switches(
    *, setting: Setting, who: IntArray, day: IntArray, mailings: list[Mailing]
) -> tuple[Switch, ...]:
    """Return where products of a campaign take the place of others, for each basket."""
    switches = []
    for mailing in mailings:
        for place in mailing.campaigns:
            chance = setting.switch_probability[place]
            start = setting.campaigns[place].start_day
            inside = (day >= start) & (day < start + setting.parameters.effect.days)
            inside &= mailing.assigned[who] == place
            if chance.any() and inside.any():
                switches.append(Switch(np.where(inside, chance[who], 0.0), setting.covered[place]))
    return tuple(switches)
