"""Where studies are kept: in memory, in a journal file, or in a database that machines share."""

from __future__ import annotations

import time
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import ArgumentError, DBAPIError

from promo_uplift.contracts.errors import ConfigurationError

_JOURNAL_LOCK_SECONDS = 10  # a lock that a killed process left behind is broken after this
_SQLITE_WAIT_SECONDS = 60
_OPENING_ATTEMPTS = 20
_OPENING_PAUSE_SECONDS = 0.25


def is_database(address: str) -> bool:
    """Whether an address is a database's URL, not a file's path.

    Examples
    --------
    >>> is_database("sqlite:///studies.db"), is_database("data/06_models/optuna_journal.log")
    (True, False)
    """
    return "://" in address


def opened_storage(address: str | None) -> optuna.storages.BaseStorage:
    """Open a storage, and make it if it is not there.

    Parameters
    ----------
    address : str or None
        None keeps studies in memory; ``sqlite:///...``, ``postgresql://...``: a database; anything
        else: a journal file.
    """
    if address is None:
        return optuna.storages.InMemoryStorage()
    if is_database(address):
        return _opened_database(address)
    file = Path(address)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(address, grace_period=_JOURNAL_LOCK_SECONDS)
    lock.acquire()
    try:
        _cut_torn_line(file)
    finally:
        lock.release()
    return optuna.storages.JournalStorage(JournalFileBackend(address, lock_obj=lock))


def _opened_database(address: str) -> optuna.storages.RDBStorage:
    options = {}
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": _SQLITE_WAIT_SECONDS}}
    for attempt in range(1, _OPENING_ATTEMPTS + 1):
        try:
            return optuna.storages.RDBStorage(address, engine_kwargs=options)
        except (ImportError, ArgumentError) as error:
            raise ConfigurationError(
                f"`tuning.storage` names a database whose driver is not installed: {error}. "
                "Correct the URL, install the driver, or keep the studies in a file."
            ) from error
        except DBAPIError as error:
            # two workers made the tables at once: the slower one looks again
            if attempt == _OPENING_ATTEMPTS:
                raise ConfigurationError(
                    f"`tuning.storage` could not be opened: {error}. Check the database's address "
                    "and that it takes connections."
                ) from error
            time.sleep(_OPENING_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def _cut_torn_line(file: Path) -> None:
    """Cut a last line that a kill left half-written; Optuna would refuse the journal for it."""
    if not file.exists():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as journal:
            journal.truncate(content.rfind(b"\n") + 1)
