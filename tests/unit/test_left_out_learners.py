"""A learner that cannot run here is left out with its reason, or refused where it was named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import promo_uplift
from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import TrialData
from promo_uplift.learners import (
    LEARNERS,
    check_some_can_run,
    left_out_learners,
    refuse_left_out,
)
from promo_uplift.learners.registry import Support

ABSENT = "a_package_that_nobody_has"
SMALL = {
    "nuisance": {"n_folds": 3, "n_trials": 0},
    "estimation": {"candidates": ["linear_dml", "uplift_forest"], "n_workers": 1},
    "metrics": {"bootstrap_replicates": 60},
}


def table(n=240):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    frame["treated"] = np.arange(n) % 2
    frame["spend"] = 10 + frame["a"] + 2 * frame["treated"] + rng.normal(size=n)
    return frame


def trials(*, outcome, has_missing=False):
    n = len(outcome)
    covariates = pd.DataFrame({"a": np.arange(n, dtype=float)})
    if has_missing:
        covariates.loc[2, "a"] = np.nan
    return TrialData(
        covariates=covariates,
        treatment=np.arange(n) % 2,
        outcome=outcome,
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.ones(n, dtype=np.int64),
    )


def state(monkeypatch, name, **fields):
    monkeypatch.setitem(LEARNERS, name, dataclasses.replace(LEARNERS[name], **fields))


@pytest.fixture
def without_package(monkeypatch):
    state(monkeypatch, "uplift_forest", requires=ABSENT)


def analysed(**keywords):
    return promo_uplift.analyse(
        table(), treatment="treated", outcome="spend", propensity=0.5, tuning=0, **keywords
    )


def test_nobody_is_left_out_of_plain_data():
    names = [name for name, spec in LEARNERS.items() if spec.requires is None]
    assert left_out_learners(names=names, data=trials(outcome=np.arange(8.0))) == {}


@pytest.mark.usefixtures("without_package")
def test_a_missing_package_is_the_reason():
    found = left_out_learners(names=LEARNERS, data=trials(outcome=np.arange(8.0)))
    assert list(found) == ["uplift_forest"]
    assert f"needs the package `{ABSENT}`, which is not installed" in found["uplift_forest"]


def test_what_a_learner_says_it_refuses_is_the_reason(monkeypatch):
    refused = Support(False, "Refused: for the test.")
    state(monkeypatch, "t_learner", missing_covariates=refused)
    state(monkeypatch, "x_learner", binary_outcome=refused)
    names = ["t_learner", "x_learner"]
    plain = trials(outcome=np.arange(8.0))
    gaps = trials(outcome=np.arange(8.0), has_missing=True)
    binary = trials(outcome=np.arange(8) % 2 * 1.0)
    assert left_out_learners(names=names, data=plain) == {}
    assert left_out_learners(names=names, data=gaps) == {
        "t_learner": "Left out: covariates are missing. Refused: for the test."
    }
    assert left_out_learners(names=names, data=binary) == {
        "x_learner": "Left out: the outcome is binary. Refused: for the test."
    }


def test_a_run_needs_its_baselines_and_one_candidate():
    check_some_can_run(candidates=["a", "b"], left_out={"b": "Left out: for the test."})
    with pytest.raises(LearnerError, match=r"one candidate.*`b`: Left out: for the test\."):
        check_some_can_run(candidates=["b"], left_out={"b": "Left out: for the test."})
    with pytest.raises(LearnerError, match=r"baselines.*`response`: Left out: for the test\."):
        check_some_can_run(candidates=["b"], left_out={"response": "Left out: for the test."})


def test_who_is_named_is_refused():
    refuse_left_out(left_out={})
    with pytest.raises(LearnerError, match=r"`learners` must name.*`b`: Left out: for the test\."):
        refuse_left_out(left_out={"b": "Left out: for the test."})


@pytest.mark.usefixtures("without_package")
def test_a_run_goes_on_and_its_leaderboard_says_why_somebody_is_missing():
    result = analysed(parameters=SMALL)
    board = result.leaderboard.set_index("learner")
    assert board.index[-1] == "uplift_forest"
    row = board.loc["uplift_forest"]
    assert ABSENT in row["note"]
    assert row.drop("note").isna().all()
    assert (board["note"].drop("uplift_forest") == "").all()
    assert (
        board.drop(columns="note").loc["linear_dml", ["auuc", "dr_loss", "seconds"]].notna().all()
    )
    assert result.champion in {"constant", "linear_dml"}
    assert "uplift_forest" not in result.analysis.cross_fitted


@pytest.mark.usefixtures("without_package")
def test_a_run_of_nobody_else_is_refused():
    only = {**SMALL, "estimation": {"candidates": ["uplift_forest"], "n_workers": 1}}
    with pytest.raises(LearnerError, match="at least one candidate that can run"):
        analysed(parameters=only)


@pytest.mark.usefixtures("without_package")
def test_naming_it_in_analyse_is_refused():
    with pytest.raises(LearnerError, match="`learners` must name learners that can run here"):
        analysed(learners=["linear_dml", "uplift_forest"], parameters={"nuisance": {"n_trials": 0}})
