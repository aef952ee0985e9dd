"""Pointwise intervals of held-out effects, from models that never saw the household."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.tuning.deployed import interval_learner

#: Level of the normal interval that is one standard error to each side.
ONE_ERROR = float(2.0 * norm.cdf(1.0) - 1.0)


def held_out_interval(
    *,
    fitted: CrossFittedCate,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    level: float,
    n_replicates: int,
    seed: int,
    n_workers: int,
) -> FloatArray:
    """Interval of each row's held-out CATE, USD per household, ``(n, 2)``; NaN if not offered.

    By half-sample refits; :class:`promo_uplift.learners.intervals.HalfSampleLearner` says what
    they leave out. Centred on the held-out CATE that every table shows.

    Parameters
    ----------
    fitted : CrossFittedCate
        The learner's held-out effects and chosen hyperparameters.
    data, nuisances
        What it was fitted on.
    level : float
        Confidence level.
    n_replicates : int
        Half-sample refits per fold; 0 offers no interval.
    seed : int
    n_workers : int
        Processes over folds; the result does not depend on it.
    """
    if n_replicates == 0:
        return np.full((len(fitted.fold), 2), np.nan)
    half_widths = run_in_order(
        work=_half_width,
        arguments=[
            {
                "fitted": fitted,
                "data": data,
                "nuisances": nuisances,
                "fold": fold,
                "held_out": fold,
                "level": level,
                "n_replicates": n_replicates,
                "seed": seed,
            }
            for fold in range(nuisances.n_folds)
        ],
        n_workers=n_workers,
        progress=None,
    )
    half_width = np.empty(len(fitted.fold))
    for fold, values in enumerate(half_widths):
        half_width[fitted.fold == fold] = values
    cate = fitted.held_out()
    return np.column_stack([cate - half_width, cate + half_width])


def cross_fitted_errors(
    *,
    fitted: CrossFittedCate,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    n_replicates: int,
    seed: int,
    n_workers: int,
) -> FloatArray:
    """Return the standard error of each effect of each column, USD per household, ``(n, K)``.

    By half-sample refits of the ``K * K`` fits behind the effects, so that column ``k`` knows
    nothing of fold ``k``: policies may be chosen by them. See
    :class:`promo_uplift.learners.intervals.HalfSampleLearner` for what they leave out.

    Parameters
    ----------
    fitted : CrossFittedCate
        The learner's effects and chosen hyperparameters.
    data, nuisances
        What it was fitted on.
    n_replicates : int
        Half-sample refits per fit; 0 offers none, and every value is NaN.
    seed : int
    n_workers : int
        Processes; the result does not depend on it.
    """
    errors = np.full(fitted.cate.shape, np.nan)
    if n_replicates == 0:
        return errors
    folds = range(nuisances.n_folds)
    pairs = [(fold, held_out) for held_out in folds for fold in folds]
    half_widths = run_in_order(
        work=_half_width,
        arguments=[
            {
                "fitted": fitted,
                "data": data,
                "nuisances": nuisances,
                "fold": fold,
                "held_out": held_out,
                "level": ONE_ERROR,
                "n_replicates": n_replicates,
                "seed": seed,
            }
            for fold, held_out in pairs
        ],
        n_workers=n_workers,
    )
    for (fold, held_out), values in zip(pairs, half_widths, strict=True):
        errors[fitted.fold == fold, held_out] = values
    return errors


def _half_width(
    *,
    fitted: CrossFittedCate,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fold: int,
    level: float,
    n_replicates: int,
    seed: int,
    held_out: int,
) -> FloatArray:
    learner = interval_learner(
        name=fitted.learner, choice=fitted.parameters[held_out], n_replicates=n_replicates
    )
    train, test = ~np.isin(nuisances.fold, (fold, held_out)), nuisances.fold == fold
    learner.fit(
        covariates=data.covariates.loc[train],
        treatment=data.treatment[train],
        outcome=data.outcome[train],
        nuisances=nuisances.training(held_out=held_out, fold=fold),
        groups=data.groups[train],
        rng=derived_rng(seed=seed, purpose=f"fit/{fitted.learner}", index=(held_out + 1, fold + 1)),
    )
    bounds = learner.predict_interval(covariates=data.covariates.loc[test], level=level)
    return np.asarray((bounds[:, 1] - bounds[:, 0]) / 2.0, dtype=np.float64)
