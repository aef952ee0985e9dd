"""A learner tuned, fitted and predicted for each held-out fold, by the nested plan of the folds."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.learners.base import checked_cate
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.studies import Choice
from promo_uplift.tuning.search import (
    Split,
    check_configured_learner,
    fit_on_split,
    learner_plan,
    search_learner,
)


def cross_fit_learner(  # noqa: PLR0913 - one analysis, named in full by its caller
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    parameters: LearnerParameters,
    tuning: TuningParameters,
    seed: int,
    n_workers: int,
    storage: str | None = None,
    study_prefix: str = "learner",
    progress: bool = False,
) -> CrossFittedCate:
    """CATE of every row from a learner that saw neither the row nor its fold, USD, ``(n, K)``.

    For each held-out fold ``k``: an Optuna study over the other folds with column ``k`` of the
    nuisances; then, with the best parameters, the entry (row of fold ``m``, column ``k``) comes
    from a fit on the rows outside both folds. Column ``k`` is a function of the rows outside fold
    ``k`` and of the covariates it predicts for, hyperparameters included.

    Off the diagonal, rows of fold ``m`` took part in the nuisances of the training rows and in
    the choice of the hyperparameters (not in the fit itself), as in every nested search. Those
    entries tune and choose; only the diagonal evaluates.

    Parameters
    ----------
    name : str
        Learner in the registry.
    data : TrialData
        Stacked trials, ``n`` rows.
    nuisances : CrossFittedNuisances
        Of the same rows; their ``fold`` is the plan.
    parameters : LearnerParameters
        Defaults, always the first trial, and search space (empty: not tuned).
    tuning : TuningParameters
        Loss and budget **of each of the K studies**.
    seed : int
        Seed of fits and samplers.
    n_workers : int
        Processes over folds; the result does not depend on it.
    storage : str, optional
        Optuna journal file from which interrupted studies resume.
    study_prefix : str
        First part of the studies' names: a digest of data and configuration.
    progress : bool
        Whether to show progress bars on stderr.

    Returns
    -------
    CrossFittedCate
        ``tuning`` has one row per trial; its column ``stopped_by`` is ``"seconds"`` where the
        time budget ended a study before its trials were done, else ``"trials"``.

    Raises
    ------
    LearnerError
        If the learner or its parameters are unknown, or it refuses the data.
    """
    check_configured_learner(name=name, parameters=parameters)
    started = time.perf_counter()
    folds = range(nuisances.n_folds)
    studies = run_in_order(
        work=search_learner,
        arguments=[
            {
                "name": name,
                "data": data,
                "splits": _inner_splits(nuisances=nuisances, held_out=held_out),
                "plan": learner_plan(
                    name=name,
                    held_out=held_out,
                    parameters=parameters,
                    tuning=tuning,
                    seed=seed,
                    storage=storage,
                    study_prefix=study_prefix,
                ),
                "loss": tuning.loss,
                "seed": seed,
            }
            for held_out in folds
        ],
        n_workers=n_workers if parameters.search_space and tuning.n_trials > 0 else 1,
        progress=f"{name}: tune" if progress else None,
    )
    chosen = tuple(study.parameters for study in studies)
    cate = _predict_pairs(
        name=name,
        data=data,
        nuisances=nuisances,
        chosen=chosen,
        seed=seed,
        n_workers=n_workers,
        progress=f"{name}: fit" if progress else None,
    )
    return CrossFittedCate(
        learner=name,
        cate=cate,
        fold=nuisances.fold,
        tuning=pd.concat([study.trials for study in studies], ignore_index=True),
        parameters=chosen,
        seconds=time.perf_counter() - started,
    )


def _split(*, nuisances: CrossFittedNuisances, held_out: int, fold: int) -> Split:
    """Rows outside both folds train; rows of ``fold`` are predicted; nuisances of ``held_out``."""
    return Split(
        index=(held_out, fold),
        train=~np.isin(nuisances.fold, (held_out, fold)),
        test=nuisances.fold == fold,
        nuisances=nuisances.excluding(held_out),
    )


def _inner_splits(*, nuisances: CrossFittedNuisances, held_out: int) -> list[Split]:
    return [
        _split(nuisances=nuisances, held_out=held_out, fold=fold)
        for fold in range(nuisances.n_folds)
        if fold != held_out
    ]


def _predict_pairs(
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    chosen: tuple[Choice, ...],
    seed: int,
    n_workers: int,
    progress: str | None,
) -> FloatArray:
    n_folds = nuisances.n_folds
    pairs = [(fold, held_out) for held_out in range(n_folds) for fold in range(n_folds)]
    predictions = run_in_order(
        work=_fit_and_predict,
        arguments=[
            {
                "name": name,
                "data": data,
                "split": _split(nuisances=nuisances, held_out=held_out, fold=fold),
                "choice": chosen[held_out],
                "seed": seed,
            }
            for fold, held_out in pairs
        ],
        n_workers=n_workers,
        progress=progress,
    )
    cate = np.full((len(nuisances.fold), n_folds), np.nan)
    for (fold, held_out), predicted in zip(pairs, predictions, strict=True):
        cate[nuisances.fold == fold, held_out] = predicted
    return cate


def _fit_and_predict(
    *, name: str, data: TrialData, split: Split, choice: Choice, seed: int
) -> FloatArray:
    learner = fit_on_split(name=name, data=data, split=split, choice=choice, seed=seed)
    cate = learner.predict_cate(covariates=data.covariates.loc[split.test])
    return checked_cate(cate=cate, name=name, n_rows=int(split.test.sum()))
