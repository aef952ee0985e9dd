"""Several arms with shared controls: effects and scores of every arm for every row, held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import AnalysisParameters, EstimationParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, TrialData
from promo_uplift.learners import learner_role
from promo_uplift.nuisance.boosting import BinnedFeatures
from promo_uplift.nuisance.covariates import covariate_matrix
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.models import NUISANCES, fit_nuisance
from promo_uplift.nuisance.scores import multi_arm_scores
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.trials import TableArms, household_folds
from promo_uplift.tuning.search import Split, fit_on_split
from promo_uplift.tuning.stacking import is_combination


@dataclass(frozen=True, slots=True)
class ArmEffects:
    """Held-out effect and score of every arm for every row.

    Attributes
    ----------
    names : tuple of str
        The arms.
    cate, scores : float64 (n, A)
        Predicted effect of each arm against the control, and its doubly robust score, in the
        outcome's unit; from models that never saw the row's fold.
    fold, groups : int64 (n,)
    learner : str
    n_clipped : int
        Rows of which a modelled probability was moved into the configured bounds.
    """

    names: tuple[str, ...]
    cate: FloatArray
    scores: FloatArray
    fold: IntArray
    groups: IntArray
    learner: str
    n_clipped: int


class _Shared(TypedDict):
    """What every part of the arms' cross-fit takes."""

    arms: TableArms
    features: BinnedFeatures
    fold: IntArray
    parameters: AnalysisParameters
    seed: int


def cross_fit_arms(
    *, arms: TableArms, learner: str, parameters: AnalysisParameters, seed: int
) -> ArmEffects:
    """Predict every arm's effect for every row, and score it, from the other folds alone.

    Folds are by household and the same for all arms. For each arm a learner with its default
    parameters is fitted on the arm's and the control's rows outside the fold, and predicts all
    rows of the fold, whatever they got. The outcome of each arm, and where nobody drew lots the
    probability of each arm (one against the rest, scaled to 1, clipped), are fitted on the same
    rows outside the fold.

    Parameters
    ----------
    arms : TableArms
    learner : str
        One of ``estimation.learners`` that predicts an effect.
    parameters : AnalysisParameters
    seed : int

    Raises
    ------
    LearnerError
        As :func:`refuse_arm_learner`, or if a training set lacks an arm.
    """
    refuse_arm_learner(learner=learner, estimation=parameters.estimation)
    fold = household_folds(groups=arms.groups, n_folds=parameters.nuisance.n_folds, seed=seed)
    shared: _Shared = {
        "arms": arms,
        # of all rows: which of them are in an arm would tell a fold's arms
        "features": BinnedFeatures(covariate_matrix(covariates=arms.covariates)),
        "fold": fold,
        "parameters": parameters,
        "seed": seed,
    }
    propensity, n_clipped = _propensities(**shared)
    mu = _outcomes(**shared)
    cate = np.column_stack(
        [_arm_cate(code=code, learner=learner, **shared) for code in range(1, len(arms.names) + 1)]
    )
    return ArmEffects(
        names=arms.names,
        cate=cate,
        scores=multi_arm_scores(arm=arms.arm, outcome=arms.outcome, propensity=propensity, mu=mu),
        fold=fold,
        groups=arms.groups,
        learner=learner,
        n_clipped=n_clipped,
    )


def refuse_arm_learner(*, learner: str, estimation: EstimationParameters) -> None:
    """Refuse a learner that cannot predict the effects of arms.

    Raises
    ------
    LearnerError
        If it is not configured, only ranks, or is a combination of others.
    """
    configured = estimation.learners
    if learner not in configured:
        raise LearnerError(
            f"`learner` must be one of the configured {sorted(configured)}; got {learner!r}."
        )
    if learner_role(learner) == "ranking_only" or is_combination(learner):
        raise LearnerError(
            f"`learner` must predict an effect by itself; `{learner}` only ranks, or combines "
            "other learners. Name one of `estimation.candidates`."
        )


def _propensities(
    *,
    arms: TableArms,
    features: BinnedFeatures,
    fold: IntArray,
    parameters: AnalysisParameters,
    seed: int,
) -> tuple[FloatArray, int]:
    if arms.propensity is not None:
        return arms.propensity, 0
    raw = _predicted(
        name="propensity",
        targets=[(arms.arm == code).astype(np.float64) for code in range(len(arms.names) + 1)],
        rows=[np.ones(len(fold), dtype=np.bool_)] * (len(arms.names) + 1),
        features=features,
        fold=fold,
        parameters=parameters,
        seed=seed,
    )
    shares = raw / raw.sum(axis=1, keepdims=True)
    clip = parameters.nuisance.propensity_clip
    clipped = np.clip(shares, clip, 1.0 - clip)
    moved = int((clipped != shares).any(axis=1).sum())
    return clipped / clipped.sum(axis=1, keepdims=True), moved


def _outcomes(
    *,
    arms: TableArms,
    features: BinnedFeatures,
    fold: IntArray,
    parameters: AnalysisParameters,
    seed: int,
) -> FloatArray:
    codes = range(len(arms.names) + 1)
    return _predicted(
        name="mu1",
        targets=[arms.outcome] * len(codes),
        rows=[np.asarray(arms.arm == code) for code in codes],
        features=features,
        fold=fold,
        parameters=parameters,
        seed=seed,
    )


def _predicted(
    *,
    name: str,
    targets: Sequence[FloatArray],
    rows: Sequence[BoolArray],
    features: BinnedFeatures,
    fold: IntArray,
    parameters: AnalysisParameters,
    seed: int,
) -> FloatArray:
    """Predict each target from a model of its informed rows outside the fold, ``(n, A + 1)``."""
    found = np.empty((len(fold), len(targets)))
    for code, (target, informed) in enumerate(zip(targets, rows, strict=True)):
        for held_out in np.unique(fold):
            train, test = informed & (fold != held_out), fold == held_out
            model = fit_nuisance(
                spec=NUISANCES[name],
                features=features,
                rows=train,
                target=target[train],
                choice=parameters.nuisance.model.defaults,
                seed=derived_seed(seed=seed, purpose=f"arms/{name}", index=(code,)),
            )
            found[test, code] = model.predict(features=features.take(rows=test))
    return found


def _arm_cate(
    *,
    arms: TableArms,
    features: BinnedFeatures,
    code: int,
    fold: IntArray,
    learner: str,
    parameters: AnalysisParameters,
    seed: int,
) -> FloatArray:
    """Predict one arm's effect for every row from the two arms' rows outside its fold, ``(n,)``."""
    rows = np.flatnonzero(np.isin(arms.arm, (0, code)))
    known = arms.propensity
    of_rows = features.restricted(rows=rows)
    data = TrialData(
        covariates=arms.covariates.iloc[rows].reset_index(drop=True),
        treatment=(arms.arm[rows] == code).astype(np.int64),
        outcome=arms.outcome[rows],
        redeemed=np.zeros(len(rows)),
        groups=arms.groups[rows],
        campaign=np.ones(len(rows), dtype=np.int64),
        known_propensity=None
        if known is None
        else known[rows, code] / (known[rows, code] + known[rows, 0]),
    )
    nuisances = cross_fit_nuisances(
        data=data,
        fold=fold[rows],
        parameters=parameters.nuisance.model_copy(update={"n_trials": 0}),
        seed=seed,
        n_workers=1,
        features=of_rows,
    )
    effect = np.empty(len(fold))
    for held_out in range(nuisances.n_folds):
        fitted = fit_on_split(
            name=learner,
            data=data,
            split=Split.of(nuisances=nuisances, held_out=held_out, fold=held_out),
            choice=parameters.estimation.learners[learner].default_choice,
            seed=seed,
            features=of_rows,
        )
        test = fold == held_out
        effect[test] = fitted.predict_cate(covariates=arms.covariates.loc[test])
    return effect
