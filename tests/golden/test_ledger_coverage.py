"""Intervals of the ledger's totals hold the known truth as often as they say."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.policy.campaign_effects import (
    PARTS,
    POST,
    RETAILER_FUNDED,
    SPEND,
    CampaignEffects,
    LedgerParameters,
)
from promo_uplift.policy.ledger import incremental_ledger

WORLDS = 300
#: Four standard errors of a share of 95 % over the worlds.
MONTE_CARLO = 4.0 * np.sqrt(0.05 * 0.95 / WORLDS)
#: USD per mailed household: products on offer, rest of the category, elsewhere, discounts, after.
TRUTH = dict(zip((*PARTS, *RETAILER_FUNDED, POST), (5.0, -2.0, 1.0, 0.8, 0.1, -1.2), strict=True))
MONEY = PolicyParameters(
    margin_rate=0.3,
    contact_cost_usd=0.5,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
PARAMETERS = LedgerParameters(
    level=0.95, margin_basis="shelf", profit_window="effect_and_after", additivity_tolerance=1e-6
)
REVENUE = 5.0 - 2.0 + 1.0
MARGIN = 0.3 * (REVENUE - 1.2) - 0.7 * 0.9
COST = 0.5 + 0.1 * 1.0
TRUE_PER_HOUSEHOLD = {"incremental_revenue": REVENUE, "net_revenue": REVENUE - 1.2}
TRUE_PER_HOUSEHOLD |= {"incremental_margin": MARGIN, "profit": MARGIN - COST}


def campaign(rng, name, households, taste):
    """Changes of spend before to after; what a household likes moves all its outcomes."""
    mailed = rng.random(len(households)) < 0.4
    change = {
        outcome: effect * mailed + rng.normal(0, 4, len(mailed)) + 3.0 * taste[households]
        for outcome, effect in TRUTH.items()
    }
    change[SPEND] = sum(change[part] for part in PARTS)
    effects = {}
    for outcome, y in change.items():
        one, zero = y[mailed].mean(), y[~mailed].mean()
        psi = np.where(mailed, (y - one) / mailed.sum(), -(y - zero) / (~mailed).sum())
        effects[outcome] = Estimate.normal(
            label=Label("panel", "two_by_two", "att", name, outcome),
            value=one - zero,
            se=float(np.sqrt(np.square(psi).sum())),
            level=0.95,
            counts=(len(y), int(mailed.sum()), len(y)),
            influence=pd.Series(psi, index=households),
        )
    n_treated = int(mailed.sum())
    return CampaignEffects(name, effects, n_treated, round(0.1 * n_treated), {})


@pytest.fixture(scope="module")
def coverage():
    rng = np.random.default_rng(23)
    held = []
    for _ in range(WORLDS):
        taste = rng.normal(0, 1, 400)
        campaigns = [
            campaign(rng, "8", np.arange(300), taste),
            campaign(rng, "13", np.arange(100, 400), taste),
        ]
        ledger = incremental_ledger(campaigns=campaigns, money=MONEY, parameters=PARAMETERS)
        row = {}
        for name in ("8", "pooled"):
            for entry, truth in TRUE_PER_HOUSEHOLD.items():
                one = ledger.entries[name, entry]
                total = truth * ledger.n_treated[name]
                row[name, entry] = one.ci_low <= total <= one.ci_high
        held.append(row)
    return pd.DataFrame(held).mean()


@pytest.mark.parametrize("campaign_name", ["8", "pooled"])
@pytest.mark.parametrize("entry", list(TRUE_PER_HOUSEHOLD))
def test_the_interval_of_each_total_holds_the_truth(coverage, campaign_name, entry):
    assert coverage[campaign_name, entry] == pytest.approx(0.95, abs=MONTE_CARLO)
