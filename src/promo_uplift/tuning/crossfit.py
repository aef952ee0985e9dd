"""A learner tuned, fitted and predicted for each held-out fold, by the nested plan of the folds."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.learners.base import checked_cate
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.studies import Choice, StudyResult, run_studies
from promo_uplift.tuning.search import (
    Split,
    check_configured_learner,
    data_features,
    fit_on_split,
    learner_plan,
    search_learner,
)
from promo_uplift.tuning.warm_start import fitted_to_space


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
    warm_start: Choice | None = None,
    progress: bool = False,
) -> CrossFittedCate:
    """CATE of every row from a learner that saw neither the row nor its fold, USD, ``(n, K)``.

    For each held-out fold ``k``: an Optuna study over the other folds with column ``k`` of the
    nuisances; then, with the best parameters, the entry (row of fold ``m``, column ``k``) comes
    from a fit on the rows outside both folds. Column ``k`` is a function of the rows outside fold
    ``k`` and of the covariates it predicts for, hyperparameters included.

    Off the diagonal, rows of fold ``m`` took part in the propensities of the training rows and in
    the choice of the hyperparameters, as in every nested search; in their outcome models only with
    three folds. Those entries tune and choose; only the diagonal evaluates.

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
        Journal file or database URL, from which interrupted studies resume and which several runs
        may share.
    study_prefix : str
        First part of the studies' names: a digest of data and configuration.
    warm_start : dict, optional
        Parameters of an earlier run, tried after the defaults.
    progress : bool
        Whether to show progress bars on stderr.

    Returns
    -------
    CrossFittedCate
        ``tuning`` has one row per trial; its column ``stopped_by`` is ``"seconds"`` where the
        time budget ended a study before its trials were done, ``"no_gain"`` where the interval of
        the gain over the defaults held 0, else ``"trials"``. ``default_cate`` holds what the
        defaults predict for each fold that is held out: the tuned learner's value is judged by it.

    Raises
    ------
    LearnerError
        If the learner or its parameters are unknown, or it refuses the data.
    """
    check_configured_learner(name=name, parameters=parameters)
    started = time.perf_counter()
    start = fitted_to_space(name=name, parameters=parameters, given=warm_start)
    folds = range(nuisances.n_folds)
    is_tuned = bool(parameters.search_space) and tuning.n_trials > 0
    studies = run_studies(
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
                    warm_start=start.points,
                ),
                "tuning": tuning,
                "seed": seed,
            }
            for held_out in folds
        ],
        n_workers=n_workers if is_tuned else 1,
        progress=f"{name}: tune" if progress else None,
    )
    tuned = time.perf_counter()
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
    fitted = time.perf_counter()
    default_cate = (
        _default_cate(
            name=name,
            data=data,
            nuisances=nuisances,
            defaults=parameters.default_choice,
            chosen=chosen,
            cate=cate,
            seed=seed,
            n_workers=n_workers,
        )
        if is_tuned
        else None
    )
    seconds = time.perf_counter() - started
    return CrossFittedCate(
        learner=name,
        cate=cate,
        fold=nuisances.fold,
        tuning=pd.concat([study.trials for study in studies], ignore_index=True),
        parameters=chosen,
        seconds=seconds,
        default_cate=default_cate,
        seconds_tuning=seconds - (fitted - tuned) if is_tuned else 0.0,
        seconds_fitting=fitted - tuned,
        tuning_loss=tuning.loss if is_tuned else None,
        studies=_studies_table(studies=studies, parameters=parameters, n_moved=start.n_moved)
        if is_tuned
        else None,
    )


def fit_held_out(
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    choice: Choice,
    fold: int,
    seed: int,
) -> Learner:
    """Fit again the learner behind the held-out effects of ``fold``; the same bits.

    Parameters
    ----------
    name : str
        Learner in the registry.
    data, nuisances
        As for :func:`cross_fit_learner`.
    choice : mapping
        Its hyperparameters for this fold: ``CrossFittedCate.parameters[fold]``.
    fold : int
        The fold that it does not see.
    seed : int
        As for :func:`cross_fit_learner`.
    """
    split = Split.of(nuisances=nuisances, held_out=fold, fold=fold)
    return fit_on_split(name=name, data=data, split=split, choice=choice, seed=seed)


def _default_cate(
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    defaults: Choice,
    chosen: tuple[Choice, ...],
    cate: FloatArray,
    seed: int,
    n_workers: int,
) -> FloatArray:
    """Held-out effects with the defaults, ``(n,)``; fitted where they were not chosen anyway."""
    changed = [fold for fold, choice in enumerate(chosen) if choice != defaults]
    predictions = _fit_and_predict(
        name=name,
        data=data,
        splits=[Split.of(nuisances=nuisances, held_out=fold, fold=fold) for fold in changed],
        choices=[defaults] * len(changed),
        seed=seed,
        n_workers=n_workers,
    )
    default_cate = cate[np.arange(len(nuisances.fold)), nuisances.fold]
    for fold, predicted in zip(changed, predictions, strict=True):
        default_cate[nuisances.fold == fold] = predicted
    return default_cate


def _studies_table(
    *, studies: list[StudyResult], parameters: LearnerParameters, n_moved: int
) -> pd.DataFrame:
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    rows = []
    for held_out, study in enumerate(studies):
        gain = study.gain or nothing
        rows.append(
            {
                "fold": held_out,
                "trials": int((study.trials["state"] != "FAIL").sum()),
                "pruned": int((study.trials["state"] == "PRUNED").sum()),
                "stopped_by": study.stopped_by,
                "gain": gain.estimate,
                "gain_ci_low": gain.ci_low,
                "gain_ci_high": gain.ci_high,
                "used": "defaults" if study.parameters == parameters.default_choice else "best",
                "warm_start_moved": n_moved,
                "seconds": float(study.trials["seconds"].sum()),
            }
        )
    return pd.DataFrame(rows)


def _inner_splits(*, nuisances: CrossFittedNuisances, held_out: int) -> list[Split]:
    return [
        Split.of(nuisances=nuisances, held_out=held_out, fold=fold)
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
    predictions = _fit_and_predict(
        name=name,
        data=data,
        splits=[
            Split.of(nuisances=nuisances, held_out=held_out, fold=fold) for fold, held_out in pairs
        ],
        choices=[chosen[held_out] for _, held_out in pairs],
        seed=seed,
        n_workers=n_workers,
        progress=progress,
    )
    cate = np.full((len(nuisances.fold), n_folds), np.nan)
    for (fold, held_out), predicted in zip(pairs, predictions, strict=True):
        cate[nuisances.fold == fold, held_out] = predicted
    return cate


def _fit_and_predict(
    *,
    name: str,
    data: TrialData,
    splits: list[Split],
    choices: list[Choice],
    seed: int,
    n_workers: int,
    progress: str | None = None,
) -> list[FloatArray]:
    """Effects of each split's rows; a worker takes several splits and builds the bins once."""
    n_shares = min(n_workers, len(splits))
    work = list(zip(splits, choices, strict=True))
    of_shares = run_in_order(
        work=_fit_share,
        arguments=[
            {"name": name, "data": data, "work": work[first::n_shares], "seed": seed}
            for first in range(n_shares)
        ],
        n_workers=n_shares or 1,
        progress=progress,
    )
    return [of_shares[index % n_shares][index // n_shares] for index in range(len(splits))]


def _fit_share(
    *, name: str, data: TrialData, work: list[tuple[Split, Choice]], seed: int
) -> list[FloatArray]:
    features = data_features(data=data)
    effects = []
    for split, choice in work:
        learner = fit_on_split(
            name=name, data=data, split=split, choice=choice, seed=seed, features=features
        )
        cate = learner.predict_cate(covariates=data.covariates.loc[split.test])
        effects.append(checked_cate(cate=cate, name=name, n_rows=int(split.test.sum())))
    return effects
