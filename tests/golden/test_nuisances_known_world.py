"""Nuisances in a world whose propensities and outcomes are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import LearnerParameters, NuisanceParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.deployment import fit_deployment_nuisances

MODEL = LearnerParameters.model_validate(
    {
        "defaults": {
            "n_estimators": 100,
            "learning_rate": 0.05,
            "num_leaves": 6,
            "min_child_samples": 50,
            "reg_lambda": 1.0,
            "colsample_bytree": 1.0,
        }
    }
)
PARAMETERS = NuisanceParameters(
    n_folds=3, propensity_clip=0.02, n_trials=0, timeout_seconds=60.0, model=MODEL
)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(12)
    n = 6_000
    x = rng.normal(size=(n, 3))
    campaign = rng.choice([8, 13], n)
    propensity = 1 / (1 + np.exp(-(x[:, 0] + 0.8 * (campaign == 13) - 0.4)))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0, mu1 = 100 + 20 * x[:, 1], 110 + 20 * x[:, 1]
    rate = 0.1 + 0.2 * (x[:, 2] > 0)
    data = TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=treatment,
        outcome=np.where(treatment == 1, mu1, mu0) + rng.normal(0, 20, n),
        redeemed=((rng.random(n) < rate) & (treatment == 1)).astype(float),
        groups=np.arange(n),
        campaign=campaign,
    )
    fold = rng.permutation(np.arange(n) % 3)
    fitted = cross_fit_nuisances(data=data, fold=fold, parameters=PARAMETERS, seed=1, n_workers=1)
    return data, fold, fitted, propensity, mu0, mu1, rate


def rmse(estimate, truth):
    return float(np.sqrt(np.mean((estimate - truth) ** 2)))


def test_propensities_are_calibrated(world):
    """In each fifth of the predictions, the share mailed is the mean prediction (4 se + .02)."""
    data, _, fitted, *_ = world
    predicted = fitted.held_out().propensity
    fifth = pd.qcut(predicted, 5, labels=False)
    for group in range(5):
        rows = fifth == group
        share = data.treatment[rows].mean()
        error = np.sqrt(share * (1 - share) / rows.sum())
        assert abs(share - predicted[rows].mean()) < 4 * error + 0.02


# Two-sided: below the lower bound a model would know what it was never told. Measured values
# over 5 other seeds: propensity .041-.047, mu0 3.2-3.6, mu1 3.0-3.5 USD, redemption .046-.061.
def test_nuisances_are_near_the_truth_but_not_too_near(world):
    _, _, fitted, propensity, mu0, mu1, rate = world
    held_out = fitted.held_out()
    assert 0.02 < rmse(held_out.propensity, propensity) < 0.06
    assert 1.5 < rmse(held_out.mu0, mu0) < 5.0
    assert 1.5 < rmse(held_out.mu1, mu1) < 5.0
    assert 0.02 < rmse(fitted.redemption_held_out(), rate) < 0.08


def test_columns_that_exclude_two_folds_are_near_the_truth_too(world):
    _, fold, fitted, propensity, *_ = world
    off = fold != 1
    assert 0.02 < rmse(fitted.propensity[off, 1], propensity[off]) < 0.08


def test_deployment_propensity_is_the_average_over_trials(world):
    data, fold, *_ = world
    model = fit_deployment_nuisances(
        data=data, fold=fold, parameters=PARAMETERS, seed=1, n_workers=1
    )
    score = data.covariates["a"].to_numpy()
    truth = np.mean([1 / (1 + np.exp(-(score + shift))) for shift in (-0.4, 0.4)], axis=0)
    assert 0.005 < rmse(model.predict_propensity(covariates=data.covariates), truth) < 0.06
