"""A randomised world whose best policy is known: the effect depends on one covariate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import (
    MetricParameters,
    PoliciesParameters,
    PolicyParameters,
)
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.policy import ObservedRows, PolicyInputs, build_policies, policy_scores
from promo_uplift.policy.rules import PolicyTraining, PolicyView

K = 4
MONEY = PolicyParameters(
    margin_rate=0.5,
    contact_cost_usd=2.0,
    redemption_cost_usd=1.0,
    values_are_assumptions=False,
    grid_points=21,
    support_quantile=0.0,
)
METRICS = MetricParameters(uplift_shares=[0.1], level=0.95, bootstrap_replicates=200)
REDEEMS = 0.2
#: Rows above this many visits gain 20, the others nothing: profit 7.8 or -2.2 a contact.
THRESHOLD, EFFECT = 12.5, 20.0
BASE = {name: {} for name in ("none", "all", "current", "random", "response")}


def policies(**rules):
    """The baselines and these."""
    return build_policies(
        PoliciesParameters(
            decides="chosen", learner="shown", error_replicates=0, rules=BASE | rules
        )
    )


def world(n_households=1_500, seed=0, noise=6.0):
    """Data with true nuisances; effects that each fold's column predicts with its own error."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_households), 2)
    n = len(groups)
    visits = rng.integers(1, 26, n).astype(float)
    effect = np.where(visits > THRESHOLD, EFFECT, 0.0)
    age = np.where(rng.random(n) < 0.2, np.nan, rng.integers(1, 5, n))
    propensity = 1.0 / (1.0 + np.exp(-(visits - 13.0) / 10.0))
    treatment = rng.binomial(1, propensity).astype(np.int64)
    mu0 = 40.0 + visits
    fold = groups % K

    def wide(values):
        return np.repeat(np.asarray(values, dtype=float)[:, np.newaxis], K, axis=1)

    data = TrialData(
        covariates=pd.DataFrame({"visits": visits, "age": age, "luck": rng.normal(size=n)}),
        treatment=treatment,
        outcome=mu0 + effect * treatment + rng.normal(0.0, noise, n),
        redeemed=treatment * rng.binomial(1, REDEEMS, n).astype(float),
        groups=groups,
        campaign=np.tile([8, 13], n_households),
    )
    nuisances = CrossFittedNuisances(
        fold=fold,
        propensity=wide(propensity),
        mu0=wide(mu0),
        mu1=wide(mu0 + effect),
        redemption=wide(np.full(n, REDEEMS)),
        raw_propensity_held_out=propensity,
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    inputs = PolicyInputs(
        covariates=data.covariates,
        cate=wide(effect) + rng.normal(0.0, 4.0, (n, K)),
        cate_se=wide(np.full(n, 4.0)),
        redemption=nuisances.redemption,
        response=wide(mu0) + rng.normal(0.0, 4.0, (n, K)),
        groups=groups,
        campaign=data.campaign,
        fold=fold,
        treatment=treatment,
    )
    scores = policy_scores(data=data, nuisances=nuisances, parameters=MONEY)
    observed = ObservedRows(
        treatment=treatment, outcome=data.outcome, redeemed=data.redeemed, propensity=propensity
    )
    return inputs, scores, observed, effect


def view(**changed):
    """Six rows of three households in two campaigns."""
    rows = {
        "covariates": pd.DataFrame(
            {"visits": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "age": [1.0, 1.0, 1.0, 2.0, 2.0, np.nan]}
        ),
        "cate": np.array([1.0, 9.0, 3.0, 12.0, 5.0, 30.0]),
        "cate_se": np.full(6, 2.0),
        "redemption": np.array([0.0, 0.5, 0.0, 0.5, 1.0, 1.0]),
        "response": np.arange(6.0),
        "segment": None,
        "groups": np.array([1, 1, 2, 2, 3, 3]),
        "campaign": np.array([8, 13, 8, 13, 8, 13]),
        "population": 6,
    }
    return PolicyView(**(rows | changed))


def training(seen, profit=None, **changed):
    """The rows of a view with profits, as training rows of one fold."""
    n = len(seen)
    profit = np.zeros(n) if profit is None else np.asarray(profit, dtype=float)
    made = PolicyTraining(
        view=seen,
        fold=np.zeros(n, dtype=np.int64),
        profit=profit,
        outcome=profit,
        cost=np.zeros(n),
        money=MONEY,
    )
    return replace(made, **changed)


def contacts(policy, seen, profit=None):
    """Whom a policy contacts of rows that it was fitted on."""
    return policy.fit(training=training(seen, profit), seed=1).contact(view=seen)
