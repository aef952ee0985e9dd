"""One Optuna study over held-in splits: seeded, pruned, budgeted, and resumable after a kill.

The study knows nothing of what is tuned: it is given a function that fits on one split's training
rows and returns the loss on its test rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import Dimension, LearnerParameters
from promo_uplift.nuisance.seeding import derived_seed

Choice = dict[str, float | int | str | bool]
StoppedBy = Literal["trials", "seconds"]

TRIAL_COLUMNS = ("fold", "number", "state", "loss", "seconds", "stopped_by")
#: Fold of a study that tunes on every fold, for the model that is deployed.
ALL_FOLDS = -1

_JOURNAL_LOCK_SECONDS = 10  # a lock that a killed process left behind is broken after this
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


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
        Journal file, or None to keep the study in memory.
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

    @property
    def is_tuned(self) -> bool:
        """Whether there is anything to search and a budget to search it with."""
        return bool(self.parameters.search_space) and self.n_trials > 0

    @property
    def study_name(self) -> str:
        """Name in the storage: another space, default, seed or pruning rule is another study."""
        rule = [
            self.parameters.model_dump(),
            self.seed,
            self.n_startup_trials,
            self.pruner_warmup_folds,
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
        The best trial's parameters over the defaults; the defaults where nothing was searched.
    loss : float
        Its mean loss over the inner folds; NaN where nothing was searched.
    trials : DataFrame
        ``TRIAL_COLUMNS`` and one column per searched parameter, one row per trial.
    """

    parameters: Choice
    loss: float
    trials: pd.DataFrame


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


def run_study(
    *,
    plan: StudyPlan,
    split_loss: Callable[[Choice, int], float],
    n_splits: int,
    on_trial: Callable[[], None] | None = None,
) -> StudyResult:
    """Search the space for the lowest mean loss over the splits.

    Trials that a kill left running are marked failed and drawn again: the sampler is seeded anew
    for each trial from the seed and the number of trials that finished, so an interrupted study
    ends where an uninterrupted one would.

    Parameters
    ----------
    plan : StudyPlan
        Space, budget, seed, storage.
    split_loss : callable
        ``(parameters, split) -> loss``: fits on the split's training rows, evaluates on its test
        rows.
    n_splits : int
        Inner folds per trial; the running mean loss is reported to the pruner after each.
    on_trial : callable, optional
        Called after each trial that finishes (a progress bar).

    Returns
    -------
    StudyResult
        Best parameters, their loss, and the table of trials, with ``stopped_by``.

    References
    ----------
    Akiba et al. (2019), Optuna, *KDD*, doi:10.1145/3292500.3330701.
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization, *NeurIPS* 24.
    """
    if not plan.is_tuned:
        return StudyResult(dict(plan.parameters.defaults), float("nan"), _no_trials(plan))
    with _quiet_optuna():
        study = _opened_study(plan)
        deadline = time.monotonic() + plan.timeout_seconds
        stopped_by: StoppedBy = "trials"
        while (n_finished := _count_finished(study)) < plan.n_trials:
            if n_finished > 0 and time.monotonic() >= deadline:
                stopped_by = "seconds"
                break
            study.sampler = optuna.samplers.TPESampler(
                seed=derived_seed(seed=plan.seed, purpose="sampler", index=(n_finished,)),
                n_startup_trials=plan.n_startup_trials,
            )
            _run_trial(study=study, plan=plan, split_loss=split_loss, n_splits=n_splits)
            if on_trial is not None:
                on_trial()
        return _result(study=study, plan=plan, stopped_by=stopped_by)


def _run_trial(
    *,
    study: optuna.Study,
    plan: StudyPlan,
    split_loss: Callable[[Choice, int], float],
    n_splits: int,
) -> None:
    trial = study.ask()
    losses: list[float] = []
    is_done = False
    try:
        space = plan.parameters.search_space
        choice = {**plan.parameters.defaults, **suggest(trial=trial, search_space=space)}
        for split in range(n_splits):
            losses.append(split_loss(choice, split))
            if not np.isfinite(losses[-1]):
                raise LearnerError(
                    f"`{plan.name}`: the loss of every trial must be finite; inner fold {split} "
                    f"gave {losses[-1]} with {choice}. Narrow the search space."
                )
            trial.report(float(np.mean(losses)), step=split)
            if split + 1 < n_splits and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                is_done = True
                return
        study.tell(trial, float(np.mean(losses)))
        is_done = True
    finally:
        if not is_done:
            study.tell(trial, state=TrialState.FAIL)


def _opened_study(plan: StudyPlan) -> optuna.Study:
    study = optuna.create_study(
        storage=_opened_storage(plan.storage),
        study_name=plan.study_name,
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=plan.n_startup_trials, n_warmup_steps=plan.pruner_warmup_folds
        ),
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    if not study.get_trials(states=(*_FINISHED, TrialState.WAITING)):
        space = plan.parameters.search_space
        study.enqueue_trial({key: plan.parameters.defaults[key] for key in space})
    return study


def _opened_storage(path: str | None) -> optuna.storages.BaseStorage:
    if path is None:
        return optuna.storages.InMemoryStorage()
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(path, grace_period=_JOURNAL_LOCK_SECONDS)
    lock.acquire()
    try:
        _cut_torn_line(file)
    finally:
        lock.release()
    return optuna.storages.JournalStorage(JournalFileBackend(path, lock_obj=lock))


def _cut_torn_line(file: Path) -> None:
    """Cut a last line that a kill left half-written; Optuna would refuse the journal for it."""
    if not file.exists():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as journal:
            journal.truncate(content.rfind(b"\n") + 1)


def _count_finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_FINISHED))


def _result(*, study: optuna.Study, plan: StudyPlan, stopped_by: StoppedBy) -> StudyResult:
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    best = min(complete, key=lambda trial: (trial.value, trial.number))
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
def _quiet_optuna() -> Iterator[None]:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
