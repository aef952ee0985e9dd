"""Cross-fitted nuisances by household, computed once and shared by all that follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import (
    BoolArray,
    CrossFittedNuisances,
    FloatArray,
    IntArray,
    TrialData,
)
from promo_uplift.nuisance.boosting import BinnedFeatures
from promo_uplift.nuisance.calibration import calibrated_matrix
from promo_uplift.nuisance.models import (
    NUISANCES,
    boosting_parameters,
    fit_nuisance,
    nuisance_features,
    nuisance_loss,
)
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.nuisance.studies import (
    ALL_FOLDS,
    Choice,
    StudyPlan,
    StudyResult,
    check_search_space,
    run_studies,
    run_study,
)

#: A nuisance, the folds that it does not see, and its hyperparameters.
_Model = tuple[str, tuple[int, ...], tuple[tuple[str, Any], ...]]
_OUTCOMES = ("mu0", "mu1")
_FOLDS_LEFT_OUT = 3  # the row's own, the one predicted, and the one on whose behalf


def cross_fit_nuisances(  # noqa: PLR0913 - one analysis, named in full by its caller
    *,
    data: TrialData,
    fold: IntArray,
    parameters: NuisanceParameters,
    seed: int,
    n_workers: int,
    storage: str | None = None,
    study_prefix: str = "nuisance",
    progress: bool = False,
    features: BinnedFeatures | None = None,
) -> CrossFittedNuisances:
    """Propensity, outcome and redemption models of every row, none of which saw the row.

    The entry (row of fold ``m``, column ``k``) comes from a model fitted on the rows outside both
    folds, with hyperparameters that were tuned inside the folds other than ``k``. So nothing in
    column ``k`` depends on treatments, outcomes or redemptions of fold ``k``.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows. A ``known_propensity`` replaces the estimate, unclipped; the
        model is fitted all the same, to check the lottery.
    fold : int64 (n,)
        Fold of each row, 0 to K - 1, constant within a household.
    parameters : NuisanceParameters
        Clip, base model, and the budget of each of the ``4 K`` studies (``n_trials`` 0: defaults).
    seed : int
        Seed of models and samplers.
    n_workers : int
        Processes; the result does not depend on it.
    storage : str, optional
        Journal file or database URL, from which interrupted studies resume.
    study_prefix : str
        First part of the studies' names: a digest of data and configuration.
    progress : bool
        Whether to show progress bars on stderr.
    features : BinnedFeatures, optional
        Of the same rows, in place of covariates and trial indicators with bins of their own.

    Returns
    -------
    CrossFittedNuisances
        Matrices ``(n, K)``; ``tuned`` has a row per nuisance and held-out fold.

    Raises
    ------
    LearnerError
        If folds are not 0 to K - 1 or split a household, covariates are not numeric, or a
        training set lacks an arm.

    References
    ----------
    Chernozhukov et al. (2018), *The Econometrics Journal* 21(1), C1-C68,
    doi:10.1111/ectj.12097 (cross-fitting).
    """
    check_folds(fold=fold, groups=data.groups, n_folds=parameters.n_folds)
    check_data(data=data)
    check_search_space(name="nuisance_model", parameters=parameters.model)
    boosting_parameters(parameters.model.defaults)
    if features is None:
        features = nuisance_features(data=data, campaigns=np.unique(data.campaign))
    folds = range(parameters.n_folds)

    label = "nuisances: tune" if progress else None
    keys = [(name, held_out) for name in NUISANCES for held_out in folds]
    studies = run_studies(
        work=tune_nuisance,
        arguments=[
            {
                "name": name,
                "data": data,
                "features": features,
                "fold": fold,
                "plan": nuisance_plan(
                    name=name,
                    held_out=held_out,
                    parameters=parameters,
                    seed=seed,
                    storage=storage,
                    study_prefix=study_prefix,
                ),
            }
            for name, held_out in keys
        ],
        n_workers=n_workers if parameters.n_trials > 0 else 1,
        progress=label if parameters.n_trials > 0 else None,
    )
    chosen = {key: study.parameters for key, study in zip(keys, studies, strict=True)}
    pairs, triples = _pair_models(chosen), _triple_models(chosen)
    predictions = predict_without(
        data=data,
        features=features,
        fold=fold,
        models=[*pairs.values(), *triples.values()],
        seed=seed,
        n_workers=n_workers,
        progress="nuisances: fit" if progress else None,
    )
    matrices = _matrices(predictions, models=pairs, fold=fold)
    pair_outcomes = _pair_outcomes(predictions, models=triples, fold=fold)
    rows = np.arange(len(fold))
    clip = parameters.propensity_clip
    raw = matrices["propensity"]
    choices, uncalibrated = None, None
    if parameters.calibration != "none" and data.known_propensity is None:
        uncalibrated = raw[rows, fold]
        raw, choices = calibrated_matrix(
            propensity=raw,
            treatment=data.treatment,
            groups=data.groups,
            fold=fold,
            parameters=parameters,
        )
    used = np.clip(raw, clip, 1.0 - clip)
    n_clipped = int(np.sum(used[rows, fold] != raw[rows, fold]))
    if data.known_propensity is not None:
        used, n_clipped = np.tile(data.known_propensity[:, None], parameters.n_folds), 0
    return CrossFittedNuisances(
        fold=fold.copy(),
        propensity=used,
        mu0=matrices["mu0"],
        mu1=matrices["mu1"],
        redemption=matrices["redemption"],
        raw_propensity_held_out=raw[rows, fold],
        n_clipped=n_clipped,
        clip=clip,
        tuned=_tuned_table(keys=keys, studies=studies),
        is_propensity_known=data.known_propensity is not None,
        calibration=choices,
        uncalibrated_held_out=uncalibrated,
        pair_outcomes=pair_outcomes,
    )


def check_folds(*, fold: IntArray, groups: IntArray, n_folds: int) -> None:
    """Refuse folds that are not 0 to K - 1 or that split a household.

    Raises
    ------
    LearnerError
        Naming what was found.
    """
    if len(fold) != len(groups):
        raise LearnerError(
            f"`fold` must have one entry per row; found {len(fold)} for {len(groups)} rows. "
            "Build the folds from these rows."
        )
    found = np.unique(fold)
    if not np.array_equal(found, np.arange(n_folds)):
        raise LearnerError(
            f"`fold` must use every value from 0 to {n_folds - 1} (`n_folds` = {n_folds}); "
            f"found {found.tolist()}. Use fewer folds or more households."
        )
    n_folds_of_household = pd.Series(fold).groupby(groups).nunique()
    split = n_folds_of_household[n_folds_of_household > 1]
    if len(split) > 0:
        raise LearnerError(
            f"`fold` must be constant within a household; {len(split)} households are in several "
            f"folds, e.g. {split.index[:3].tolist()}. Assign folds by household."
        )


def check_data(*, data: TrialData) -> None:
    """Refuse arms other than 0 and 1, outcomes that are not finite, and impossible lotteries.

    Raises
    ------
    LearnerError
        Naming the values.
    """
    arms = np.unique(data.treatment)
    if not np.array_equal(arms, [0, 1]):
        raise LearnerError(
            f"`treatment` must hold both arms, coded 0 and 1; found {arms.tolist()}. "
            "Check the trial's definition."
        )
    n_bad = int(np.sum(~np.isfinite(data.outcome)))
    if n_bad > 0:
        raise LearnerError(
            f"`outcome` must be finite; {n_bad} of {len(data.outcome)} values are not. "
            "Leave those rows out and count them."
        )
    known = data.known_propensity
    if known is not None and not (np.all(known > 0.0) and np.all(known < 1.0)):
        n_bad = int(np.sum(~((known > 0.0) & (known < 1.0))))
        raise LearnerError(
            f"`known_propensity` must lie strictly between 0 and 1; {n_bad} of {len(known)} do "
            "not. Rows that could not have been treated, or left out, are no part of a trial."
        )


def nuisance_plan(
    *,
    name: str,
    held_out: int,
    parameters: NuisanceParameters,
    seed: int,
    storage: str | None,
    study_prefix: str,
) -> StudyPlan:
    """Plan of one nuisance's study: a seeded random search, the default first, without pruning.

    The budgets of nuisances are a handful of trials, on which TPE and pruning have nothing to go.
    """
    return StudyPlan(
        name=f"{study_prefix}/{name}",
        fold=held_out,
        parameters=parameters.model,
        n_trials=parameters.n_trials,
        timeout_seconds=parameters.timeout_seconds,
        n_startup_trials=max(parameters.n_trials, 1),
        pruner_warmup_folds=0,
        seed=derived_seed(seed=seed, purpose=f"nuisance/{name}", index=(held_out + 1,)),
        storage=storage,
    )


def tune_nuisance(
    *, name: str, data: TrialData, features: BinnedFeatures, fold: IntArray, plan: StudyPlan
) -> StudyResult:
    """Choose one nuisance's hyperparameters inside the folds other than ``plan.fold``.

    With ``plan.fold`` = ``ALL_FOLDS`` every fold takes part (for the deployed model).
    """
    spec = NUISANCES[name]
    target, informed = spec.target(data), spec.rows(data)
    held_in = np.ones(len(fold), dtype=np.bool_) if plan.fold == ALL_FOLDS else fold != plan.fold
    inner = np.unique(fold[held_in])

    def split_loss(choice: Choice, split: int) -> float:
        train = held_in & (fold != inner[split]) & informed
        test = (fold == inner[split]) & informed
        model = fit_nuisance(
            spec=spec,
            features=features,
            rows=train,
            target=target[train],
            choice=choice,
            seed=plan.seed,
        )
        predicted = model.predict(features=features.take(rows=test))
        return nuisance_loss(spec=spec, target=target[test], predicted=predicted)

    return run_study(plan=plan, split_loss=split_loss, n_splits=len(inner))


def predict_pairs(
    *,
    data: TrialData,
    features: BinnedFeatures,
    fold: IntArray,
    chosen: dict[tuple[str, int], Choice],
    seed: int,
    n_workers: int,
) -> dict[str, FloatArray]:
    """Cross-fitted predictions ``(n, K)`` of every chosen nuisance; (m, k) and (k, m) share models.

    Parameters
    ----------
    data, fold, seed, n_workers
        As in :func:`cross_fit_nuisances`.
    features : BinnedFeatures
        Of :func:`promo_uplift.nuisance.models.nuisance_features`.
    chosen : dict
        Hyperparameters of each nuisance and held-out fold.
    """
    models = _pair_models(chosen)
    predictions = predict_without(
        data=data,
        features=features,
        fold=fold,
        models=models.values(),
        seed=seed,
        n_workers=n_workers,
    )
    return _matrices(predictions, models=models, fold=fold)


def predict_without(
    *,
    data: TrialData,
    features: BinnedFeatures,
    fold: IntArray,
    models: Iterable[_Model],
    seed: int,
    n_workers: int,
    progress: str | None = None,
) -> dict[_Model, FloatArray]:
    """Fit each model without its folds, and predict the rows of those folds, in their order.

    Parameters
    ----------
    data, features, fold, seed, n_workers, progress
        As in :func:`cross_fit_nuisances`.
    models : iterable
        What to fit; equal models are fitted once.

    Returns
    -------
    dict
        By model, float64 ``(rows of its folds,)``.
    """
    wanted = list(dict.fromkeys(models))
    names = {name for name, _, _ in wanted}
    # a worker takes models of every nuisance: it builds the bins once
    shares = [wanted[worker::n_workers] for worker in range(n_workers)]
    predictions = run_in_order(
        work=_fit_without,
        arguments=[
            {
                "features": features,
                "targets": {
                    name: (NUISANCES[name].target(data), NUISANCES[name].rows(data))
                    for name in names
                },
                "fold": fold,
                "models": share,
                "seed": seed,
            }
            for share in shares
        ],
        n_workers=n_workers,
        progress=progress,
    )
    return {
        model: predicted
        for share, of_share in zip(shares, predictions, strict=True)
        for model, predicted in zip(share, of_share, strict=True)
    }


def held_out_predictions(
    *,
    name: str,
    data: TrialData,
    features: BinnedFeatures,
    fold: IntArray,
    choice: Choice,
    seed: int,
) -> FloatArray:
    """Predictions ``(n,)`` of one nuisance, of each row by a model of the other folds."""
    models = [_model(name, (one,), choice) for one in range(int(fold.max()) + 1)]
    predictions = predict_without(
        data=data, features=features, fold=fold, models=models, seed=seed, n_workers=1
    )
    predicted = np.full(len(fold), np.nan)
    for one, model in enumerate(models):
        predicted[fold == one] = predictions[model]
    return predicted


def _pair_models(chosen: dict[tuple[str, int], Choice]) -> dict[tuple[str, int, int], _Model]:
    """By nuisance, row's fold and column, the model that saw neither of the two folds."""
    folds = sorted({column for _, column in chosen})
    return {
        (name, row_fold, column): _model(name, (row_fold, column), choice)
        for (name, column), choice in chosen.items()
        for row_fold in folds
    }


def _matrices(
    predictions: dict[_Model, FloatArray],
    *,
    models: dict[tuple[str, int, int], _Model],
    fold: IntArray,
) -> dict[str, FloatArray]:
    """By nuisance, predictions ``(n, K)``."""
    n_folds = int(fold.max()) + 1
    matrices = {name: np.full((len(fold), n_folds), np.nan) for name, _, _ in models}
    for (name, row_fold, column), model in models.items():
        matrices[name][fold == row_fold, column] = _of_fold(
            predictions[model], model=model, fold=fold, wanted=row_fold
        )
    return matrices


def _triple_models(
    chosen: dict[tuple[str, int], Choice],
) -> dict[tuple[str, int, int, int], _Model]:
    """By outcome, row's fold, fold ``m`` and column ``k``, the model that saw none of the three.

    A learner that predicts fold ``m`` for the choice on behalf of fold ``k`` is trained on these:
    were its targets made with models that saw the outcomes of ``m``, it would know them. With
    three folds there is nobody outside all three, and no model.
    """
    folds = sorted({column for _, column in chosen})
    if len(folds) <= _FOLDS_LEFT_OUT:
        return {}
    return {
        (name, row_fold, one, column): _model(name, (row_fold, one, column), chosen[(name, column)])
        for name in _OUTCOMES
        for row_fold, one, column in permutations(folds, _FOLDS_LEFT_OUT)
    }


def _pair_outcomes(
    predictions: dict[_Model, FloatArray],
    *,
    models: dict[tuple[str, int, int, int], _Model],
    fold: IntArray,
) -> dict[tuple[int, int], FloatArray]:
    """By ``(m, k)``, ``mu0`` and ``mu1`` ``(2, rows)`` of the rows outside both, in their order.

    Pairs that agree in their hyperparameters share one array.
    """
    cells: dict[tuple[int, int], dict[tuple[str, int], _Model]] = defaultdict(dict)
    for (name, row_fold, one, column), model in models.items():
        cells[(one, column)][(name, row_fold)] = model
    found: dict[tuple[int, int], FloatArray] = {}
    known: dict[tuple[_Model, ...], FloatArray] = {}
    for pair, of_pair in cells.items():
        used = tuple(of_pair.values())
        if used not in known:
            outcomes = np.full((len(_OUTCOMES), len(fold)), np.nan)
            for (name, row_fold), model in of_pair.items():
                outcomes[_OUTCOMES.index(name), fold == row_fold] = _of_fold(
                    predictions[model], model=model, fold=fold, wanted=row_fold
                )
            known[used] = outcomes[:, ~np.isin(fold, pair)]
        found[pair] = known[used]
    return found


def _model(name: str, folds: tuple[int, ...], choice: Choice) -> _Model:
    return name, tuple(sorted(set(folds))), tuple(choice.items())


def _of_fold(predicted: FloatArray, *, model: _Model, fold: IntArray, wanted: int) -> FloatArray:
    """Predictions of one of the folds that a model did not see."""
    _, unseen, _ = model
    found: FloatArray = predicted[fold[np.isin(fold, unseen)] == wanted]
    return found


def _fit_without(
    *,
    features: BinnedFeatures,
    targets: dict[str, tuple[FloatArray, BoolArray]],
    fold: IntArray,
    models: list[_Model],
    seed: int,
) -> list[FloatArray]:
    predicted = []
    for name, unseen, choice in models:
        target, informed = targets[name]
        excluded = np.isin(fold, unseen)
        train = ~excluded & informed
        model = fit_nuisance(
            spec=NUISANCES[name],
            features=features,
            rows=train,
            target=target[train],
            choice=dict(choice),
            seed=derived_seed(seed=seed, purpose=f"nuisance/{name}"),
        )
        predicted.append(model.predict(features=features.take(rows=excluded)))
    return predicted


def _tuned_table(*, keys: list[tuple[str, int]], studies: list[StudyResult]) -> pd.DataFrame:
    rows = [
        {
            "model": name,
            "fold": held_out,
            "loss": study.loss,
            "n_trials": len(study.trials),
            "stopped_by": study.trials["stopped_by"].iloc[-1] if len(study.trials) else "not_tuned",
            **study.parameters,
        }
        for (name, held_out), study in zip(keys, studies, strict=True)
    ]
    return pd.DataFrame(rows)
