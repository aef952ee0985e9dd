"""`optuna-dashboard` opens the studies that a search left, from a journal and from a database."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.nuisance.studies import StudyPlan, run_study

PLAN = StudyPlan(
    name="digest/x_learner/r_loss",
    fold=0,
    parameters=LearnerParameters.model_validate(
        {
            "defaults": {"depth": 3, "fixed": 1},
            "search_space": {"depth": {"kind": "int", "low": 1, "high": 9}},
        }
    ),
    n_trials=4,
    timeout_seconds=60.0,
    n_startup_trials=2,
    pruner_warmup_folds=1,
    seed=1,
    storage=None,
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(url, deadline=60.0):
    """The JSON at an address, as soon as the server is up."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    last = time.monotonic() + deadline
    while True:
        try:
            with opener.open(url, timeout=10) as reply:
                return json.load(reply)
        except URLError:
            if time.monotonic() > last:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_the_dashboard_shows_a_study(tmp_path, kind):
    address = {
        "journal": str(tmp_path / "optuna_journal.log"),
        "sqlite": f"sqlite:///{tmp_path}/studies.db",
    }[kind]
    plan = StudyPlan(
        **{name: getattr(PLAN, name) for name in PLAN.__slots__ if name != "storage"},
        storage=address,
    )
    found = run_study(
        plan=plan, split_loss=lambda choice, split: (choice["depth"] - 5) ** 2 + split, n_splits=2
    )
    port = free_port()
    command = Path(sys.executable).with_name("optuna-dashboard")
    server = subprocess.Popen(
        [str(command), address, "--host", "127.0.0.1", "--port", str(port), "--quiet"],
        env=dict(os.environ),
        start_new_session=True,
    )
    try:
        listed = answer(f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
        assert [study["study_name"] for study in listed] == [plan.study_name]  # and no lease
        number = listed[0]["study_id"]
        shown = answer(f"http://127.0.0.1:{port}/api/studies/{number}?after=0")["trials"]
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert [trial["state"].upper() for trial in shown] == list(found.trials["state"])
    assert [int(trial["params"][0]["param_external_value"]) for trial in shown] == list(
        found.trials["depth"]
    )
    assert [trial["values"][0] for trial in shown] == pytest.approx(list(found.trials["loss"]))
