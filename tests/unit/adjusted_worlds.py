"""Small tables of trials with a known effect, for the cross-section and matching lens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects.adjusted import RegressionRules, pooled_sample

RULES = RegressionRules(rank_tolerance=1e-7, rows_per_column=5.0)
OVERLAP = (0.1, 0.9)
LEVEL = 0.95


def confounded(*, n_households=200, seed=0, slope=0.0, effect=5.0, noise=10.0):
    """Two campaigns per household: the rich are mailed more, spend more, respond by ``slope``.

    Returns the trials, the true nuisances and each row's true effect.
    """
    rng = np.random.default_rng(seed)
    n = 2 * n_households
    groups = np.repeat(np.arange(n_households), 2)
    a = np.repeat(rng.normal(size=n_households), 2) * 0.8 + 0.6 * rng.normal(size=n)
    b = rng.normal(size=n)
    e = 1.0 / (1.0 + np.exp(-(0.9 * a - 0.4 * b - 0.3)))
    treatment = rng.binomial(1, e)
    mu0 = 50.0 + 15.0 * a + 5.0 * b
    cate = effect + slope * a
    shared = np.repeat(rng.normal(0.0, noise / 2.0, n_households), 2)
    outcome = mu0 + cate * treatment + shared + rng.normal(0.0, noise, n)
    data = TrialData(
        covariates=pd.DataFrame({"a": a, "b": b}),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(n),
        groups=groups,
        campaign=np.tile([8, 13], n_households),
    )
    return data, NuisanceValues(e, mu0, mu0 + cate), cate


def sample_of(data, nuisances, raw=None):
    return pooled_sample(
        data=data,
        nuisances=nuisances,
        raw_propensity=nuisances.propensity if raw is None else raw,
        outcome_name="spend_usd",
        level=LEVEL,
    )


def by_name(effects):
    """Effects by (estimator, estimand)."""
    return {(one.estimate.label.estimator, one.estimate.label.estimand): one for one in effects}
