"""A world of known nuisances, on which only money and choice are at stake."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import CrossFittedNuisances, TrialData

K = 3
REDEEMS = 0.2


def known_world(*, n, seed=0, slope=6.0):
    """Two rows a household; the effect is 5 + slope x, and a fifth of those mailed redeem."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // 2), 2)
    x = np.repeat(rng.normal(size=n // 2), 2)
    effect = 5.0 + slope * x
    propensity = 1.0 / (1.0 + np.exp(-x))
    treatment = rng.binomial(1, propensity).astype(np.int64)
    mu0 = 80.0 + 20.0 * rng.normal(size=n)

    def wide(values):
        return np.repeat(values[:, np.newaxis], K, axis=1)

    nuisances = CrossFittedNuisances(
        fold=groups % K,
        propensity=wide(propensity),
        mu0=wide(mu0),
        mu1=wide(mu0 + effect),
        redemption=wide(np.full(n, REDEEMS)),
        raw_propensity_held_out=propensity,
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=mu0 + effect * treatment + rng.normal(0, 10, n),
        redeemed=treatment * rng.binomial(1, REDEEMS, n).astype(float),
        groups=groups,
        campaign=np.ones(n, dtype=np.int64),
    )
    return data, nuisances, effect
