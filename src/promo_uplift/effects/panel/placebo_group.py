"""An effect between controls parted by lot: how large nothing looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import Contrasts, contrasts
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED, two_by_two_influence
from promo_uplift.effects.panel.window import PanelRules, PanelWindow, valid_panels


@dataclass(frozen=True, slots=True)
class PlaceboDraws:
    """2x2 effects between controls parted by lot, outcome unit per week.

    Attributes
    ----------
    effects, se : float64 (r,)
        Effect and its household-clustered error, by draw; NaN where the lot left an arm empty.
    """

    effects: FloatArray
    se: FloatArray


def placebo_group_table(
    *,
    panels: Sequence[CampaignPanel],
    outcome: str,
    window: PanelWindow,
    rules: PanelRules,
    repeats: int,
    seed: int,
    tail_share: float,
) -> pd.DataFrame:
    r"""Real 2x2 effect in the distribution of effects between controls, by campaign and pooled.

    Each draw gives every household one lot, and mails the controls whose lot is below their
    campaign's share of mailed households, so that a household's campaigns stay together.
    ``p_value`` is the share of draws with at least the real effect's t-statistic in size,
    :math:`(1 + \#) / (1 + r)`: draws have fewer households than the real contrast, which a
    t-statistic allows for; ``p_value_raw`` compares the effects themselves. Figures are in the
    outcome's unit per household over the effect window; ``low`` and ``high`` leave ``tail_share``
    of the draws outside each.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), QJE 119(1) (placebo laws).
    """
    valid = valid_panels(panels=panels, window=window, rules=rules)
    reasons = dict(valid.reasons)
    stack = contrasts(panels=valid.panels, outcome=outcome, window=window) if valid.panels else None
    scale = window.scale(outcome)
    rows = []
    for name in (*(one.campaign for one in panels), POOLED):
        row: dict[str, object] = {"campaign": name, "outcome": outcome}
        if stack is None or name in reasons:
            figures: dict[str, object] = dict.fromkeys(_FIGURES, float("nan"))
            figures |= {"n_draws": 0, "n_undefined": 0}
            rows.append(row | figures | {"reason": reasons.get(name, NO_VALID_CAMPAIGN)})
            continue
        chosen = stack if name == POOLED else stack.only(stack.campaigns.index(name))
        draws = placebo_draws(stack=chosen, repeats=repeats, seed=seed)
        rows.append(row | _row(chosen, draws, scale, tail_share))
    return pd.DataFrame(rows)


_FIGURES = ("estimate", "placebo_mean", "placebo_sd", "low", "high", "p_value", "p_value_raw")


def _row(
    stack: Contrasts, draws: PlaceboDraws, scale: float, tail_share: float
) -> dict[str, object]:
    value, influence = two_by_two_influence(stack)
    n = len(influence)
    se = float(np.sqrt(n / (n - 1) * np.square(influence).sum())) if n > 1 else 0.0
    defined = np.isfinite(draws.effects) & (draws.se > 0.0)
    found, errors = draws.effects[defined], draws.se[defined]
    counts = {"n_draws": len(draws.effects), "n_undefined": int((~defined).sum())}
    if len(found) < 2 or se == 0.0:
        nothing = dict.fromkeys(_FIGURES, float("nan"))
        return nothing | counts | {"reason": "controls_cannot_be_parted"}
    low, high = np.quantile(found, [tail_share, 1.0 - tail_share])
    beyond = (np.abs(found / errors) >= abs(value) / se).sum()
    beyond_raw = (np.abs(found) >= abs(value)).sum()
    return {
        "estimate": scale * value,
        "placebo_mean": scale * float(found.mean()),
        "placebo_sd": scale * float(found.std(ddof=1)),
        "low": scale * float(low),
        "high": scale * float(high),
        "p_value": float((1 + beyond) / (1 + len(found))),
        "p_value_raw": float((1 + beyond_raw) / (1 + len(found))),
        **counts,
        "reason": "",
    }


def placebo_draws(*, stack: Contrasts, repeats: int, seed: int) -> PlaceboDraws:
    """2x2 effects (mailed-weighted over campaigns) between controls parted by lot."""
    n_households = len(stack.households)
    lots = np.random.default_rng(seed).random((n_households, repeats), dtype=np.float32)
    change = stack.change
    share = stack.treated.mean(axis=0) / (stack.treated + stack.control).mean(axis=0)
    total = np.zeros(repeats)
    n_drawn = np.zeros(repeats)
    parts, drawn, part_of_campaign = (np.zeros((n_households, repeats)) for _ in range(3))
    for campaign in range(len(stack.campaigns)):
        rows = np.flatnonzero(stack.control[:, campaign])
        values = change[rows, campaign]
        mailed = (lots[rows] < share[campaign]).astype(np.float64)
        n_mailed = mailed.sum(axis=0)
        n_rest = len(rows) - n_mailed
        sums = values @ mailed
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sums / n_mailed
            mean_rest = (values.sum() - sums) / n_rest
            weight = n_mailed / n_rest
        # a campaign whose lot mails nobody carries no weight; one that mails all has no control
        mean, effect = np.nan_to_num(mean), np.where(n_mailed > 0, mean - mean_rest, 0.0)
        total += n_mailed * effect
        n_drawn += n_mailed
        parts[rows] += mailed * (values[:, None] - mean)
        parts[rows] -= (1.0 - mailed) * (values[:, None] - mean_rest) * weight
        drawn[rows] += mailed
        part_of_campaign[rows] += mailed * effect
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = total / n_drawn
        influence = (parts + part_of_campaign - drawn * pooled) / n_drawn
    present = int((stack.control.sum(axis=1) > 0.0).sum())
    factor = present / (present - 1) if present > 1 else float("nan")
    return PlaceboDraws(pooled, np.sqrt(factor * np.square(influence).sum(axis=0)))
