"""Our causal forest is the final stage of econml's CausalForestDML on the same residuals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from econml.dml import CausalForestDML
from sklearn.base import BaseEstimator, RegressorMixin

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners.base import model_seed
from promo_uplift.learners.causal_forest import CausalForest, CausalForestParameters

# Same forest, same seed, same residuals: rounding only.
ROUNDING_USD = 1e-9

PARAMETERS = CausalForestParameters(
    n_estimators=40,
    tuning_n_estimators=8,
    min_samples_leaf=10,
    max_samples=0.4,
    max_features=0.8,
    min_balancedness_tol=0.45,
    max_depth=6,
    min_var_fraction_leaf=0.1,
)


class LastColumn(RegressorMixin, BaseEstimator):
    """A nuisance that is given: the control (W) in the position asked for, from the end."""

    def __init__(self, from_end):
        self.from_end = from_end

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, -self.from_end]


def test_cate_and_interval_equal_causal_forest_dml():
    rng = np.random.default_rng(5)
    n = 600
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    propensity = 1 / (1 + np.exp(-covariates["a"].to_numpy()))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0 = 100 + 20 * covariates["a"].to_numpy()
    mu1 = mu0 + 10 * (covariates["b"].to_numpy() > 0)
    outcome = np.where(treatment == 1, mu1, mu0) + rng.normal(0, 10, n)
    nuisances = NuisanceValues(propensity, mu0, mu1)

    ours = CausalForest(PARAMETERS).fit(
        covariates=covariates,
        treatment=treatment,
        outcome=outcome,
        nuisances=nuisances,
        groups=np.arange(n),
        rng=np.random.default_rng(11),
    )
    theirs = CausalForestDML(
        model_y=LastColumn(2),
        model_t=LastColumn(1),
        cv=2,
        n_estimators=PARAMETERS.n_estimators,
        min_samples_leaf=PARAMETERS.min_samples_leaf,
        max_samples=PARAMETERS.max_samples,
        max_features=PARAMETERS.max_features,
        min_balancedness_tol=PARAMETERS.min_balancedness_tol,
        max_depth=PARAMETERS.max_depth,
        min_var_fraction_leaf=PARAMETERS.min_var_fraction_leaf,
        n_jobs=1,
        random_state=model_seed(rng=np.random.default_rng(11)),
    ).fit(
        outcome,
        treatment.astype(float),
        X=covariates.to_numpy(),
        W=np.column_stack([nuisances.outcome_mean, propensity]),
    )
    new = pd.DataFrame(rng.normal(size=(50, 4)), columns=list("abcd"))
    low, high = theirs.effect_interval(new.to_numpy(), T0=0, T1=1, alpha=0.1)

    np.testing.assert_allclose(
        ours.predict_cate(covariates=new), theirs.effect(new.to_numpy()), atol=ROUNDING_USD
    )
    np.testing.assert_allclose(
        ours.predict_interval(covariates=new, level=0.9),
        np.column_stack([low, high]),
        atol=ROUNDING_USD,
    )


def test_the_forest_does_not_depend_on_its_threads():
    rng = np.random.default_rng(6)
    n = 400
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    rows = {
        "covariates": covariates,
        "treatment": rng.integers(0, 2, n),
        "outcome": rng.gamma(2.0, 20.0, n),
        "nuisances": NuisanceValues(np.full(n, 0.5), np.full(n, 40.0), np.full(n, 40.0)),
        "groups": np.arange(n),
    }
    one, three = (
        CausalForest(PARAMETERS.model_copy(update={"n_jobs": n_jobs})).fit(
            **rows, rng=np.random.default_rng(1)
        )
        for n_jobs in (1, 3)
    )
    np.testing.assert_array_equal(
        three.predict_cate(covariates=covariates), one.predict_cate(covariates=covariates)
    )
    np.testing.assert_array_equal(
        three.predict_interval(covariates=covariates, level=0.9),
        one.predict_interval(covariates=covariates, level=0.9),
    )
