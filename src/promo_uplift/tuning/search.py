"""One learner's hyperparameters, searched over the splits of one analysis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import (
    BoolArray,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    NuisanceValues,
    TrialData,
)
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.learners.base import BaseLearner
from promo_uplift.learners.registry import build_learner, check_learners, tuning_choice
from promo_uplift.nuisance.boosting import BinnedFeatures, BinnedRows
from promo_uplift.nuisance.covariates import covariate_matrix
from promo_uplift.nuisance.seeding import derived_rng, derived_seed
from promo_uplift.nuisance.studies import (
    ALL_FOLDS,
    Choice,
    StudyPlan,
    StudyResult,
    check_search_space,
    run_study,
)
from promo_uplift.tuning.losses import named_loss
from promo_uplift.tuning.stacking import ensemble_members, is_combination


@dataclass(frozen=True, slots=True)
class Split:
    """One fit and its evaluation, both with nuisances that are safe for it.

    Attributes
    ----------
    index : tuple of int
        Held-out fold of the analysis, and fold that this split evaluates: seeds the fit.
    train, test : bool (n,)
        Rows fitted on, rows predicted.
    training : NuisanceValues
        Of the rows fitted on, in their order.
    evaluation : NuisanceValues
        Of the rows predicted, in their order.
    """

    index: tuple[int, int]
    train: BoolArray
    test: BoolArray
    training: NuisanceValues
    evaluation: NuisanceValues

    @classmethod
    def of(
        cls, *, nuisances: CrossFittedNuisances, fold: int, held_out: int | None = None
    ) -> Split:
        """Predict ``fold`` by the rows outside it and ``held_out``, which looks at neither.

        Without ``held_out`` every fold takes part.
        """
        column = fold if held_out is None else held_out
        test = np.asarray(nuisances.fold == fold)
        return cls(
            index=(ALL_FOLDS if held_out is None else held_out, fold),
            train=~np.isin(nuisances.fold, (column, fold)),
            test=test,
            training=nuisances.training(held_out=column, fold=fold),
            evaluation=nuisances.excluding(column).take(test),
        )


def check_configured_learner(*, name: str, parameters: LearnerParameters) -> None:
    """Refuse an unknown learner, wrong parameters, or a default outside its search space.

    Raises
    ------
    LearnerError
        Naming what is wrong.
    """
    check_learners(parameters={name: parameters})
    check_search_space(name=name, parameters=parameters)


def check_configured_learners(learners: Mapping[str, LearnerParameters]) -> None:
    """Refuse what :func:`check_configured_learner` refuses, or an ensemble of nothing.

    Raises
    ------
    LearnerError
        Naming what is wrong.
    """
    for name, parameters in learners.items():
        check_configured_learner(name=name, parameters=parameters)
    if any(is_combination(name) for name in learners):
        ensemble_members(learners)


def learner_plan(
    *,
    name: str,
    held_out: int,
    parameters: LearnerParameters,
    tuning: TuningParameters,
    seed: int,
    storage: str | None,
    study_prefix: str,
    warm_start: tuple[Choice, ...] = (),
) -> StudyPlan:
    """Plan of one learner's study for one held-out fold.

    The defaults of a learner of the user's own carry its import paths, and so does every choice
    that comes of the study: name and choice are enough to build it, in whatever process.
    """
    return StudyPlan(
        name=f"{study_prefix}/{name}/{tuning.loss}",
        fold=held_out,
        parameters=parameters.model_copy(update={"defaults": parameters.default_choice}),
        n_trials=tuning.n_trials,
        timeout_seconds=tuning.timeout_seconds,
        n_startup_trials=tuning.n_startup_trials,
        pruner_warmup_folds=tuning.pruner_warmup_folds,
        seed=derived_seed(seed=seed, purpose=f"study/{name}", index=(held_out + 1,)),
        storage=storage,
        lease_seconds=tuning.lease_seconds,
        check_after_trials=tuning.check_after_trials,
        warm_start=warm_start,
    )


def fit_on_split(
    *,
    name: str,
    data: TrialData,
    split: Split,
    choice: Choice,
    seed: int,
    features: BinnedFeatures | None = None,
) -> Learner:
    """Fit a learner on the split's training rows; equal splits give equal bits.

    ``features`` are ``data``'s covariates, whose bins serve all fits that share them; without
    them they are built here, to the same.
    """
    train = split.train
    learner = build_learner(name=name, choice=choice)
    shared: dict[str, Any] = {}
    if isinstance(learner, BaseLearner):
        design = data_features(data=data) if features is None else features
        shared["bins"] = BinnedRows.chosen(design=design, rows=train)
    return learner.fit(
        covariates=data.covariates.loc[train],
        treatment=data.treatment[train],
        outcome=data.outcome[train],
        nuisances=split.training,
        groups=data.groups[train],
        rng=derived_rng(
            seed=seed, purpose=f"fit/{name}", index=(split.index[0] + 1, split.index[1] + 1)
        ),
        **shared,
    )


def data_features(*, data: TrialData) -> BinnedFeatures:
    """Covariates of all rows; their bins are built at the first fit that needs them."""
    return BinnedFeatures(covariate_matrix(covariates=data.covariates))


def search_learner(
    *,
    name: str,
    data: TrialData,
    splits: list[Split],
    plan: StudyPlan,
    tuning: TuningParameters,
    seed: int,
) -> StudyResult:
    """Choose a learner's hyperparameters by the mean orthogonal loss over the splits.

    Every trial fits with the same seeds, so that trials differ by their parameters only, and what
    a killed study knew of a trial's rows can be computed again, to the bit.
    """
    loss_of = named_loss(tuning.loss)
    known: dict[str, FloatArray] = {}
    features = data_features(data=data)

    def terms(choice: Choice, index: int) -> FloatArray:
        """Loss of each held-out row of a split; computed once."""
        key = json.dumps([index, choice], sort_keys=True)
        if key not in known:
            split = splits[index]
            cheap = tuning_choice(name=name, choice=choice)
            learner = fit_on_split(
                name=name, data=data, split=split, choice=cheap, seed=seed, features=features
            )
            test = split.test
            known[key] = loss_of(
                cate=learner.predict_cate(covariates=data.covariates.loc[test]),
                treatment=data.treatment[test],
                outcome=data.outcome[test],
                nuisances=split.evaluation,
            )
        return known[key]

    def split_loss(choice: Choice, index: int) -> float:
        return float(np.mean(terms(choice, index)))

    def gain(choice: Choice) -> Interval:
        """Mean loss of the defaults minus that of ``choice``, paired by row, by household."""
        defaults = dict(plan.parameters.defaults)
        pairs = [(terms(defaults, i), terms(choice, i)) for i in range(len(splits))]
        return clustered_mean(
            values=np.concatenate([before - after for before, after in pairs]),
            groups=np.concatenate([data.groups[split.test] for split in splits]),
        ).interval(level=tuning.gain_level)

    return run_study(plan=plan, split_loss=split_loss, n_splits=len(splits), gain=gain)
