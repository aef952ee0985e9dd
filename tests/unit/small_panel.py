"""A household x week panel by hand: campaigns, coverage, confounded mailing, a known effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.panel import PANEL_COLUMNS, validate_panel

FIRST_WEEK, LAST_WEEK = -6, 5


@dataclass(frozen=True)
class World:
    n_households: int = 120
    n_campaigns: int = 3
    effect: float = 3.0
    trend: float = 0.0
    joins: float = 0.85
    first_week: int = FIRST_WEEK
    last_week: int = LAST_WEEK
    covered_from: tuple[int, ...] = ()


def small_panel(*, seed: int, world: World = World()) -> pd.DataFrame:
    """Panel in which big spenders are mailed more often and the weekly effect is known."""
    rng = np.random.default_rng(seed)
    weeks = np.arange(world.first_week, world.last_week + 1)
    size = rng.gamma(4.0, 8.0, size=world.n_households)
    parts = []
    for campaign in range(world.n_campaigns):
        chosen = np.flatnonzero(rng.random(world.n_households) < world.joins)
        mailed = (rng.random(len(chosen)) < 0.2 + 0.4 * (size[chosen] > 32.0)).astype(int)
        mailed[:2], mailed[2:4] = 1, 0
        shock = rng.normal(0.0, 3.0, size=len(weeks))
        habit = size[chosen] + rng.normal(0.0, 5.0, size=len(chosen))
        spend = habit[:, None] + shock + rng.gamma(2.0, 4.0, size=(len(chosen), len(weeks)))
        spend += mailed[:, None] * (world.effect * (weeks >= 0) + world.trend * weeks)
        parts.append(
            _rows(
                campaign=campaign + 1,
                households=chosen + 100,
                mailed=mailed,
                weeks=weeks,
                spend=np.maximum(spend, 0.0),
                covered_from=world.covered_from[campaign] if world.covered_from else weeks[0],
            )
        )
    return validate_panel(pd.concat(parts, ignore_index=True)[list(PANEL_COLUMNS)])


def _rows(
    *,
    campaign: int,
    households: np.ndarray,
    mailed: np.ndarray,
    weeks: np.ndarray,
    spend: np.ndarray,
    covered_from: int,
) -> pd.DataFrame:
    n, n_weeks = spend.shape
    start = np.datetime64("2017-03-01") + np.timedelta64(28, "D") * campaign
    frame = pd.DataFrame(
        {
            "campaign_id": campaign,
            "campaign_type": "A",
            "household_id": np.repeat(households, n_weeks),
            "rel_week": np.tile(weeks, n),
            "week_start": np.tile(start + weeks * np.timedelta64(7, "D"), n),
            "treatment": np.repeat(mailed, n_weeks),
            "is_covered": np.tile(weeks >= covered_from, n),
            "spend_usd": spend.ravel(),
            "visits": np.round(spend.ravel() / 20.0),
            "units": np.round(spend.ravel() / 5.0),
        }
    )
    for name in PANEL_COLUMNS:
        if name not in frame.columns:
            frame[name] = 0.1 * frame["spend_usd"]
    outcomes = list(PANEL_COLUMNS[PANEL_COLUMNS.index("spend_usd") :])
    frame[outcomes] = frame[outcomes].astype(float)
    frame.loc[~frame["is_covered"], outcomes] = np.nan
    return frame.sample(frac=1.0, random_state=campaign)
