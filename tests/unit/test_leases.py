"""One owner at a time: busy studies, dead owners, silent owners, lost leases."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.nuisance import leases
from promo_uplift.nuisance.leases import LeaseLostError, StudyIsBusyError, held
from promo_uplift.nuisance.storage import opened_storage

STUDY = "digest/thing/fold_0/abc"


@pytest.fixture(params=["journal", "sqlite"])
def address(request, tmp_path):
    return {
        "journal": str(tmp_path / "a folder" / "studies.log"),
        "sqlite": f"sqlite:///{tmp_path}/a folder/studies.db",
    }[request.param]


def names(storage):
    return [study.study_name for study in storage.get_all_studies()]


def hold(address, *, seconds=60.0, waits=False, study=STUDY):
    return held(storage=opened_storage(address), study_name=study, seconds=seconds, waits=waits)


def test_a_held_study_is_busy_and_free_again_afterwards(address):
    with hold(address), pytest.raises(StudyIsBusyError, match="fold_0"), hold(address):
        pass
    with hold(address) as again:
        again.check()
    assert names(opened_storage(address)) == []


def test_another_study_is_not_busy(address):
    with hold(address), hold(address, study=f"{STUDY}d"):
        pass


def test_who_waits_gets_it_as_soon_as_it_is_free(address):
    got = []

    def wait():
        with hold(address, waits=True):
            got.append(time.monotonic())

    with hold(address):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        assert got == []
    waiting.join(timeout=20)
    assert len(got) == 1


def test_the_lease_of_a_process_that_is_gone_is_broken_at_once(address):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    storage = opened_storage(address)
    lease = leases._created(storage, STUDY, 0)
    owner = {"machine": leases._machine(), "pid": ended.pid, "token": "dead"}
    storage.set_study_user_attr(lease.study_id, "owner", owner)
    with hold(address, seconds=600.0):
        pass


def test_a_silent_owner_elsewhere_loses_the_study_and_a_beating_one_does_not(address):
    storage = opened_storage(address)
    lease = leases._created(storage, STUDY, 0)
    elsewhere = {"machine": "another", "pid": os.getpid(), "token": "far"}
    storage.set_study_user_attr(lease.study_id, "owner", elsewhere)
    with pytest.raises(StudyIsBusyError), hold(address, seconds=0.6):
        pass
    stop = threading.Event()
    pulse = threading.Thread(target=leases._beat, args=(lease, stop, 0.1))
    pulse.start()
    started = time.monotonic()
    threading.Timer(2.0, stop.set).start()
    with hold(address, seconds=0.6, waits=True) as mine:
        assert time.monotonic() - started > 2.0  # as long as it beat
        assert mine.epoch == 1
        with pytest.raises(LeaseLostError):
            lease.check()
    pulse.join()


def test_of_many_that_want_it_one_gets_it(address):
    opened_storage(address)
    inside, most = [], []

    def work():
        with hold(address, waits=True):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert most == [1, 1, 1, 1]


def test_a_database_without_its_driver_is_refused_with_what_to_do():
    with pytest.raises(ConfigurationError, match=r"`tuning.storage` .* not installed"):
        opened_storage("oracle+nodriver://host/studies")
