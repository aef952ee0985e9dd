"""The true value of policies in a simulated world, at the configured money."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.simulation.mailing import store_share
from promo_uplift.simulation.world import World


def true_policy_values(*, world: World, policy: PolicyParameters) -> pd.DataFrame:
    """Value of mailing nobody, everybody, as it was, and as who knows the truth would.

    Per campaign of a type with an effect, over its eligible households, against mailing nobody:
    ``profit = margin_rate * gain - contact_cost - redemption_cost * P(redeems)`` for each mailed
    household, and ``margin_rate`` times what spills over for each other one.

    Returns
    -------
    DataFrame
        ``campaign_id``, ``policy``, ``n_eligible``, ``share_mailed``; ``gain_usd_per_household``
        (spend), ``cost_usd_per_household`` and ``profit_usd_per_household``, each per eligible
        household; the money. ``oracle`` mails who brings a profit, ``oracle_current_share`` as many
        as were mailed, the most profitable first, ``response`` as many, the highest spenders first,
        ``random`` as many by lot. Without a stated cost: no cost, no profit and no money.
    """
    parts = [
        _of_campaign(world=world, place=place, policy=policy)
        for place, campaign in enumerate(world.campaigns)
        if campaign.has_effect
    ]
    values = pd.concat(parts, ignore_index=True)
    if policy.are_stated:
        return values
    money = ("cost_usd", "profit_usd", "margin_rate", "contact_cost", "redemption_cost", "values_")
    return values.drop(columns=[name for name in values if str(name).startswith(money)])


def _of_campaign(*, world: World, place: int, policy: PolicyParameters) -> pd.DataFrame:
    campaign = world.campaigns[place]
    n = len(world.households)
    truth = world.truth.iloc[place * n : (place + 1) * n]
    eligible = truth["is_eligible"].to_numpy()
    alone = (truth["cate_usd"] + truth["spillover_usd"]).to_numpy()
    redeems = truth["redemption_probability"].to_numpy()
    money = policy.expected
    cost = money.contact_cost_usd + money.redemption_cost_usd * redeems
    profit = money.margin_rate * alone - cost
    current = truth["treatment"].to_numpy(dtype=np.float64)
    count = int(current[eligible].sum())
    assignments = {
        "none": np.zeros(n),
        "all": np.ones(n),
        "current": current,
        "random": np.full(n, count / max(int(eligible.sum()), 1)),
        "response": _top(truth["mu0_usd"].to_numpy(), eligible, count),
        "oracle": (profit > 0).astype(np.float64),
        "oracle_current_share": _top(profit, eligible, count),
    }
    spill = world.spillover_usd[place]
    rows = []
    for name, mailed in assignments.items():
        everyone = np.where(eligible, mailed, 0.0)
        others = spill * store_share(world.households.home_store, everyone)
        gain = mailed * alone + (1.0 - mailed) * others
        rows.append(
            {
                "campaign_id": campaign.campaign_id,
                "policy": name,
                "n_eligible": int(eligible.sum()),
                "share_mailed": mailed[eligible].mean(),
                "gain_usd_per_household": gain[eligible].mean(),
                "cost_usd_per_household": (mailed * cost)[eligible].mean(),
                "profit_usd_per_household": (money.margin_rate * gain - mailed * cost)[
                    eligible
                ].mean(),
            }
        )
    return pd.DataFrame(rows).assign(
        margin_rate=money.margin_rate,
        contact_cost_usd=money.contact_cost_usd,
        redemption_cost_usd=money.redemption_cost_usd,
        values_are_assumptions=policy.values_are_assumptions,
    )


def _top(score: FloatArray, eligible: np.ndarray, count: int) -> FloatArray:
    """1 for the ``count`` eligible households with the highest score, else 0."""
    chosen = np.zeros(len(score))
    order = np.argsort(np.where(eligible, -score, np.inf), kind="stable")
    chosen[order[:count]] = 1.0
    return chosen
