"""A study that is really killed, with its process, ends where an uninterrupted one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

PROGRAM = """
import sys, time
import numpy as np, pandas as pd
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.learners.dr_learner import DRLearner
from promo_uplift.tuning import cross_fit_learner

pause, journal, out = float(sys.argv[1]), sys.argv[2], sys.argv[3]
quick = DRLearner._fit
def slowed(self, **arguments):
    time.sleep(pause)
    quick(self, **arguments)
DRLearner._fit = slowed

rng = np.random.default_rng(0)
n = 120
x = rng.normal(size=(n, 3))
treatment = rng.integers(0, 2, n)
outcome = x[:, 0] + treatment * x[:, 1] + rng.normal(size=n)
data = TrialData(pd.DataFrame(x, columns=list("abc")), treatment, outcome, np.zeros(n),
                 np.arange(n), np.full(n, 8))
fold = np.arange(n) % 3
same = np.full((n, 3), 0.5)
nuisances = CrossFittedNuisances(fold, same, 0 * same, 0 * same, 0 * same, same[:, 0], 0, 0.05,
                                 pd.DataFrame())
trees = {"n_estimators": 5, "learning_rate": 0.3, "num_leaves": 4, "min_child_samples": 5,
         "reg_lambda": 1.0, "colsample_bytree": 1.0}
space = {"num_leaves": {"kind": "int", "low": 2, "high": 8},
         "reg_lambda": {"kind": "float", "low": 0.1, "high": 100.0, "log": True}}
result = cross_fit_learner(
    name="dr_learner", data=data, nuisances=nuisances,
    parameters=LearnerParameters.model_validate({"defaults": trees, "search_space": space}),
    tuning=TuningParameters(loss="dr_loss", n_trials=6, timeout_seconds=60.0, n_startup_trials=2,
                            pruner_warmup_folds=0),
    seed=3, n_workers=1, storage=None if journal == "-" else journal, study_prefix="digest")
result.tuning.to_csv(out + ".trials.csv", index=False)
pd.DataFrame(result.cate).to_csv(out + ".cate.csv", index=False)
"""


def command(tmp_path, pause, journal, out):
    return [sys.executable, "-c", PROGRAM, str(pause), str(journal), str(tmp_path / out)]


def environment():
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONPATH": source}


def finished(tmp_path, out):
    trials = pd.read_csv(tmp_path / f"{out}.trials.csv")
    return trials[trials["state"] != "FAIL"].drop(columns=["number", "seconds"])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_study_resumes_to_the_same_result(tmp_path):
    journal = tmp_path / "studies.log"
    victim = subprocess.Popen(
        command(tmp_path, 0.1, journal, "killed"), env=environment(), start_new_session=True
    )
    deadline = time.monotonic() + 60
    # Wait for the second fold's study (about 10 log lines per trial, 6 trials per fold).
    while time.monotonic() < deadline and victim.poll() is None:
        if journal.exists() and b"/fold_1/" in journal.read_bytes():
            time.sleep(0.35)  # in the middle of its second trial
            break
        time.sleep(0.02)
    assert victim.poll() is None, "the study ended before it could be killed"
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert not (tmp_path / "killed.cate.csv").exists()

    subprocess.run(command(tmp_path, 0, journal, "resumed"), env=environment(), check=True)
    subprocess.run(command(tmp_path, 0, "-", "straight"), env=environment(), check=True)

    resumed = finished(tmp_path, "resumed").reset_index(drop=True)
    pd.testing.assert_frame_equal(resumed, finished(tmp_path, "straight").reset_index(drop=True))
    assert (tmp_path / "resumed.cate.csv").read_bytes() == (
        tmp_path / "straight.cate.csv"
    ).read_bytes()
    # Slow trials were the victim's: those of the first fold were taken over, not redone at speed.
    seconds = pd.read_csv(tmp_path / "resumed.trials.csv").set_index("fold")["seconds"]
    assert seconds.loc[0].min() > 0.09
