"""A study resumes only where nothing that decides its result has changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import randomised_world

from promo_uplift.tuning import digest as module
from promo_uplift.tuning import study_digest

SETTINGS = {"learner": {"num_leaves": 4}, "seed": 1}


@pytest.fixture
def data():
    return randomised_world(n_households=20, seed=0, effect_usd=1.0)[0]


def test_equal_inputs_have_one_digest_of_twelve_hexadecimal_characters(data):
    again = randomised_world(n_households=20, seed=0, effect_usd=1.0)[0]
    digest = study_digest(data=data, settings=SETTINGS)
    assert digest == study_digest(data=again, settings=dict(reversed(SETTINGS.items())))
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize("field", ["treatment", "outcome", "redeemed", "groups", "campaign"])
def test_one_changed_value_changes_it(data, field):
    values = getattr(data, field).copy()
    values[3] += 1
    changed = replace(data, **{field: values})
    assert study_digest(data=changed, settings=SETTINGS) != study_digest(
        data=data, settings=SETTINGS
    )


def test_a_covariate_or_its_name_changes_it(data):
    value = data.covariates.copy()
    value.iloc[0, 0] = np.nan
    renamed = data.covariates.rename(columns={"spend": "spending"})
    digests = {
        study_digest(data=replace(data, covariates=frame), settings=SETTINGS)
        for frame in (data.covariates, value, renamed)
    }
    assert len(digests) == 3


def test_a_setting_changes_it(data):
    other = {"learner": {"num_leaves": 5}, "seed": 1}
    assert study_digest(data=data, settings=other) != study_digest(data=data, settings=SETTINGS)


def test_the_index_of_the_covariates_does_not(data):
    moved = replace(data, covariates=data.covariates.set_axis(range(100, 140), axis=0))
    assert study_digest(data=moved, settings=SETTINGS) == study_digest(data=data, settings=SETTINGS)


def test_code_and_libraries_change_it(data, tmp_path, monkeypatch):
    package = Path(module.__file__).parents[1]
    for room in module.ROOMS:
        shutil.copytree(package / room, tmp_path / room)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "tuning" / "digest.py"))
    before = study_digest(data=data, settings=SETTINGS)
    learner = tmp_path / "learners" / "dr_learner.py"
    learner.write_text(learner.read_text() + "\n")
    after = study_digest(data=data, settings=SETTINGS)
    monkeypatch.setattr(module, "version", lambda name: "0.0.0")
    assert len({before, after, study_digest(data=data, settings=SETTINGS)}) == 3


def test_a_stated_propensity_changes_it(data):
    n = len(data.outcome)
    digests = {
        study_digest(data=replace(data, known_propensity=known), settings=SETTINGS)
        for known in (None, np.full(n, 0.5), np.full(n, 0.4))
    }
    assert len(digests) == 3
