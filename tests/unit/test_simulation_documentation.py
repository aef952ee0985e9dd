"""The page of the simulation names every knob and every column of the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from simulation_worlds import parameters, profile

from promo_uplift.simulation import (
    ProfileParameters,
    SimulationParameters,
    StoreStudyParameters,
    build_world,
)

ROOT = Path(__file__).parents[2]
MODELS = {
    "simulation": SimulationParameters,
    "simulation_profile": ProfileParameters,
    "store_study": StoreStudyParameters,
}


@pytest.fixture(scope="module")
def page():
    return (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def configured():
    path = ROOT / "conf" / "base" / "parameters" / "simulation.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def leaf_names(values):
    names = set()
    for key, value in values.items():
        names |= leaf_names(value) if isinstance(value, dict) else {key}
    return names


def unmentioned(names, text):
    return {name for name in names if not re.search(rf"`(\w+\.)*{name}`", text)}


def test_the_configuration_is_valid(configured):
    assert set(configured) == set(MODELS)
    for name, model in MODELS.items():
        model.model_validate(configured[name])


def test_every_knob_is_documented(configured, page):
    names = leaf_names(configured)
    assert len(names) > 60
    assert unmentioned(names, page) == set()


def test_every_column_of_the_truth_is_documented(page):
    truth = build_world(profile=profile(), parameters=parameters(n_households=40), seed=1).truth
    assert unmentioned(truth.columns, page) == set()


def test_the_check_can_fail(page):
    assert unmentioned({"no_such_knob"}, page) == {"no_such_knob"}
