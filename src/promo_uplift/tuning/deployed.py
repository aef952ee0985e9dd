"""The learner that leaves the house: tuned over all folds, fitted on all rows, with an interval."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.learners.ensemble import ensemble_choice
from promo_uplift.learners.intervals import (
    HalfSampleLearner,
    WithoutInterval,
    with_half_sample_interval,
)
from promo_uplift.learners.registry import build_learner, tuning_choice
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.nuisance.studies import ALL_FOLDS, Choice, StudyResult
from promo_uplift.tuning.search import (
    Split,
    check_configured_learner,
    learner_plan,
    search_learner,
)
from promo_uplift.tuning.warm_start import fitted_to_space


def interval_learner(
    *, name: str, choice: Choice, n_replicates: int
) -> HalfSampleLearner | WithoutInterval:
    """Return the unfitted learner with an interval by half-samples of households, or with none.

    Parameters
    ----------
    name : str
        Learner in the registry.
    choice : mapping
        Its hyperparameters; the refits use the cheaper sizes of tuning where it has such.
    n_replicates : int
        Refits; 0 offers no interval.
    """
    if n_replicates == 0:
        return WithoutInterval(learner=build_learner(name=name, choice=choice))

    def build() -> Learner:
        return build_learner(name=name, choice=choice)

    def build_replicate() -> Learner:
        return build_learner(name=name, choice=tuning_choice(name=name, choice=choice))

    return with_half_sample_interval(
        build=build, n_replicates=n_replicates, build_replicate=build_replicate
    )


@dataclass(frozen=True, slots=True)
class DeployedLearner:
    """A learner fitted on all rows, and how it came about.

    Attributes
    ----------
    name : str
        Its name in the registry.
    learner : Learner
        Fitted; ``predict_interval`` is by half-samples of households, or refused.
    parameters : dict
        Chosen hyperparameters.
    tuning : DataFrame
        One row per Optuna trial (``fold`` = -1: all folds).
    seconds : float
        Wall time of tuning and fitting.
    """

    name: str
    learner: Learner
    parameters: Choice
    tuning: pd.DataFrame
    seconds: float


def fit_deployed(  # noqa: PLR0913 - one analysis, named in full by its caller
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    parameters: LearnerParameters,
    tuning: TuningParameters,
    seed: int,
    interval_replicates: int,
    storage: str | None = None,
    study_prefix: str = "learner",
    warm_start: Choice | None = None,
) -> DeployedLearner:
    """Tune once over all folds, fit on all rows with their held-out nuisances, add an interval.

    For households to come. Its predictions on these rows are in-sample: evaluate with
    :func:`promo_uplift.tuning.crossfit.cross_fit_learner`.

    Parameters
    ----------
    name, data, nuisances, parameters, tuning, seed, storage, study_prefix, warm_start
        As there; one study, whose split ``m`` uses column ``m`` of the nuisances.
    interval_replicates : int
        Half-sample refits behind its interval; 0 offers none.

    Returns
    -------
    DeployedLearner
        With the fitted learner in ``learner``.

    Raises
    ------
    LearnerError
        If the learner or its parameters are unknown, or it refuses the data.
    """
    started = time.perf_counter()
    study = _tuned_on_all_folds(
        name=name,
        data=data,
        nuisances=nuisances,
        parameters=parameters,
        tuning=tuning,
        seed=seed,
        storage=storage,
        study_prefix=study_prefix,
        warm_start=warm_start,
    )
    return DeployedLearner(
        name=name,
        learner=_fitted_on_all_rows(
            name=name,
            choice=study.parameters,
            data=data,
            nuisances=nuisances,
            seed=seed,
            interval_replicates=interval_replicates,
        ),
        parameters=study.parameters,
        tuning=study.trials,
        seconds=time.perf_counter() - started,
    )


def fit_deployed_ensemble(  # noqa: PLR0913 - one analysis, named in full by its caller
    *,
    name: str,
    weights: Mapping[str, float],
    data: TrialData,
    nuisances: CrossFittedNuisances,
    learners: Mapping[str, LearnerParameters],
    tuning: TuningParameters,
    seed: int,
    interval_replicates: int,
    storage: str | None = None,
    study_prefixes: Mapping[str, str] | None = None,
    warm_starts: Mapping[str, Choice] | None = None,
) -> DeployedLearner:
    """Tune every member with a weight over all folds, and fit them on all rows.

    Parameters
    ----------
    name : str
        The ensemble's name in the registry.
    weights : mapping of float
        Of :func:`promo_uplift.tuning.stacking.deployed_weights`. The half-sample refits keep them.
    learners : mapping of LearnerParameters
        Of every member.
    data, nuisances, tuning, seed, interval_replicates, storage
        As :func:`fit_deployed`.
    study_prefixes, warm_starts : mapping, optional
        Of every member: the studies and the point that it would have alone.

    Returns
    -------
    DeployedLearner
        ``parameters`` are those of :func:`promo_uplift.learners.ensemble.ensemble_choice`.

    Raises
    ------
    LearnerError
        If a member refuses the data.
    """
    started = time.perf_counter()
    prefixes = study_prefixes or {}
    studies = {
        member: _tuned_on_all_folds(
            name=member,
            data=data,
            nuisances=nuisances,
            parameters=learners[member],
            tuning=tuning,
            seed=seed,
            storage=storage,
            study_prefix=prefixes.get(member, "learner"),
            warm_start=(warm_starts or {}).get(member),
        )
        for member, weight in weights.items()
        if weight > 0.0
    }
    choice = ensemble_choice(
        weights=weights, choices={member: study.parameters for member, study in studies.items()}
    )
    return DeployedLearner(
        name=name,
        learner=_fitted_on_all_rows(
            name=name,
            choice=choice,
            data=data,
            nuisances=nuisances,
            seed=seed,
            interval_replicates=interval_replicates,
        ),
        parameters=choice,
        tuning=pd.concat(
            [study.trials.assign(member=member) for member, study in studies.items()],
            ignore_index=True,
        ),
        seconds=time.perf_counter() - started,
    )


def _tuned_on_all_folds(  # noqa: PLR0913 - what its callers are given
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    parameters: LearnerParameters,
    tuning: TuningParameters,
    seed: int,
    storage: str | None,
    study_prefix: str,
    warm_start: Choice | None,
) -> StudyResult:
    check_configured_learner(name=name, parameters=parameters)
    start = fitted_to_space(name=name, parameters=parameters, given=warm_start)
    splits = [Split.of(nuisances=nuisances, fold=fold) for fold in range(nuisances.n_folds)]
    return search_learner(
        name=name,
        data=data,
        splits=splits,
        plan=learner_plan(
            name=name,
            held_out=ALL_FOLDS,
            parameters=parameters,
            tuning=tuning,
            seed=seed,
            storage=storage,
            study_prefix=study_prefix,
            warm_start=start.points,
        ),
        tuning=tuning,
        seed=seed,
    )


def _fitted_on_all_rows(
    *,
    name: str,
    choice: Choice,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    seed: int,
    interval_replicates: int,
) -> Learner:
    return interval_learner(name=name, choice=choice, n_replicates=interval_replicates).fit(
        covariates=data.covariates,
        treatment=data.treatment,
        outcome=data.outcome,
        nuisances=nuisances.held_out(),
        groups=data.groups,
        rng=derived_rng(seed=seed, purpose=f"deployed/{name}"),
    )
