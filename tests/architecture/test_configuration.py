"""The configuration: typed in full, one file per learner, and environments that change no logic."""

from __future__ import annotations

import inspect
from numbers import Real

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from promo_uplift.checks import CHECKS, validate_check_parameters
from promo_uplift.contracts.parameters import CheckParameters, LearnerParameters
from promo_uplift.learners.registry import LEARNERS
from promo_uplift.tuning import check_configured_learner

#: Leaves out a table that no covariate reads, 21 million rows: a size, told by a switch.
SIZE_SWITCHES = {"source.promotions"}
#: What an environment for another source may change besides its catalog.
SOURCE_KEYS = {"source.form", "source.folder"}


def leaves(value, prefix=""):
    """Dotted names of a nested configuration's values."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        name: leaf
        for key, inner in value.items()
        for name, leaf in leaves(inner, f"{prefix}.{key}" if prefix else key).items()
    }


def raw_parameters(root, environment):
    merged = {}
    for path in sorted((root / "conf" / environment / "parameters").rglob("*.yml")):
        merged |= yaml.safe_load(path.read_text(encoding="utf-8"))
    return merged


def typed_parameters(pipelines):
    """Model of each parameter, from the annotations of the nodes that read it."""
    types = {}
    for node in pipelines["uplift"].nodes:
        arguments = inspect.signature(node.func, eval_str=True).parameters.values()
        for argument, name in zip(arguments, node.inputs, strict=True):
            if name.startswith("params:"):
                types.setdefault(name.removeprefix("params:"), set()).add(argument.annotation)
    return types


@pytest.fixture(scope="module", params=["base", "test", "original"])
def parameters(request, load_configuration):
    return load_configuration(request.param)["parameters"]


def test_every_parameter_has_one_strict_type(pipelines):
    types = typed_parameters(pipelines)
    assert {name for name, found in types.items() if len(found) != 1} == set()
    assert types.pop("seed") == {int}
    for (model,) in types.values():
        assert issubclass(model, BaseModel)
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["strict"]
        assert model.model_config["frozen"]


def test_every_parameter_is_read_and_valid(parameters, pipelines):
    types = typed_parameters(pipelines)
    given = {name for name in parameters if not name.startswith("_")}
    assert given == set(types)
    for name, (model,) in types.items():
        if issubclass(model, BaseModel):
            model.model_validate(parameters[name])


def test_a_wrong_key_would_be_refused(parameters, pipelines):
    (model,) = typed_parameters(pipelines)["policy"]
    with pytest.raises(ValidationError, match="margin"):
        model.model_validate({**parameters["policy"], "margin": 0.2})


def test_failures_are_named_for_exactly_the_checks(parameters):
    checks = CheckParameters.model_validate(parameters["checks"])
    validate_check_parameters(checks)
    assert list(checks.on_fail) == list(CHECKS)


def test_every_learner_has_a_file_that_the_estimation_uses(root, parameters):
    folder = root / "conf" / "base" / "parameters" / "learners"
    files = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.iterdir()}
    assert set(files) == set(LEARNERS)
    for name, content in files.items():
        assert list(content) == [f"_{name}"]
    text = (folder.parent / "causal_estimation.yml").read_text(encoding="utf-8")
    for name in files:
        assert f"    {name}: ${{_{name}}}\n" in text
    assert set(parameters["estimation"]["learners"]) == set(LEARNERS)


def test_every_learners_defaults_lie_in_its_search_space(parameters):
    for name, values in parameters["estimation"]["learners"].items():
        check_configured_learner(name=name, parameters=LearnerParameters.model_validate(values))


def not_sizes(changed, base):
    """Keys of the test environment that base lacks, or that change more than a number."""
    known = leaves(base)
    found = {}
    for name, value in leaves(changed).items():
        if name not in known:
            found[name] = "not in base"
        elif name in SIZE_SWITCHES:
            continue
        elif isinstance(value, bool) or not isinstance(value, Real):
            found[name] = "no number"
        elif known[name] is not None and not isinstance(known[name], Real):
            found[name] = "a number in place of something else"
    return found


def test_the_test_environment_changes_sizes_only(root, load_configuration):
    base = load_configuration("base")["parameters"]
    assert not_sizes(raw_parameters(root, "test"), base) == {}
    folders = {path.name for path in (root / "conf" / "test").iterdir()}
    assert folders == {"parameters"}


def test_a_test_environment_that_changes_logic_would_be_found(load_configuration):
    base = load_configuration("base")["parameters"]
    changed = {
        "tuning": {"loss": "dr_loss", "n_trials": 1, "n_trails": 1},
        "policy": {"values_are_assumptions": False},
        "estimation": {"outcome": 3},
    }
    assert set(not_sizes(changed, base)) == {
        "tuning.loss",
        "tuning.n_trails",
        "policy.values_are_assumptions",
        "estimation.outcome",
    }


def test_the_environment_of_the_publishers_files_changes_the_source_only(root):
    assert set(leaves(raw_parameters(root, "original"))) == SOURCE_KEYS
