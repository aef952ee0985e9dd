"""How often the 95 % interval of the chosen policy's profit holds that policy's true profit.

``python -m benchmarks.policy_profit --replications 100 --csv profit.csv`` draws worlds of spend with
known effects, runs nuisances, learners and the choice of a policy as a run does, and holds each
promised profit against the true profit of the rules that were chosen. Beside it: the profit that the
predictions promise which chose the households (plug-in), and the maximum read off the data that
chose it. ``--first`` continues an earlier draw; ``--read`` joins CSV files into one table.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta, norm

from promo_uplift.benchmark.textbook import spend_trials
from promo_uplift.benchmark.truth import sample_folds, true_share_profit
from promo_uplift.benchmark.worlds import SpendWorld
from promo_uplift.contracts.configuration import base_parameters
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    LearnerParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.metrics import with_expected_random
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.policy import (
    PolicyCandidates,
    PolicyEvaluation,
    PolicyScores,
    evaluate_policy,
    expected_profit,
    policy_scores,
)
from promo_uplift.trials import household_folds
from promo_uplift.tuning import cross_fit_learner, loss_terms

LEVEL, N_FOLDS, REPLICATES = 0.95, 5, 200
#: Compete to become champion, simplest first.
COMPETITORS = ("constant", "linear_dml", "s_learner", "dr_learner")
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.75,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=51,
    support_quantile=0.0,
)
METRICS = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=REPLICATES)
TUNING = TuningParameters.model_validate(
    base_parameters(file="causal_estimation", key="tuning")
    | {"n_trials": 0, "storage": None, "progress": False}
)
#: What all worlds share; a contact pays for itself from an effect of about 3.5 USD on.
SHARED: dict[str, Any] = {
    "kind": "spend",
    "n_households": [1],
    "full": 1,
    "effects": 0,
    "pointwise": 0,
    "effect": "linear",
    "effect_usd": 3.5,
    "n_campaigns": 1,
    "n_covariates": 8,
    "base_usd": 100.0,
    "baseline_spread": 0.8,
    "responding_share": 0.1,
    "log_odds_sd": 0.8,
    "hidden_confounding": 0.0,
    "zero_share": 0.1,
    "log_spend_sd": 0.7,
    "household_share": 0.5,
}
#: name -> (households, knobs).
WORLDS: dict[str, tuple[int, dict[str, Any]]] = {
    "no effect": (4_000, {"effect": "zero"}),
    "one effect for all, at break-even": (4_000, {"effect": "constant"}),
    "one effect for all, pays": (4_000, {"effect": "constant", "effect_usd": 12.0}),
    "differing around break-even": (4_000, {}),
    "differing strongly": (4_000, {"effect": "sign_changing", "effect_usd": 20.0}),
    "few respond": (4_000, {"effect": "sparse", "effect_usd": 5.0}),
    "differing strongly, 3 campaigns each": (
        1_500,
        {"effect": "sign_changing", "effect_usd": 15.0, "n_campaigns": 3},
    ),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A world, drawn: its trials, and the true profit of contacting each row, USD ``(n,)``."""

    data: TrialData
    profit: FloatArray


def draw_world(*, name: str, seed: int) -> Drawn:
    """Trials of a world with redemptions, and the true profit of each contact."""
    n_households, knobs = WORLDS[name]
    world = SpendWorld.model_validate(SHARED | knobs)
    rng = np.random.default_rng(seed)
    data, truth = spend_trials(world=world, n_households=n_households, rng=rng)
    chance = expit(-2.2 + 0.5 * data.covariates["x5"].to_numpy())
    redeemed = (rng.uniform(size=len(chance)) < chance) & (data.treatment == 1)
    return Drawn(
        data=TrialData(
            covariates=data.covariates,
            treatment=data.treatment,
            outcome=data.outcome,
            redeemed=redeemed.astype(np.float64),
            groups=data.groups,
            campaign=data.campaign,
        ),
        profit=expected_profit(cate_usd=truth.cate, redemption=chance, parameters=MONEY),
    )


def _smaller(defaults: dict[str, Any], trees: int) -> LearnerParameters:
    return LearnerParameters(defaults=defaults | {"n_estimators": trees}, search_space={})


def _analysed(
    data: TrialData, seed: int
) -> tuple[CrossFittedNuisances, dict[str, CrossFittedCate]]:
    """Nuisances and learners as a run has them, with fewer trees and without tuning."""
    boosted = base_parameters(file="nuisance_model", key="_nuisance_model")["defaults"]
    nuisance = NuisanceParameters(
        n_folds=N_FOLDS,
        propensity_clip=0.02,
        n_trials=0,
        timeout_seconds=60.0,
        model=_smaller(boosted, 150),
    )
    nuisances = cross_fit_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=N_FOLDS, seed=seed),
        parameters=nuisance,
        seed=seed,
        n_workers=1,
    )
    cross_fitted = {}
    for name in (*COMPETITORS, "response"):
        own = base_parameters(file=f"learners/{name}", key=f"_{name}")
        parameters = LearnerParameters(defaults=own["defaults"], search_space={})
        if "n_estimators" in own["defaults"]:
            parameters = _smaller(own["defaults"], min(60, own["defaults"]["n_estimators"]))
        cross_fitted[name] = cross_fit_learner(
            name=name,
            data=data,
            nuisances=nuisances,
            parameters=parameters,
            tuning=TUNING,
            seed=seed,
            n_workers=1,
        )
    return nuisances, cross_fitted
