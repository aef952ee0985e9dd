"""The campaigns of a simulated world: when, of what type, which arms exclude each other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.tables import LAST_DATE
from promo_uplift.simulation.parameters import SimulationParameters, parsed_date
from promo_uplift.simulation.profile import CampaignFacts, WorldProfile

#: Ids up to here are the publisher's; further arms of a start get the ids after it.
LAST_PUBLISHED_ID: Final = 30


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign, or one arm of a start; days are counted from the world's first.

    Attributes
    ----------
    campaign_id : int
        The original's numbering.
    facts : CampaignFacts
        The real campaign that it is like.
    start, end : date
        First and last day.
    start_day, end_day : int
        The same as days of the world; ``end_day`` may lie beyond its end.
    start_group : int
        Campaigns of one group exclude each other.
    mailed_share : float
        Expected share of households mailed by this arm.
    multiplier : float
        Factor on the effect; 0 for a type without one.
    has_effect : bool
        Whether it is of a type with an effect.
    """

    campaign_id: int
    facts: CampaignFacts
    start: dt.date
    end: dt.date
    start_day: int
    end_day: int
    start_group: int
    mailed_share: float
    multiplier: float
    has_effect: bool


def plan_campaigns(
    *, profile: WorldProfile, parameters: SimulationParameters
) -> tuple[tuple[Campaign, ...], tuple[int, ...]]:
    """Return the campaigns in order of their start, and the ids left out of the calendar.

    A campaign whose list is drawn up on the first day or before it is left out (nothing is known on
    which to mail it), and one that starts after the last.

    Raises
    ------
    SourceError
        If no campaign is left, or none of a type with an effect, or the one to be like is not in
        the profile.
    """
    starts = _starts(profile=profile, parameters=parameters)
    first, n_days = parameters.span.first_day, parameters.span.days
    inside = [
        (facts, start)
        for facts, start in starts
        if lead_days(facts.campaign_type, parameters) < (start - first).days < n_days
    ]
    if not inside:
        raise SourceError(
            f"`simulation.span` must hold the start of a campaign; the {n_days} days from {first} "
            f"hold none of {[str(start) for _, start in starts]}. Move the span or the campaign."
        )
    types = parameters.effect.campaign_types
    if not any(facts.campaign_type in types for facts, _ in inside):
        raise SourceError(
            "`simulation.effect.campaign_types` must hold the type of a campaign of the world; got "
            f"{types}, the world has {sorted({facts.campaign_type for facts, _ in inside})}."
        )
    planned: list[Campaign] = []
    next_id = LAST_PUBLISHED_ID + 1
    for group, (facts, start) in enumerate(sorted(inside, key=lambda p: (p[1], p[0].campaign_id))):
        has_effect = facts.campaign_type in types
        arms = parameters.campaigns.arm_multipliers if has_effect else [0.0]
        share = parameters.campaigns.mailed_share
        share = facts.mailed_share if share is None or not has_effect else share
        end = min(start + dt.timedelta(days=facts.n_days - 1), LAST_DATE)
        for arm, multiplier in enumerate(arms):
            campaign_id = facts.campaign_id if arm == 0 else next_id
            next_id += int(arm > 0)
            planned.append(
                Campaign(
                    campaign_id=campaign_id,
                    facts=facts,
                    start=start,
                    end=end,
                    start_day=(start - first).days,
                    end_day=(end - first).days,
                    start_group=group,
                    mailed_share=share / len(arms),
                    multiplier=multiplier,
                    has_effect=has_effect,
                )
            )
    left_out = {facts.campaign_id for facts, _ in starts} - {c.campaign_id for c in planned}
    return tuple(planned), tuple(sorted(left_out))


def lead_days(campaign_type: str, parameters: SimulationParameters) -> int:
    """Days between the list of a campaign and its start: its lag, or those of anticipation."""
    knobs = parameters.interference
    has_effect = campaign_type in parameters.effect.campaign_types
    anticipated = knobs.anticipation_days if has_effect and knobs.anticipation_usd else 0
    return max(parameters.targeting.list_lag_days, anticipated)


def _starts(
    *, profile: WorldProfile, parameters: SimulationParameters
) -> list[tuple[CampaignFacts, dt.date]]:
    if parameters.campaigns.calendar == "staggered":
        return [(facts, facts.start) for facts in profile.campaigns]
    wanted = parameters.campaigns.single_like
    for facts in profile.campaigns:
        if facts.campaign_id == wanted:
            start = parsed_date("single_start", parameters.campaigns.single_start)
            return [(facts.model_copy(update={"campaign_type": "TypeA"}), start)]
    known = [facts.campaign_id for facts in profile.campaigns]
    raise SourceError(
        f"`simulation.campaigns.single_like` must be a campaign of the profile, one of {known}; "
        f"got {wanted}."
    )
