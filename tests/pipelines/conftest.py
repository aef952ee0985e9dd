"""Each world is estimated once and shared by the tests of all pipelines that read it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from in_memory import COVARIATES, EFFECT_USD, parameters, run, trial_table

from promo_uplift.pipelines import causal_estimation, data_engineering, targeting_policy

AUDIT = {"n_covariates": 3, "n_rows": 2_000, "changed": [], "passed": True}


def decided(*, effect_usd, standing=None):
    """Estimate and decide in one world; every dataset of both pipelines, and the inputs."""
    inputs = {
        "trials": trial_table(effect_usd=effect_usd),
        "placebo_trials": trial_table(effect_usd=0.0, seed=2),
        "covariate_names": COVARIATES,
        "window_audit": AUDIT,
        "data_version": "package-0123456789ab",
        "standing_champion": standing,
        **parameters(),
    }
    prepared = data_engineering.create_pipeline().only_nodes("prepare_trial_data")
    estimated = causal_estimation.create_pipeline()
    policy = targeting_policy.create_pipeline()
    made = run(prepared + estimated + policy, inputs)
    return SimpleNamespace(inputs=inputs, made=made)


@pytest.fixture(scope="session")
def strong():
    """Half of the households respond by 30 USD: targeting them is worth it."""
    return decided(effect_usd=EFFECT_USD)


@pytest.fixture(scope="session")
def nothing():
    """The mailing does nothing to anybody."""
    return decided(effect_usd=0.0)
