"""One Optuna study over held-in splits: seeded, pruned, budgeted, and resumable after a kill.

The study knows nothing of what is tuned: it is given a function that fits on one split's training
rows and returns the loss on its test rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import Dimension, LearnerParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.nuisance.leases import LeaseLostError, StudyIsBusyError, held, worker_name
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.nuisance.storage import opened_storage

Choice = dict[str, float | int | str | bool]
StoppedBy = Literal["trials", "seconds", "no_gain"]

TRIAL_COLUMNS = ("fold", "number", "state", "loss", "seconds", "stopped_by")
#: Fold of a study that tunes on every fold, for the model that is deployed.
ALL_FOLDS = -1

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_WORKER = "worker"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What is searched, with which budget, and where it is kept.

    Attributes
    ----------
    name : str
        What is tuned, e.g. ``"<digest>/x_learner"``; data and configuration must be part of it.
    fold : int
        Held-out fold, or ``ALL_FOLDS``.
    parameters : LearnerParameters
        Defaults (always the first trial) and the space.
    n_trials, timeout_seconds : int, float
        Budget: trials that finish, and seconds after which no trial is started any more. The
        default trial always runs.
    n_startup_trials, pruner_warmup_folds : int
        Random trials before TPE and median pruning begin; inner folds never pruned.
    seed : int
        Seed of the sampler.
    storage : str or None
        Journal file or database URL, or None to keep the study in memory.
    lease_seconds : float
        A worker that gives no sign for so long loses the study to another one.
    waits : bool
        Whether to wait for a study that another worker holds.
    check_after_trials : int or None
        Finished trials after which a study whose gain is not proven ends; None: never.
    warm_start : tuple of dict
        Points of the space that follow the defaults.
    """

    name: str
    fold: int
    parameters: LearnerParameters
    n_trials: int
    timeout_seconds: float
    n_startup_trials: int
    pruner_warmup_folds: int
    seed: int
    storage: str | None
    lease_seconds: float = 60.0
    waits: bool = True
    check_after_trials: int | None = None
    warm_start: tuple[Choice, ...] = ()

    @property
    def is_tuned(self) -> bool:
        """Whether there is anything to search and a budget to search it with."""
        return bool(self.parameters.search_space) and self.n_trials > 0

    @property
    def given_points(self) -> tuple[Choice, ...]:
        """Points that are tried first: the defaults, then the warm start."""
        space = self.parameters.search_space
        return ({key: self.parameters.defaults[key] for key in space}, *self.warm_start)

    @property
    def study_name(self) -> str:
        """Name in the storage: another space, default, seed or rule is another study."""
        rule = [
            self.parameters.model_dump(),
            self.seed,
            self.n_startup_trials,
            self.pruner_warmup_folds,
            self.check_after_trials,
            self.warm_start,
        ]
        digest = hashlib.sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()[:12]
        fold = "all_folds" if self.fold == ALL_FOLDS else f"fold_{self.fold}"
        return f"{self.name}/{fold}/{digest}"


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Outcome of one study.

    Attributes
    ----------
    parameters : dict
        The best trial's parameters over the defaults; the defaults where nothing was searched, or
        where the gain of the best is not proven.
    loss : float
        Their mean loss over the inner folds; NaN where nothing was searched.
    trials : DataFrame
        ``TRIAL_COLUMNS`` and one column per searched parameter, one row per trial.
    stopped_by : str or None
        What ended it; None where nothing was searched.
    gain : Interval or None
        Loss of the defaults minus that of the best trial; None where no gain is asked for.
    """

    parameters: Choice
    loss: float
    trials: pd.DataFrame
    stopped_by: StoppedBy | None = None
    gain: Interval | None = None


def check_search_space(*, name: str, parameters: LearnerParameters) -> None:
    """Refuse a space whose default is missing or outside it: the first trial must be a member.

    Raises
    ------
    LearnerError
        Naming the learner, the parameter, its range and its default.
    """
    for key, axis in parameters.search_space.items():
        if key not in parameters.defaults:
            raise LearnerError(
                f"`{name}.defaults` must hold every searched parameter; `{key}` is missing. "
                "Add its default."
            )
        value = parameters.defaults[key]
        if not _is_on_axis(value, axis):
            allowed = axis.choices if axis.kind == "categorical" else [axis.low, axis.high]
            raise LearnerError(
                f"`{name}.defaults.{key}` must lie in its search space {allowed}, got {value!r}. "
                "Widen the space or move the default."
            )


def _is_on_axis(value: float | int | str | bool, axis: Dimension) -> bool:
    if axis.kind == "categorical":
        return axis.choices is not None and value in axis.choices
    if isinstance(value, str | bool) or axis.low is None or axis.high is None:
        return False
    return axis.low <= value <= axis.high


def suggest(*, trial: optuna.Trial, search_space: dict[str, Dimension]) -> Choice:
    """Draw one point of the space from the trial's sampler."""
    point: Choice = {}
    for key, axis in search_space.items():
        if axis.kind == "categorical":
            point[key] = trial.suggest_categorical(key, axis.choices)
        elif axis.kind == "int":
            point[key] = trial.suggest_int(key, axis.low, axis.high, log=axis.log)
        else:
            point[key] = trial.suggest_float(key, axis.low, axis.high, log=axis.log)
    return point


def run_studies(
    *,
    work: Callable[..., StudyResult],
    arguments: Iterable[dict[str, Any]],
    n_workers: int,
    progress: str | None = None,
) -> list[StudyResult]:
    """Run studies on several processes, beside other runs that share their storage.

    Studies that nobody works on are taken first; those that another run holds are waited for at
    the end, and taken over if their owner has died.

    Parameters
    ----------
    work : callable
        A module-level function that runs one study; takes its :class:`StudyPlan` as ``plan``.
    arguments, n_workers, progress
        As in :func:`promo_uplift.nuisance.parallel.run_in_order`.

    Returns
    -------
    list of StudyResult
        In the order of ``arguments``; neither the number of workers nor other runs change it.
    """
    calls = [{"work": work, **one} for one in arguments]
    results = run_in_order(
        work=_unless_busy, arguments=calls, n_workers=n_workers, progress=progress
    )
    busy = [index for index, result in enumerate(results) if result is None]
    waited = run_in_order(
        work=_call, arguments=[calls[index] for index in busy], n_workers=n_workers
    )
    by_index = dict(zip(busy, waited, strict=True))
    return [by_index[i] if result is None else result for i, result in enumerate(results)]


def _unless_busy(
    *, work: Callable[..., StudyResult], plan: StudyPlan, **arguments: Any
) -> StudyResult | None:
    try:
        return work(plan=replace(plan, waits=False), **arguments)
    except StudyIsBusyError:
        return None


def _call(*, work: Callable[..., StudyResult], **arguments: Any) -> StudyResult:
    return work(**arguments)


def run_study(
    *,
    plan: StudyPlan,
    split_loss: Callable[[Choice, int], float],
    n_splits: int,
    gain: Callable[[Choice], Interval] | None = None,
    on_trial: Callable[[], None] | None = None,
) -> StudyResult:
    """Search the space for the lowest mean loss over the splits.

    Trials that a kill left running are marked failed and drawn again: the sampler is seeded anew
    for each trial from the seed and the number of trials that finished, so an interrupted study
    ends where an uninterrupted one would. A study in a storage belongs to one worker at a time
    (:mod:`promo_uplift.nuisance.leases`), so it also ends there when several work on the storage.

    Parameters
    ----------
    plan : StudyPlan
        Space, budget, seed, storage.
    split_loss : callable
        ``(parameters, split) -> loss``: fits on the split's training rows, evaluates on its test
        rows.
    n_splits : int
        Inner folds per trial; the running mean loss is reported to the pruner after each.
    gain : callable, optional
        ``parameters -> interval`` of the loss of the defaults minus theirs. With the plan's
        ``check_after_trials``, the study ends after so many finished trials if the interval of the
        best one holds 0, and the best is used only if, at the end, it does not.
    on_trial : callable, optional
        Called after each trial that finishes (a progress bar).

    Returns
    -------
    StudyResult
        Parameters to use, their loss, and the table of trials, with ``stopped_by``.

    Raises
    ------
    StudyIsBusyError
        If another worker holds the study and the plan does not wait.

    References
    ----------
    Akiba et al. (2019), Optuna, *KDD*, doi:10.1145/3292500.3330701.
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization, *NeurIPS* 24.
    """
    if not plan.is_tuned:
        return StudyResult(dict(plan.parameters.defaults), float("nan"), _no_trials(plan))
    work = _Work(plan, split_loss, n_splits, gain, on_trial)
    with quiet_optuna():
        storage = opened_storage(plan.storage)
        if plan.storage is None:
            return _searched(storage=storage, work=work, check_lease=_nobody_else)
        while True:
            with held(
                storage=storage,
                study_name=plan.study_name,
                seconds=plan.lease_seconds,
                waits=plan.waits,
            ) as lease:
                try:
                    return _searched(storage=storage, work=work, check_lease=lease.check)
                except LeaseLostError:
                    continue


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan and the functions that carry it out."""

    plan: StudyPlan
    split_loss: Callable[[Choice, int], float]
    n_splits: int
    gain: Callable[[Choice], Interval] | None
    on_trial: Callable[[], None] | None


def _nobody_else() -> None:
    """Stand in for a lease where nobody else can reach the study."""


def _searched(
    *, storage: optuna.storages.BaseStorage, work: _Work, check_lease: Callable[[], None]
) -> StudyResult:
    plan = work.plan
    study = _opened_study(storage=storage, plan=plan)
    deadline = time.monotonic() + plan.timeout_seconds
    stopped_by: StoppedBy = "trials"
    while (n_finished := _count_finished(study)) < plan.n_trials:
        if n_finished == plan.check_after_trials and not _is_proven(_gain(study, work)):
            stopped_by = "no_gain"
            break
        if n_finished > 0 and time.monotonic() >= deadline:
            stopped_by = "seconds"
            break
        check_lease()
        study.sampler = optuna.samplers.TPESampler(
            seed=derived_seed(seed=plan.seed, purpose="sampler", index=(n_finished,)),
            n_startup_trials=plan.n_startup_trials,
        )
        is_given = n_finished < len(plan.given_points)
        if is_given and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial(plan.given_points[n_finished])
        _run_trial(study=study, work=work, check_lease=check_lease)
        if work.on_trial is not None:
            work.on_trial()
    return _result(study=study, work=work, stopped_by=stopped_by)


def _run_trial(*, study: optuna.Study, work: _Work, check_lease: Callable[[], None]) -> None:
    trial = study.ask()
    plan = work.plan
    losses: list[float] = []
    is_done = False
    try:
        if plan.storage is not None:
            trial.set_user_attr(_WORKER, worker_name())
        space = plan.parameters.search_space
        choice = {**plan.parameters.defaults, **suggest(trial=trial, search_space=space)}
        for split in range(work.n_splits):
            losses.append(work.split_loss(choice, split))
            if not np.isfinite(losses[-1]):
                raise LearnerError(
                    f"`{plan.name}`: the loss of every trial must be finite; inner fold {split} "
                    f"gave {losses[-1]} with {choice}. Narrow the search space."
                )
            check_lease()
            trial.report(float(np.mean(losses)), step=split)
            if split + 1 < work.n_splits and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                is_done = True
                return
        study.tell(trial, float(np.mean(losses)))
        is_done = True
    finally:
        if not is_done:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def _opened_study(*, storage: optuna.storages.BaseStorage, plan: StudyPlan) -> optuna.Study:
    study = optuna.create_study(
        storage=storage,
        study_name=plan.study_name,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=plan.n_startup_trials, n_warmup_steps=plan.pruner_warmup_folds
        ),
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def _count_finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_FINISHED))


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=lambda trial: (trial.value, trial.number))


def _gain(study: optuna.Study, work: _Work) -> Interval | None:
    """Gain of the best trial over the defaults, from the storage where it is known already."""
    if work.gain is None or work.plan.check_after_trials is None:
        return None
    best = _best(study)
    key = f"gain_of_trial_{best.number}"
    known = study.user_attrs.get(key)
    if known is not None:
        return Interval(*known)
    found = work.gain({**work.plan.parameters.defaults, **best.params})
    study.set_user_attr(key, [found.estimate, found.ci_low, found.ci_high])
    return found


def _is_proven(gain: Interval | None) -> bool:
    """Whether a gain was not asked for, or its interval lies above 0."""
    return gain is None or gain.ci_low > 0.0


def _result(*, study: optuna.Study, work: _Work, stopped_by: StoppedBy) -> StudyResult:
    plan = work.plan
    best = _best(study)
    gain = _gain(study, work)
    if not _is_proven(gain):
        best = min(
            study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)),
            key=lambda trial: trial.number,
        )
    trials = pd.DataFrame(
        [
            {
                "fold": plan.fold,
                "number": trial.number,
                "state": trial.state.name,
                "loss": trial.value,
                "seconds": None if trial.duration is None else trial.duration.total_seconds(),
                "stopped_by": stopped_by,
                **trial.params,
            }
            for trial in study.get_trials(states=(*_FINISHED, TrialState.FAIL))
        ],
        columns=[*TRIAL_COLUMNS, *plan.parameters.search_space],
    )
    return StudyResult(
        parameters={**plan.parameters.defaults, **best.params},
        loss=float(best.value),
        trials=trials.astype({"loss": "float64", "seconds": "float64"}),
        stopped_by=stopped_by,
        gain=gain,
    )


def _no_trials(plan: StudyPlan) -> pd.DataFrame:
    types: dict[str, Any] = {
        "fold": "int64",
        "number": "int64",
        "state": "str",
        "loss": "float64",
        "seconds": "float64",
        "stopped_by": "str",
    }
    columns = [*TRIAL_COLUMNS, *plan.parameters.search_space]
    return pd.DataFrame(columns=columns).astype(types)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna speak of warnings only, while the block runs."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
