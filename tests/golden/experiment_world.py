"""A retailer whose true effects are known, before and after an experiment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData

NOISE_USD = 20.0
REDEEMS = 0.1
#: Break-even: (0.9 + 1.0 x 0.1) / 0.25 = 4 USD.
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.9,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
BREAK_EVEN_USD = 4.0
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
DESIGN = {
    "question": "mailing",
    "control_share": 0.5,
    "unit_cost_usd": 0.0,
    "fixed_cost_usd": 0.0,
    "n_strata": 4,
    "segment": None,
    "min_arm_households": 10,
    "max_waves": 6,
    "days_between_waves": 0,
    "horizon_campaigns": 12,
    "prior_inflation": 1.0,
    "effect_multiples": [0.5, 1.0, 2.0],
    "power_points": 8,
    "max_smd": 0.3,
    "min_joint_p_value": 0.0,
    "max_draws": 100,
    "min_ratio_p_value": 0.001,
    "min_attrition_p_value": 0.01,
    "max_missing_share": 0.05,
}


def design(**changed):
    """Design of the experiment, changed where a test says so."""
    return ExperimentParameters(**(DESIGN | changed))


def past(*, n_households, effect_usd, spread_usd, seed=1, exaggerated=1.0):
    """Trials of the past with true nuisances, true effects, and the effects predicted.

    The true effect is ``effect_usd + spread_usd x``; the predicted one has ``exaggerated`` times
    its spread, so that the slope of the truth on it is ``1 / exaggerated``.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_households, 3))
    x[:, 0] -= x[:, 0].mean()
    treatment = np.arange(n_households) % 2
    mu0 = 50.0 + 10.0 * x[:, 1]
    effect = effect_usd + spread_usd * x[:, 0]
    data = TrialData(
        covariates=pd.DataFrame(x, columns=["spend", "visits", "age"]),
        treatment=treatment,
        outcome=mu0 + treatment * effect + rng.normal(0.0, NOISE_USD, n_households),
        redeemed=treatment * (rng.random(n_households) < REDEEMS).astype(np.float64),
        groups=np.arange(n_households) + 1,
        campaign=np.full(n_households, 8),
    )

    def wide(values):
        return np.repeat(np.asarray(values, dtype=np.float64)[:, np.newaxis], 3, axis=1)

    half = np.full(n_households, 0.5)
    nuisances = CrossFittedNuisances(
        fold=np.zeros(n_households, dtype=np.int64),
        propensity=wide(half),
        mu0=wide(mu0),
        mu1=wide(mu0 + effect),
        redemption=wide(np.full(n_households, REDEEMS)),
        raw_propensity_held_out=half,
        n_clipped=0,
        clip=0.02,
        tuned=pd.DataFrame(),
    )
    predicted = effect_usd + exaggerated * spread_usd * x[:, 0]
    return data, nuisances, effect, predicted


def comes_back(*, assignment, mu0, effect, rng):
    """Outcomes and redemptions of the assigned households, by their true effects."""
    rows = assignment["household_id"].to_numpy() - 1
    mailed = (assignment["arm"] == "mail").to_numpy()
    noise = rng.normal(0.0, NOISE_USD, len(rows))
    return assignment[["wave", "household_id"]].assign(
        outcome=mu0[rows] + mailed * effect[rows] + noise,
        redeemed=mailed * (rng.random(len(rows)) < REDEEMS).astype(int),
    )
