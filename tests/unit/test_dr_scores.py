"""Doubly robust scores by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.nuisance.scores import dr_scores


def test_scores_equal_the_formula_by_hand():
    nuisances = NuisanceValues(
        propensity=np.array([0.5, 0.25]), mu0=np.array([10.0, 4.0]), mu1=np.array([12.0, 5.0])
    )
    scores = dr_scores(
        treatment=np.array([1, 0]), outcome=np.array([13.0, 1.0]), nuisances=nuisances
    )
    # mailed: 2 + (13 - 12) / .5 = 4; not mailed: 1 - (1 - 4) / .75 = 5
    np.testing.assert_allclose(scores, [4.0, 5.0], rtol=0, atol=1e-12)


def test_redemption_scores_have_the_redemption_rate_as_their_mean():
    rng = np.random.default_rng(0)
    n = 200_000
    propensity = rng.uniform(0.2, 0.8, n)
    treatment = (rng.random(n) < propensity).astype(np.int64)
    redeemed = ((rng.random(n) < 0.15) & (treatment == 1)).astype(float)
    wrong_rate = np.full(n, 0.4)
    scores = dr_scores(
        treatment=treatment,
        outcome=redeemed,
        nuisances=NuisanceValues(propensity, np.zeros(n), wrong_rate),
    )
    # 5 standard errors of this mean
    assert abs(scores.mean() - 0.15) < 5 * scores.std() / np.sqrt(n)


def test_right_propensity_repairs_wrong_outcome_models_and_the_other_way_round():
    rng = np.random.default_rng(1)
    n = 100_000
    x = rng.normal(size=n)
    propensity = 1 / (1 + np.exp(-x))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    outcome = 10 * x + 3 * treatment + rng.normal(size=n)
    right = NuisanceValues(propensity, 10 * x, 10 * x + 3)
    wrong_outcome = NuisanceValues(propensity, np.zeros(n), np.zeros(n))
    wrong_propensity = NuisanceValues(np.full(n, 0.5), right.mu0, right.mu1)
    both_wrong = NuisanceValues(np.full(n, 0.5), np.zeros(n), np.zeros(n))
    for nuisances in (right, wrong_outcome, wrong_propensity):
        scores = dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances)
        assert abs(scores.mean() - 3.0) < 5 * scores.std() / np.sqrt(n)
    biased = dr_scores(treatment=treatment, outcome=outcome, nuisances=both_wrong)
    assert biased.mean() > 5.0


def test_propensity_outside_the_open_interval_is_refused():
    nuisances = NuisanceValues(np.array([0.0, 0.5]), np.zeros(2), np.zeros(2))
    with pytest.raises(LearnerError, match=r"`propensity`.*1 of 2.*\[0\.0\].*Clip"):
        dr_scores(treatment=np.array([1, 0]), outcome=np.zeros(2), nuisances=nuisances)


def test_lengths_that_differ_are_refused():
    nuisances = NuisanceValues(np.array([0.5]), np.zeros(1), np.zeros(1))
    with pytest.raises(LearnerError, match=r"lengths \[1, 2\]"):
        dr_scores(treatment=np.array([1, 0]), outcome=np.zeros(2), nuisances=nuisances)
