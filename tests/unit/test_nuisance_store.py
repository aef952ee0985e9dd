"""Nuisances once per data version: taken from the store, bit for bit, or computed anew."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest

from promo_uplift.analysis import estimate_nuisances
from promo_uplift.contracts.parameters import (
    LearnerParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.nuisance.store import nuisances_once

TREES = {
    "n_estimators": 5,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
}
TUNING = TuningParameters(
    loss="r_loss", n_trials=0, timeout_seconds=60.0, n_startup_trials=1, pruner_warmup_folds=1
)


def settings(folder, **changes):
    values = {
        "n_folds": 3,
        "propensity_clip": 0.05,
        "n_trials": 0,
        "timeout_seconds": 60.0,
        "model": LearnerParameters.model_validate({"defaults": TREES}),
        "calibration": "beta",
        "store": str(folder),
    }
    return NuisanceParameters(**{**values, **changes})


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    treatment = (rng.random(300) < 0.5).astype(np.int64)
    return TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=treatment,
        outcome=x[:, 1] + rng.normal(size=300),
        redeemed=treatment * (rng.random(300) < 0.3),
        groups=np.arange(300),
        campaign=np.full(300, 8),
    )


def run(data, nuisance, *, seed=1, tuning=TUNING):
    return estimate_nuisances(data=data, nuisance=nuisance, n_workers=1, tuning=tuning, seed=seed)


def same(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "is_reused":
            continue
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b, check_exact=True)
        else:
            np.testing.assert_array_equal(a, b)


def test_a_second_run_takes_the_same_bits_and_says_so(data, tmp_path, caplog):
    first = run(data, settings(tmp_path))
    assert not first.is_reused
    (kept,) = tmp_path.iterdir()
    with caplog.at_level(logging.INFO):
        other_tuning = TUNING.model_copy(update={"n_trials": 7, "loss": "dr_loss"})
        second = run(data, settings(tmp_path, n_repeats=3), tuning=other_tuning)
    assert second.is_reused
    assert str(kept) in caplog.text
    same(first, second)
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


def test_without_a_store_nothing_is_kept_or_taken(data, tmp_path):
    kept = run(data, settings(tmp_path))
    plain = run(data, settings(tmp_path, store=None))
    assert not plain.is_reused
    same(kept, plain)


def one_outcome(data):
    outcome = data.outcome.copy()
    outcome[17] += 1e-9
    return dataclasses.replace(data, outcome=outcome)


@pytest.mark.parametrize(
    "change",
    [
        {"propensity_clip": 0.06},
        {"n_folds": 4},
        {"calibration": "none"},
        {"calibration_level": 0.1},
        {"model": LearnerParameters.model_validate({"defaults": {**TREES, "num_leaves": 5}})},
    ],
)
def test_another_setting_is_computed_anew(data, tmp_path, change):
    run(data, settings(tmp_path))
    assert not run(data, settings(tmp_path, **change)).is_reused
    assert len(list(tmp_path.iterdir())) == 2


def test_one_changed_outcome_or_another_seed_is_computed_anew(data, tmp_path):
    run(data, settings(tmp_path))
    assert not run(one_outcome(data), settings(tmp_path)).is_reused
    assert not run(data, settings(tmp_path), seed=2).is_reused
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("damage", ["torn", "one_bit", "empty", "foreign"])
def test_a_file_that_is_not_whole_is_named_and_never_trusted(data, tmp_path, caplog, damage):
    first = run(data, settings(tmp_path))
    (kept,) = tmp_path.iterdir()
    content = bytearray(kept.read_bytes())
    if damage == "one_bit":
        content[len(content) // 2] ^= 1
    damaged = {
        "torn": bytes(content[: len(content) // 2]),
        "one_bit": bytes(content),
        "empty": b"",
        "foreign": b"not a pickle at all",
    }[damage]
    kept.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        again = run(data, settings(tmp_path))
    assert not again.is_reused
    assert str(kept) in caplog.text
    same(first, again)
    assert run(data, settings(tmp_path)).is_reused  # the whole file is back


def test_a_computation_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        nuisances_once(folder=str(tmp_path), digest="d", compute=fail)
    assert list(tmp_path.iterdir()) == []
