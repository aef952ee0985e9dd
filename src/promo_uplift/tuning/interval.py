"""Pointwise intervals of held-out effects, from models that never saw the household."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.nuisance.studies import Choice
from promo_uplift.tuning.deployed import interval_learner


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
                "name": fitted.learner,
                "choice": fitted.parameters[fold],
                "data": data,
                "nuisances": nuisances,
                "fold": fold,
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


def _half_width(
    *,
    name: str,
    choice: Choice,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fold: int,
    level: float,
    n_replicates: int,
    seed: int,
) -> FloatArray:
    learner = interval_learner(name=name, choice=choice, n_replicates=n_replicates)
    train = nuisances.fold != fold
    learner.fit(
        covariates=data.covariates.loc[train],
        treatment=data.treatment[train],
        outcome=data.outcome[train],
        nuisances=nuisances.excluding(fold).take(train),
        groups=data.groups[train],
        rng=derived_rng(seed=seed, purpose=f"fit/{name}", index=(fold + 1, fold + 1)),
    )
    bounds = learner.predict_interval(covariates=data.covariates.loc[~train], level=level)
    return np.asarray((bounds[:, 1] - bounds[:, 0]) / 2.0, dtype=np.float64)
