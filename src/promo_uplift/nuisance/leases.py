"""One worker at a time on a study, among processes and machines that share a storage.

A lease is an empty study beside the study it guards: creating a study of a given name is the one
step that Optuna makes atomic on every storage. Its owner beats; who watches a beat stand still for
``seconds`` of its own clock (no two clocks are compared) takes over by creating the next lease. An
owner on the same machine whose process is gone is seen at once.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

PREFIX = "lease"
_OWNER, _BEAT = "owner", "beat"
_BEATS_PER_LEASE = 4
_POLL_SECONDS = 0.2


class StudyIsBusyError(Exception):
    """Another worker that is alive, or may be, holds the study."""


class LeaseLostError(Exception):
    """The lease was broken: another worker has the study now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A study that this worker alone may add trials to.

    Attributes
    ----------
    storage : BaseStorage
        Where the study and its lease are kept.
    study_name : str
        The study.
    epoch, study_id : int
        Which lease of this study, and its own id in the storage.
    """

    storage: BaseStorage
    study_name: str
    epoch: int
    study_id: int

    def check(self) -> None:
        """Refuse to go on if another worker has taken over.

        Raises
        ------
        LeaseLostError
            If it has.
        """
        current = _current(self.storage, self.study_name)
        if current is None or current.study_id != self.study_id:
            raise LeaseLostError(self.study_name)


@contextmanager
def held(*, storage: BaseStorage, study_name: str, seconds: float, waits: bool) -> Iterator[Lease]:
    """Hold a study while the block runs.

    Parameters
    ----------
    storage : BaseStorage
        Shared by all workers.
    study_name : str
        The study, which need not exist yet.
    seconds : float
        A lease whose beat stands still for so long is broken.
    waits : bool
        Whether to wait for a study that another worker holds.

    Raises
    ------
    StudyIsBusyError
        If another worker holds it and ``waits`` is false.
    """
    lease = _acquired(storage=storage, study_name=study_name, seconds=seconds, waits=waits)
    stop = threading.Event()
    pulse = threading.Thread(
        target=_beat, args=(lease, stop, seconds / _BEATS_PER_LEASE), daemon=True
    )
    pulse.start()
    try:
        yield lease
    finally:
        stop.set()
        pulse.join()
        _drop(storage, lease.study_id)


@dataclass(frozen=True, slots=True)
class _Seen:
    study_id: int
    epoch: int
    owner: dict[str, Any]
    beat: int


def _name(study_name: str, epoch: int) -> str:
    return f"{PREFIX}/{study_name}/{epoch}"


def _current(storage: BaseStorage, study_name: str) -> _Seen | None:
    """Return the newest lease of a study, or None."""
    stem = f"{PREFIX}/{study_name}/"
    leases = [
        _Seen(
            study_id=study._study_id,
            epoch=int(study.study_name.removeprefix(stem)),
            owner=study.user_attrs.get(_OWNER, {}),
            beat=study.user_attrs.get(_BEAT, -1),
        )
        for study in storage.get_all_studies()
        if study.study_name.startswith(stem)
    ]
    return max(leases, key=lambda lease: lease.epoch, default=None)


def _acquired(*, storage: BaseStorage, study_name: str, seconds: float, waits: bool) -> Lease:
    watched: _Seen | None = None
    since = time.monotonic()
    while True:
        current = _current(storage, study_name)
        if current != watched:
            watched, since = current, time.monotonic()
        is_free = current is None or _is_gone(current.owner)
        if is_free or time.monotonic() - since > seconds:
            lease = _created(storage, study_name, 0 if current is None else current.epoch + 1)
            if lease is not None:
                if current is not None:
                    _drop(storage, current.study_id)
                return lease
        elif not waits:
            raise StudyIsBusyError(study_name)
        time.sleep(_POLL_SECONDS)


def _created(storage: BaseStorage, study_name: str, epoch: int) -> Lease | None:
    """Return the lease of this epoch, or None where another worker was faster."""
    try:
        study_id = storage.create_new_study(
            [StudyDirection.MINIMIZE], study_name=_name(study_name, epoch)
        )
    except DuplicatedStudyError:
        return None
    owner = {"machine": _machine(), "pid": os.getpid(), "token": uuid.uuid4().hex}
    storage.set_study_user_attr(study_id, _OWNER, owner)
    lease = Lease(storage, study_name, epoch, study_id)
    newest = _current(storage, study_name)
    if newest is None or newest.study_id != study_id:  # a takeover came between look and lease
        _drop(storage, study_id)
        return None
    return lease


def _drop(storage: BaseStorage, study_id: int) -> None:
    try:
        storage.delete_study(study_id)
    except KeyError:  # whoever took over has dropped it
        return


def _beat(lease: Lease, stop: threading.Event, pause: float) -> None:
    beat = 0
    while not stop.wait(pause):
        beat += 1
        try:
            lease.storage.set_study_user_attr(lease.study_id, _BEAT, beat)
        except KeyError:  # broken: `Lease.check` says so to the worker
            return


def worker_name() -> str:
    """Process and machine, for whoever looks at a shared study."""
    return f"{os.getpid()}@{platform.node()}"


def _machine() -> str:
    """Machine, and namespace of process ids: containers of one host may share its name."""
    namespace = "/proc/self/ns/pid"
    return f"{platform.node()} {os.readlink(namespace) if os.path.lexists(namespace) else ''}"


def _is_gone(owner: dict[str, Any]) -> bool:
    """Whether the owner's process has surely ended: it ran here, and is no more."""
    if os.name != "posix" or owner.get("machine") != _machine():
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    stat = Path(f"/proc/{owner['pid']}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # no such files here: the beat decides
        return False
