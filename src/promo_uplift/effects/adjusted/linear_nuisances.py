"""Nuisances that cost a fraction of a second, for analyses that are repeated many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects.adjusted.regression import covariate_design
from promo_uplift.trials.splits import household_folds


@dataclass(frozen=True, slots=True)
class LinearNuisanceRules:
    """How linear nuisances are fitted.

    Attributes
    ----------
    n_folds : int
        Folds of households, at least 2.
    penalty : float
        Ridge penalty of each model, on coefficients per standard deviation.
    clip : float
        Propensities are kept in ``[clip, 1 - clip]``.
    rank_tolerance : float
        When a column is redundant.
    seed : int
        Seed of the folds.
    """

    n_folds: int
    penalty: float
    clip: float
    rank_tolerance: float
    seed: int


def linear_nuisances(*, data: TrialData, rules: LinearNuisanceRules) -> NuisanceValues:
    """Held-out nuisances from a logistic and two ridge regressions, campaigns as indicators.

    Raises
    ------
    MetricError
        If a fold's training rows hold one arm only.
    """
    design = covariate_design(
        covariates=data.covariates,
        campaign=data.campaign,
        rank_tolerance=rules.rank_tolerance,
    ).matrix
    fold = household_folds(groups=data.groups, n_folds=rules.n_folds, seed=rules.seed)
    e, mu0, mu1 = (np.empty(len(fold)) for _ in range(3))
    for number in range(rules.n_folds):
        held_out, arm = fold == number, data.treatment == 1
        train = ~held_out
        if not (train & arm).any() or not (train & ~arm).any():
            raise MetricError(
                f"`treatment` must hold both arms outside fold {number}; found "
                f"{int((train & arm).sum())} mailed and {int((train & ~arm).sum())} other rows. "
                "Use fewer folds."
            )
        # the first column is of ones: the intercept is the models' own
        columns = design[:, 1:]
        logit = LogisticRegression(C=1.0 / rules.penalty, solver="newton-cholesky")
        e[held_out] = logit.fit(columns[train], arm[train]).predict_proba(columns[held_out])[:, 1]
        for mean, rows in ((mu0, train & ~arm), (mu1, train & arm)):
            ridge = Ridge(alpha=rules.penalty, solver="cholesky")
            mean[held_out] = ridge.fit(columns[rows], data.outcome[rows]).predict(columns[held_out])
    return NuisanceValues(np.clip(e, rules.clip, 1.0 - rules.clip), mu0, mu1)
