"""The truth of each campaign: expected and realised spend in the states that it compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import expit

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.campaigns import Campaign
from promo_uplift.simulation.households import bisected
from promo_uplift.simulation.mailing import Mailing
from promo_uplift.simulation.profile import REDEMPTION_FEATURES
from promo_uplift.simulation.purchases import Arrivals
from promo_uplift.simulation.setting import Setting
from promo_uplift.simulation.standardise import standardised
from promo_uplift.simulation.states import CampaignStates

_SUMS: Final = (
    "mu0",
    "mu1",
    "switched1",
    "post0",
    "post1",
    "early0",
    "early1",
    "alone0",
    "active1",
    "y0",
    "y1",
)


@dataclass(frozen=True, slots=True)
class TruthSums:
    """Running sums of one campaign over the days, each ``(H,)``; filled block by block.

    Attributes
    ----------
    usd : dict of float64 (H,)
        Expected spend in the outcome window (``mu0``, ``mu1``), of it what others' spillover did
        not add (``alone0``) and what moved to the campaign's products (``switched1``); in the
        window after the campaign (``post``) and in the days of anticipation (``early``); realised
        spend ``y0``, ``y1``; ``active1`` expected baskets while the campaign runs.
    is_limited : bool (H,)
    """

    usd: dict[str, FloatArray]
    is_limited: BoolArray


def empty_sums(n: int) -> TruthSums:
    """Return sums of nothing for ``n`` households."""
    return TruthSums({name: np.zeros(n) for name in _SUMS}, np.zeros(n, dtype=np.bool_))


def add_expected(
    *,
    sums: TruthSums,
    setting: Setting,
    place: int,
    rows: slice,
    days: IntArray,
    states: CampaignStates,
) -> None:
    """Add the expected spend of these days to the campaign's windows, in place."""
    campaign, parameters = setting.campaigns[place], setting.parameters
    basket = setting.households.basket_usd[rows]
    start, after = campaign.start_day, campaign.end_day + 1
    windows = {
        "outcome": (start, start + parameters.outcome_days),
        "switch": (start, start + min(parameters.outcome_days, parameters.effect.days)),
        "post": (after, after + parameters.post_days),
        "early": (start - parameters.interference.anticipation_days, start),
        "run": (start, after),
    }
    inside = {
        name: ((days >= first) & (days < end)).astype(np.float64)
        for name, (first, end) in windows.items()
    }
    moved = setting.switch_probability[place][rows] * (basket - setting.target_usd[place][rows])
    parts = {
        "mu0": basket * (states.rate0 @ inside["outcome"]),
        "mu1": basket * (states.rate1 @ inside["outcome"]),
        "alone0": basket * (states.alone0 @ inside["outcome"]),
        "switched1": moved * (states.rate1 @ inside["switch"]),
        "post0": basket * (states.rate0 @ inside["post"]),
        "post1": basket * (states.rate1 @ inside["post"]),
        "early0": basket * (states.rate0 @ inside["early"]),
        "early1": basket * (states.rate1 @ inside["early"]),
        "active1": states.rate1 @ inside["run"],
    }
    for name, values in parts.items():
        sums.usd[name][rows] += values
    sums.is_limited[rows] |= states.is_limited


def add_realised(
    *,
    sums: TruthSums,
    setting: Setting,
    place: int,
    rows: slice,
    days: IntArray,
    states: CampaignStates,
    arrivals: Arrivals,
    spend_usd: FloatArray,
) -> None:
    """Add what the drawn baskets come to in both states, in place."""
    start = setting.campaigns[place].start_day
    day = days[arrivals.column]
    inside = (day >= start) & (day < start + setting.parameters.outcome_days)
    if not inside.any():
        return
    for name, rate in (("y0", states.rate0), ("y1", states.rate1)):
        kept = inside & arrivals.happen(rate)
        sums.usd[name][rows] += np.bincount(
            arrivals.row[kept], weights=spend_usd[kept], minlength=rows.stop - rows.start
        )


def truth_frame(
    *,
    setting: Setting,
    place: int,
    mailing: Mailing,
    sums: TruthSums,
    redemption_chance: FloatArray,
    is_eligible: BoolArray,
) -> pd.DataFrame:
    """Truth of one campaign, a row per household; ``docs/simulation.md`` names the columns."""
    campaign, parameters = setting.campaigns[place], setting.parameters
    usd = sums.usd
    cate = usd["mu1"] - usd["mu0"]
    target_share = setting.target_usd[place] / setting.households.basket_usd
    target = cate * target_share + usd["switched1"]
    is_post_covered = campaign.end_day + parameters.post_days < parameters.span.days
    return pd.DataFrame(
        {
            "household_id": setting.households.household_id,
            "campaign_id": np.full(setting.n, campaign.campaign_id, dtype=np.int64),
            "is_eligible": is_eligible,
            "propensity": mailing.propensity * arm_share(setting, place, mailing),
            "treatment": (mailing.assigned == place).astype(np.int64),
            "cate_usd": cate,
            "mu0_usd": usd["mu0"],
            "mu1_usd": usd["mu1"],
            "y0_usd": usd["y0"],
            "y1_usd": usd["y1"],
            "target_cate_usd": target,
            "other_cate_usd": cate - target,
            "post_cate_usd": usd["post1"] - usd["post0"] if is_post_covered else np.nan,
            "anticipation_usd": usd["early1"] - usd["early0"],
            "spillover_usd": usd["mu0"] - usd["alone0"],
            "redemption_probability": redemption_chance * -np.expm1(-usd["active1"]),
            "unobserved": setting.unobserved[campaign.start_group],
            "is_limited": sums.is_limited,
        }
    )


def arm_share(setting: Setting, place: int, mailing: Mailing) -> float:
    """Share of the mailed households of a start that this arm mails."""
    total = sum(setting.campaigns[one].mailed_share for one in mailing.campaigns)
    return setting.campaigns[place].mailed_share / total


def redemption_chances(*, setting: Setting, campaign: Campaign, weight: FloatArray) -> FloatArray:
    """Chance to redeem if mailed and shopping, ``(H,)``; in the mean the real campaign's.

    ``weight (H,)`` is the chance to be mailed: the mean is over the mailed.
    """
    scores = {
        "log_visits": standardised(np.log(setting.households.visits_per_day)),
        "discount_rate": standardised(setting.households.discount_rate),
    }
    score = sum(
        (setting.profile.redemption[name] * scores[name] for name in REDEMPTION_FEATURES),
        np.zeros(setting.n),
    )
    share = campaign.facts.redemption_share
    if share <= 0.0 or weight.sum() == 0.0:
        return np.zeros(setting.n)
    base = bisected(
        mean=share,
        probability_at=lambda shift: float(np.average(expit(shift + score), weights=weight)),
    )
    result: FloatArray = expit(base + score)
    return result
