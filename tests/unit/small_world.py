"""Stacked trials with a known effect and the true nuisances, for tests that need no fitted ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import CrossFittedNuisances, TrialData


def randomised_world(*, n_households, seed, effect_usd, noise_usd=4.0, n_folds=3):
    """Two campaigns per household, mailed by a coin; the effect is the same for everybody."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_households), 2)
    n = len(groups)
    x = rng.normal(size=(n, 2))
    treatment = rng.integers(0, 2, n)
    mu0 = 20.0 + 3.0 * x[:, 0]
    data = TrialData(
        covariates=pd.DataFrame(x, columns=["spend", "visits"]),
        treatment=treatment,
        outcome=mu0 + effect_usd * treatment + rng.normal(0.0, noise_usd, n),
        redeemed=np.zeros(n),
        groups=groups,
        campaign=np.tile([8, 13], n_households),
    )

    def wide(values):
        return np.repeat(np.asarray(values)[:, np.newaxis], n_folds, axis=1)

    half = np.full(n, 0.5)
    nuisances = CrossFittedNuisances(
        fold=groups % n_folds,
        propensity=wide(half),
        mu0=wide(mu0),
        mu1=wide(mu0 + effect_usd),
        redemption=wide(np.zeros(n)),
        raw_propensity_held_out=half,
        n_clipped=0,
        clip=0.02,
        tuned=pd.DataFrame(),
    )
    return data, nuisances
