"""Two processes on one storage: every trial once, none lost, the result of one process alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest

from promo_uplift.nuisance.storage import opened_storage

PROGRAM = """
import sys, time
import numpy as np, pandas as pd
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.learners.dr_learner import DRLearner
from promo_uplift.tuning import cross_fit_learner

pause, storage, out = float(sys.argv[1]), sys.argv[2], sys.argv[3]
quick = DRLearner._fit
def slowed(self, **arguments):
    time.sleep(pause)
    quick(self, **arguments)
DRLearner._fit = slowed

rng = np.random.default_rng(0)
n, k = 150, 5
x = rng.normal(size=(n, 3))
treatment = rng.integers(0, 2, n)
outcome = x[:, 0] + treatment * x[:, 1] + rng.normal(size=n)
data = TrialData(pd.DataFrame(x, columns=list("abc")), treatment, outcome, np.zeros(n),
                 np.arange(n), np.full(n, 8))
same = np.full((n, k), 0.5)
nuisances = CrossFittedNuisances(np.arange(n) % k, same, 0 * same, 0 * same, 0 * same,
                                 same[:, 0], 0, 0.05, pd.DataFrame())
trees = {"n_estimators": 5, "learning_rate": 0.3, "num_leaves": 4, "min_child_samples": 5,
         "reg_lambda": 1.0, "colsample_bytree": 1.0}
space = {"num_leaves": {"kind": "int", "low": 2, "high": 8},
         "reg_lambda": {"kind": "float", "low": 0.1, "high": 100.0, "log": True}}
result = cross_fit_learner(
    name="dr_learner", data=data, nuisances=nuisances,
    parameters=LearnerParameters.model_validate({"defaults": trees, "search_space": space}),
    tuning=TuningParameters(loss="dr_loss", n_trials=5, timeout_seconds=600.0,
                            n_startup_trials=2, pruner_warmup_folds=1, check_after_trials=3,
                            gain_level=0.3),
    seed=3, n_workers=1, storage=None if storage == "-" else storage, study_prefix="digest")
result.tuning.to_csv(out + ".trials.csv", index=False)
result.studies.drop(columns="seconds").to_csv(out + ".studies.csv", index=False)
pd.DataFrame(result.cate).to_csv(out + ".cate.csv", index=False)
"""
FOLDS = 5


@pytest.fixture(params=["journal", "sqlite"])
def address(request, tmp_path):
    return {
        "journal": str(tmp_path / "studies.log"),
        "sqlite": f"sqlite:///{tmp_path}/studies.db",
    }[request.param]


def start(tmp_path, out, *, pause, storage):
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(pause), storage, str(tmp_path / out)],
        env={**os.environ, "PYTHONPATH": source},
        start_new_session=True,
    )


def finish(process):
    assert process.wait(timeout=120) == 0


def trials(tmp_path, out):
    table = pd.read_csv(tmp_path / f"{out}.trials.csv")
    kept = table[table["state"] != "FAIL"].drop(columns=["number", "seconds"])
    return kept.reset_index(drop=True)


def content(tmp_path, out, what):
    return (tmp_path / f"{out}.{what}.csv").read_bytes()


def studies_in(address):
    storage = opened_storage(address)
    return [
        optuna.load_study(study_name=study.study_name, storage=storage)
        for study in storage.get_all_studies()
    ]


def same_as_alone(tmp_path, out):
    finish(start(tmp_path, "alone", pause=0, storage="-"))
    pd.testing.assert_frame_equal(trials(tmp_path, out), trials(tmp_path, "alone"))
    for what in ("cate", "studies"):
        assert content(tmp_path, out, what) == content(tmp_path, "alone", what)


def test_two_processes_share_the_studies_and_agree_with_one_alone(tmp_path, address):
    pair = [start(tmp_path, out, pause=0.15, storage=address) for out in ("one", "two")]
    for process in pair:
        finish(process)
    same_as_alone(tmp_path, "one")
    same_as_alone(tmp_path, "two")
    studies = studies_in(address)
    assert len(studies) == FOLDS  # and no lease is left
    workers = []
    for study in studies:
        states = [trial.state.name for trial in study.trials]
        assert set(states) <= {"COMPLETE", "PRUNED"}  # none was begun twice, none was lost
        owners = {trial.user_attrs["worker"] for trial in study.trials}
        assert len(owners) == 1  # a study has one worker
        workers += owners
    assert len(set(workers)) == len(pair)  # and both worked
    counts = pd.read_csv(tmp_path / "one.trials.csv").groupby("fold").size()
    assert sorted(len(study.trials) for study in studies) == sorted(counts)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_the_study_of_a_killed_process_is_taken_over(tmp_path, address):
    victim = start(tmp_path, "victim", pause=0.4, storage=address)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(study.trials for study in studies_in(address)):
        time.sleep(0.1)
    other = start(tmp_path, "other", pause=0.05, storage=address)
    time.sleep(0.5)
    assert victim.poll() is None, "the victim ended before it could be killed"
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    finish(other)
    same_as_alone(tmp_path, "other")
    assert len(studies_in(address)) == FOLDS
