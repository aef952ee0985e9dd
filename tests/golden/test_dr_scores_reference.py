"""Doubly robust scores against EconML's and causalml's on the same nuisances."""

from __future__ import annotations

import numpy as np
import pytest
from econml.dr import DRLearner as EconmlDRLearner
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.nuisance.scores import dr_scores

# Same arithmetic in another order: rounding only.
ROUNDING_USD = 1e-10


class GivenOutcome(RegressorMixin, BaseEstimator):
    """Returns the mu0 or mu1 that stand in columns 1 and 2, by the treatment in the last one."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.where(X[:, -1] == 1, X[:, 2], X[:, 1])


class GivenPropensity(ClassifierMixin, BaseEstimator):
    """Returns the propensity that stands in column 0."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])

    def predict(self, X):  # EconML reports its accuracy
        return (X[:, 0] > 0.5).astype(int)


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps the target that the final stage was given: the scores."""

    def fit(self, X, y):
        self.target_ = np.asarray(y).ravel()
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Column(RegressorMixin, BaseEstimator):
    """Returns one column of the features."""

    def __init__(self, index):
        self.index = index

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, self.index]


@pytest.fixture
def world():
    rng = np.random.default_rng(3)
    n = 400
    propensity = rng.uniform(0.05, 0.95, n)
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0, mu1 = rng.gamma(2, 50, n), rng.gamma(2, 60, n)
    outcome = np.where(treatment == 1, mu1, mu0) + rng.normal(0, 30, n)
    return treatment, outcome, NuisanceValues(propensity, mu0, mu1)


def test_scores_equal_econmls(world):
    treatment, outcome, nuisances = world
    given = np.column_stack([nuisances.propensity, nuisances.mu0, nuisances.mu1])
    theirs = EconmlDRLearner(
        model_propensity=GivenPropensity(),
        model_regression=GivenOutcome(),
        model_final=Recorder(),
        min_propensity=1e-9,
        cv=2,
        random_state=0,
    ).fit(outcome, treatment, X=given)
    np.testing.assert_allclose(
        dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances),
        theirs.model_cate(T=1).target_,
        rtol=0,
        atol=ROUNDING_USD,
    )


def test_scores_equal_causalmls(world):
    metrics = pytest.importorskip("causalml.metrics", reason="no causalml for this Python")
    treatment, outcome, nuisances = world
    theirs = metrics.compute_dr_pseudo_outcomes(
        np.column_stack([nuisances.mu0, nuisances.mu1]),
        treatment,
        outcome,
        p=nuisances.propensity,
        control_outcome_learner=Column(0),
        treatment_outcome_learner=Column(1),
        n_folds=2,
        random_state=0,
    )
    np.testing.assert_allclose(
        dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances),
        theirs,
        rtol=0,
        atol=ROUNDING_USD,
    )
