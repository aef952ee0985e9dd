"""Campaigns of the same households one after another, with a known effect in each."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.parameters import (
    AnalysisParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.prospective_parameters import ProspectiveParameters
from promo_uplift.contracts.results import TrialData

TREES = {
    "n_estimators": 12,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 30,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
NOTHING = {"defaults": {}, "search_space": {}}
BOOSTED = {"defaults": TREES, "search_space": {}}
OUTCOME_DAYS = 28
MARGIN, COST_USD = 0.5, 4.0


def settings(**changed):
    values = {
        "nuisance": NuisanceParameters(
            n_folds=3, propensity_clip=0.05, n_trials=0, timeout_seconds=60.0, model=BOOSTED
        ),
        "estimation": EstimationParameters(
            outcome="spend_usd",
            learners={
                "zero": NOTHING,
                "constant": NOTHING,
                "random": NOTHING,
                "response": BOOSTED,
                "t_learner": BOOSTED,
                "linear_dml": {"defaults": {"ridge": 0.01}, "search_space": {}},
            },
            candidates=["linear_dml", "t_learner"],
            selection_loss="dr_loss",
            selection_standard_errors=1.0,
            selection_clearance=1.0,
            n_workers=1,
            interval_replicates=0,
        ),
        "tuning": TuningParameters(
            loss="r_loss",
            n_trials=0,
            timeout_seconds=60.0,
            n_startup_trials=1,
            pruner_warmup_folds=1,
        ),
        "metrics": MetricParameters(uplift_shares=[0.1], level=0.95, bootstrap_replicates=50),
        "policy": PolicyParameters(
            margin_rate=MARGIN,
            contact_cost_usd=COST_USD,
            redemption_cost_usd=0.0,
            values_are_assumptions=False,
            grid_points=41,
            support_quantile=0.0,
        ),
        "checks": default_check_parameters(),
        "wording": WordingParameters(
            unit="USD",
            decimals=2,
            treatment="mailing",
            treated="mailed",
            subject="household",
            subjects="households",
            horizon="in 28 days",
        ),
    }
    return AnalysisParameters(**(values | changed))


def prospective(**changed):
    values = {
        "learners": ["linear_dml"],
        "n_trials": 0,
        "min_training_campaigns": 1,
        "min_training_rows": 100,
        "min_rows": 100,
        "min_arm_rows": 20,
    }
    return ProspectiveParameters(**(values | changed))


def world(*, strengths, n_households=300, seed=0, noise=20.0):
    """Experiments of ``len(strengths)`` campaigns; the effect is the strength times one function.

    A household's own level stays over the campaigns, so that its rows hang together.
    """
    rng = np.random.default_rng(seed)
    n, j = n_households, len(strengths)
    groups = np.tile(np.arange(1, n + 1), j)
    campaign = np.repeat(np.arange(1, j + 1), n)
    lasting = rng.normal(size=(n, 3))
    x = np.tile(lasting, (j, 1)) + 0.3 * rng.normal(size=(n * j, 3))
    effect = np.repeat(np.asarray(strengths, dtype=float), n) * (8.0 + 8.0 * x[:, 0])
    treatment = rng.integers(0, 2, n * j)
    level = np.tile(rng.normal(scale=noise / 2, size=n), j)
    outcome = 50.0 + 10.0 * x[:, 1] + level + treatment * effect
    outcome = outcome + rng.normal(scale=noise, size=n * j)
    data = TrialData(
        covariates=pd.DataFrame(x, columns=["a", "b", "c"]),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(n * j),
        groups=groups,
        campaign=campaign,
        known_propensity=np.full(n * j, 0.5),
    )
    return data, effect


def zeros(n_campaigns, *, days_between=60):
    first = dt.date(2017, 3, 1)
    return {
        1 + place: first + dt.timedelta(days=days_between * place) for place in range(n_campaigns)
    }
