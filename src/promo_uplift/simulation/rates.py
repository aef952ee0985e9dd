"""Visit rates, and how every intervention changes them: the place where the truth is exact.

Ordinary visits of a household are Poisson with a rate per day. Whatever a mailing does is a change
of that rate, never below 0, so that the expected spend of any window in any state of the world is
a sum of rates times the household's expected basket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.simulation.calendar import weeks_of_year
from promo_uplift.simulation.campaigns import Campaign
from promo_uplift.simulation.households import DAYS_PER_WEEK, Households
from promo_uplift.simulation.parameters import SimulationParameters
from promo_uplift.simulation.profile import WorldProfile


@dataclass(frozen=True, slots=True)
class Change:
    """An amount of spend added to some days.

    Attributes
    ----------
    first_day, end_day : int
        Days of the world with ``first_day <= day < end_day``.
    usd_per_day : float64 (H,)
        Expected spend added per day, before the limit at 0.
    """

    first_day: int
    end_day: int
    usd_per_day: FloatArray


def seasons(*, profile: WorldProfile, parameters: SimulationParameters) -> FloatArray:
    """Factor on every household's visits of each day of the world, ``(days,)``."""
    days = pd.date_range(parameters.span.first_day, periods=parameters.span.days)
    week = np.asarray(profile.week_of_year)[weeks_of_year(days)]
    result: FloatArray = week * np.asarray(profile.weekday)[days.day_of_week]
    return result


def mailed_changes(
    *, campaign: Campaign, effect_usd: FloatArray, parameters: SimulationParameters
) -> tuple[Change, ...]:
    """Return what being mailed changes: anticipation, the effect, forward-buying after it."""
    if campaign.multiplier == 0.0:
        return ()
    knobs = parameters.interference
    effect = campaign.multiplier * effect_usd
    start, after = campaign.start_day, campaign.end_day + 1
    changes = [Change(start, start + parameters.effect.days, effect / parameters.effect.days)]
    if knobs.anticipation_usd != 0.0:
        early = np.full(len(effect), campaign.multiplier * knobs.anticipation_usd)
        changes.append(
            Change(start - knobs.anticipation_days, start, early / knobs.anticipation_days)
        )
    if knobs.forward_buying_share != 0.0:
        missing = -knobs.forward_buying_share * effect / knobs.forward_buying_days
        changes.append(Change(after, after + knobs.forward_buying_days, missing))
    return tuple(changes)


def spillover_changes(
    *, campaign: Campaign, usd: FloatArray, parameters: SimulationParameters
) -> tuple[Change, ...]:
    """Return what the mailing of others changes for a household that is not mailed."""
    if not np.any(usd):
        return ()
    start = campaign.start_day
    days = parameters.effect.days
    return (Change(start, start + days, usd / days),)


def ordinary_rates(
    *,
    households: Households,
    rows: slice,
    days: IntArray,
    season: FloatArray,
    surges: tuple[tuple[int, int, FloatArray], ...],
) -> FloatArray:
    """Baskets per day without any intervention, ``(rows, days)``.

    ``surges`` are factors of single households over ``[first, end)`` days: what nobody records.
    """
    rate = households.visits_per_day[rows, None] * season[days]
    rate = rate * households.drift[rows][:, days // DAYS_PER_WEEK]
    for first, end, factor in surges:
        inside = (days >= first) & (days < end)
        if inside.any():
            rate = np.where(inside, rate * factor[rows, None], rate)
    return rate


def added_rates(
    *, changes: tuple[Change, ...], rows: slice, days: IntArray, basket_usd: FloatArray
) -> FloatArray | None:
    """Baskets per day that the changes add, ``(rows, days)``; None where they touch no such day."""
    total: FloatArray | None = None
    for change in changes:
        inside = (days >= change.first_day) & (days < change.end_day)
        if not inside.any():
            continue
        added = (change.usd_per_day[rows] / basket_usd[rows])[:, None] * inside
        total = added if total is None else total + added
    return total
