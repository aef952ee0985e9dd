"""What an earlier run found: read, moved into the space, counted, tried after the defaults."""

from __future__ import annotations

import json
import logging

import pytest

from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.tuning import read_warm_start, tuned_parameters, tuning_settings
from promo_uplift.tuning.warm_start import fitted_to_space

PARAMETERS = LearnerParameters.model_validate(
    {
        "defaults": {"depth": 3, "rate": 0.1, "rule": "a", "fixed": 7},
        "search_space": {
            "depth": {"kind": "int", "low": 1, "high": 5},
            "rate": {"kind": "float", "low": 0.01, "high": 1.0, "log": True},
            "rule": {"kind": "categorical", "choices": ["a", "b"]},
        },
    }
)


def fitted(given):
    return fitted_to_space(name="thing", parameters=PARAMETERS, given=given)


def test_a_point_inside_the_space_is_tried_as_it_is():
    start = fitted({"depth": 4, "rate": 0.5, "rule": "b", "fixed": 7})
    assert start.points == ({"depth": 4, "rate": 0.5, "rule": "b"},)
    assert start.n_moved == 0


def test_what_lies_outside_is_moved_counted_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        start = fitted({"depth": 9, "rate": 0.001, "rule": "c", "fixed": 8})
    assert start.points == ({"depth": 5, "rate": 0.01, "rule": "a"},)
    assert start.n_moved == 4
    assert "Warm start of thing: 4 of 4 values" in caplog.text
    assert "depth 9" in caplog.text


def test_missing_values_are_the_defaults_and_defaults_are_not_tried_twice():
    assert fitted({"depth": 2}).points == ({"depth": 2, "rate": 0.1, "rule": "a"},)
    for nothing in (None, {}, {"depth": 3, "rate": 0.1}):
        assert fitted(nothing).points == ()
    unsearched = LearnerParameters(defaults={"depth": 3})
    start = fitted_to_space(name="thing", parameters=unsearched, given={"depth": 9})
    assert start.points == ()


def test_the_file_of_a_run_is_read_back(tmp_path):
    written = tuned_parameters(
        champion="x",
        deployed={"depth": 5},
        by_fold={
            "x": [{"depth": 1}],
            "t": [
                {"depth": 1, "rate": 0.2, "rule": "a"},
                {"depth": 2, "rate": 0.4, "rule": "b"},
                {"depth": 9, "rate": 0.9, "rule": "b"},
            ],
            "constant": [{}, {}],
        },
    )
    file = tmp_path / "tuned_parameters.json"
    file.write_text(json.dumps(written))
    assert written["champion"] == "x"
    assert read_warm_start(str(file)) == {
        "x": {"depth": 5},
        "t": {"depth": 2, "rate": 0.4, "rule": "b"},
    }
    assert read_warm_start(None) == {}


@pytest.mark.parametrize(
    "content", ["no json", "[]", '{"x": {"depth": 1}}', '{"learners": {"x": 1}}']
)
def test_another_file_is_refused(tmp_path, content):
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"`tuning.warm_start` must"):
        read_warm_start(str(file))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="there is none at"):
        read_warm_start(str(tmp_path / "none.json"))


def tuning(**changes):
    settings = {
        "loss": "r_loss",
        "n_trials": 4,
        "timeout_seconds": 60.0,
        "n_startup_trials": 2,
        "pruner_warmup_folds": 1,
    }
    return TuningParameters(**{**settings, **changes})


def test_a_warm_start_counts_by_content_and_a_storage_not_at_all():
    plain = tuning_settings(tuning=tuning(), warm_start=None)
    moved = tuning(storage="sqlite:///a.db", warm_start="here.json", lease_seconds=5.0)
    assert tuning_settings(tuning=moved, warm_start=None) == plain
    assert tuning_settings(tuning=moved, warm_start={"depth": 1}) != plain
    assert tuning_settings(tuning=tuning(check_after_trials=3), warm_start=None) != plain


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:" + "secret@host/studies", "postgresql://host/studies?user=me&password=no"],
)
def test_a_password_in_the_configuration_is_refused(address):
    with pytest.raises(ValueError, match="must not hold a password"):
        tuning(storage=address)
    assert tuning(storage="postgresql://me@host:5432/studies").storage is not None
