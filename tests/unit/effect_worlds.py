"""Synthetic results of realistic size for the figures of effects."""

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.policy.campaign_effects import (
    MANUFACTURER_FUNDED,
    PARTS,
    POST,
    RETAILER_FUNDED,
    SPEND,
    CampaignEffects,
    LedgerParameters,
)
from promo_uplift.policy.ledger import incremental_ledger
from promo_uplift.policy.rejection import RejectionRules, campaign_decisions

WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 4 weeks",
)
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.5,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
CAMPAIGNS = {"30": 344, "8": 1075, "13": 1076, "18": 1132}
LENSES = (
    ("panel", "two_by_two"),
    ("panel", "twfe"),
    ("panel", "callaway_santanna"),
    ("cross_section", "naive"),
    ("cross_section", "ols"),
    ("cross_section", "ipw"),
    ("cross_section", "aipw"),
    ("matching", "nearest_neighbour"),
)


def lens_table():
    rng = np.random.default_rng(5)
    found = []
    for campaign in (*CAMPAIGNS, "pooled"):
        for lens, estimator in LENSES:
            label = Label(lens, estimator, "att", campaign, "spend_usd")
            if campaign == "30" and lens == "matching":
                reason = "41 of 344 mailed households found a match within the caliper of 0.25 SD"
                found.append(Estimate.none(label=label, reason=reason))
                continue
            value = 128.0 if estimator == "naive" else rng.normal(3, 4)
            se = 4.0 if campaign == "pooled" else rng.uniform(5, 10)
            found.append(
                Estimate.normal(
                    label=label, value=value, se=se, level=0.95, counts=(2300, 1000, 2300)
                )
            )
    return estimates_table(found)


def event_study():
    rng = np.random.default_rng(1)
    weeks = np.r_[-8:-1, 0:8]
    estimate = np.where(weeks >= 0, 2.5 * np.exp(-0.2 * weeks), 0.0) + rng.normal(0, 0.7, 15)
    return pd.DataFrame(
        {
            "rel_week": weeks,
            "estimate": estimate,
            "ci_low": estimate - 1.8,
            "ci_high": estimate + 1.8,
            "band_low": estimate - 2.7,
            "band_high": estimate + 2.7,
        }
    )


def balance():
    rng = np.random.default_rng(2)
    names = [f"pre_{name}" for name in (
        "visits", "spend_usd", "baskets", "active_last_12w", "days_since_last_campaign_of_type_a",
        "recency_days", "discount_rate", "private_label_share", "n_departments", "items_per_basket",
        "coupon_saving_share", "purchase_regularity", "tenure_days", "redemptions", "age_code",
        "income_code", "demo_missing", "display_share",
    )]  # fmt: skip
    before = np.linspace(1.3, 0.02, len(names)) * rng.choice([-1, 1], len(names))
    parts = [
        pd.DataFrame({"covariate": names, "method": method, "smd": before * scale + noise})
        for method, scale, noise in (
            ("unweighted", 1.0, 0.0),
            ("ipw_att", 0.1, rng.normal(0, 0.03, len(names))),
            ("matched", 0.05, rng.normal(0, 0.05, len(names))),
        )
    ]
    return pd.concat(parts, ignore_index=True)


def trimming():
    trims = np.arange(0, 0.26, 0.025)
    parts = []
    for estimand, level in (("ate", 6.0), ("att", 3.0)):
        estimate = level + 10 * trims * (1 if estimand == "att" else -1)
        half = 20 - 40 * trims
        parts.append(
            pd.DataFrame(
                {
                    "trim": trims,
                    "share_kept": 1 - 2.6 * trims,
                    "estimand": estimand,
                    "estimate": estimate,
                    "ci_low": estimate - half,
                    "ci_high": estimate + half,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def bacon():
    rng = np.random.default_rng(3)
    kinds = {
        "treated_vs_never": (4, 0.15),
        "earlier_vs_later": (6, 0.04),
        "later_vs_earlier": (6, 0.027),
    }
    rows = [
        {"comparison": kind, "weight": weight * rng.uniform(0.6, 1.4), "estimate": rng.normal(1, 2)}
        for kind, (count, weight) in kinds.items()
        for _ in range(count)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(weight=frame["weight"] / frame["weight"].sum())


def honest():
    m = np.arange(0, 2.01, 0.25)
    return pd.DataFrame({"m": m, "ci_low": 1.6 - 3.1 * m, "ci_high": 9.4 + 3.1 * m})


def standard_errors():
    return pd.DataFrame(
        {
            "error": ["household", "hc1", "hc3", "household_and_week", "wild_cluster_bootstrap"],
            "se": [5.1, 4.2, 4.25, 6.4, np.nan],
            "reason": ["", "", "", "", "4 clusters are too few"],
        }
    )


def ledger_and_decisions(*, money=MONEY, lost_after="18"):
    rng = np.random.default_rng(8)
    outcomes = (*PARTS, *RETAILER_FUNDED, MANUFACTURER_FUNDED, POST)
    spread = (2.0, 1.2, 4.5, 0.8, 0.1, 0.2, 4.0)
    means = {"30": 0.4, "8": 2.5, "13": 1.0, "18": -1.0}
    campaigns = []
    for name, n_treated in CAMPAIGNS.items():
        size = 2300
        psi = {
            o: rng.normal(0, s / np.sqrt(size), size) for o, s in zip(outcomes, spread, strict=True)
        }
        value = dict(
            zip(outcomes, means[name] * np.array([4, -1.5, 2, 0.7, 0.1, 0.2, -1.2]), strict=True)
        )
        psi[SPEND] = sum(psi[o] for o in PARTS)
        value[SPEND] = sum(value[o] for o in PARTS)
        effects = {}
        for outcome, influence in psi.items():
            label = Label("panel", "two_by_two", "att", name, outcome)
            if name == lost_after and outcome == POST:
                effects[outcome] = Estimate.none(label=label, reason="7 of 28 days are covered")
                continue
            effects[outcome] = Estimate.normal(
                label=label,
                value=float(value[outcome]),
                se=float(np.sqrt(np.square(influence).sum())),
                level=0.95,
                counts=(size, n_treated, size),
                influence=pd.Series(influence),
            )
        campaigns.append(CampaignEffects(name, effects, n_treated, n_treated // 6, {}))
    parameters = LedgerParameters(0.95, "revenue", "effect", 1e-6)
    ledger = incremental_ledger(campaigns=campaigns, money=money, parameters=parameters)
    rules = RejectionRules(0.10, 0.0, 0.05, "bh", 0.95, 0.8)
    return ledger, campaign_decisions(ledger=ledger, rules=rules)
