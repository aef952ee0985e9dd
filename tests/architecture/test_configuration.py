"""The configuration: typed in full, one file per learner, and environments that change no logic."""

from __future__ import annotations

import inspect
from numbers import Real

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.cli.utils import _split_params
from pydantic import BaseModel, ValidationError

from promo_uplift.checks import CHECKS, validate_check_parameters
from promo_uplift.contracts.parameters import (
    CheckParameters,
    LearnerParameters,
    PolicyParameters,
)
from promo_uplift.learners.registry import LEARNERS
from promo_uplift.settings import CONFIG_LOADER_ARGS
from promo_uplift.tuning import check_configured_learner, ensemble_members

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
    for node in {node for one in pipelines.values() for node in one.nodes}:
        arguments = inspect.signature(node.func, eval_str=True).parameters.values()
        for argument, name in zip(arguments, node.inputs, strict=True):
            if name.startswith("params:"):
                types.setdefault(name.removeprefix("params:"), set()).add(argument.annotation)
    return types


@pytest.fixture(scope="module", params=["base", "test", "original", "simulated", "table"])
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
    # tables are read in their own environment only
    assert given | {"table", "arms", "outside_sets"} == set(types)
    for name in given:
        (model,) = types[name]
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


def learner_files(root, environment):
    folder = root / "conf" / environment / "parameters" / "learners"
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.glob("*.yml")}


def test_every_learner_has_a_file_that_an_estimation_uses(root, load_configuration):
    """Made for retail spend (base), or for tables whose outcome follows the covariates closely."""
    base, of_tables = learner_files(root, "base"), learner_files(root, "table")
    assert set(base) | set(of_tables) == set(LEARNERS)
    assert set(of_tables) - set(base) == {"trend_learner"}
    for name, content in [*base.items(), *of_tables.items()]:
        assert list(content) == [f"_{name}"]
    for environment in ("base", "test", "original", "simulated"):
        learners = load_configuration(environment)["parameters"]["estimation"]["learners"]
        assert set(learners) == set(base)
    learners = load_configuration("table")["parameters"]["estimation"]["learners"]
    assert set(learners) == set(LEARNERS)


def test_every_effect_may_become_champion_but_the_one_that_is_shown_only(load_configuration):
    """ADR 0013: it stays in the leaderboard and in the ensemble; tables let it compete."""
    effects = {name for name, spec in LEARNERS.items() if spec.role == "cate"}
    for environment in ("base", "test", "original", "simulated"):
        estimation = load_configuration(environment)["parameters"]["estimation"]
        fitted = effects & set(estimation["learners"])
        assert fitted - set(estimation["candidates"]) == {"class_transformation"}
        assert "class_transformation" in ensemble_members(estimation["learners"])
    estimation = load_configuration("table")["parameters"]["estimation"]
    assert set(estimation["candidates"]) == effects


@pytest.mark.parametrize(
    ("environment", "file"), [("base", "causal_estimation"), ("table", "estimation")]
)
def test_the_estimation_names_each_learners_own_file(root, environment, file):
    path = root / "conf" / environment / "parameters" / f"{file}.yml"
    text = path.read_text(encoding="utf-8")
    for name in learner_files(root, environment):
        assert f"    {name}: ${{_{name}}}\n" in text


def test_every_learners_defaults_lie_in_its_search_space(parameters):
    for name, values in parameters["estimation"]["learners"].items():
        check_configured_learner(name=name, parameters=LearnerParameters.model_validate(values))


def not_sizes(changed, base):
    """Keys of the test environment that base lacks, or that change more than a number."""
    known = leaves(base)
    found = {}
    for name, value in leaves(changed).items():
        section = name.split(".")[0]
        if section.startswith("_") and section not in base:
            continue  # an anchor of this file, judged where it is used
        if name not in known:
            found[name] = "not in base"
        elif name in SIZE_SWITCHES:
            continue
        elif isinstance(value, list) and isinstance(known[name], list):
            if not all(isinstance(one, Real) for one in [*value, *known[name]]):
                found[name] = "not a list of numbers"
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


def test_the_environment_of_tables_names_no_column_and_no_money(root, load_configuration):
    text = (root / "conf" / "table" / "parameters" / "table.yml").read_text(encoding="utf-8")
    changed = yaml.safe_load(text)
    assert set(changed) == {"table", "estimation", "policy", "wording"}
    assert changed["estimation"] == {"outcome": "outcome"}
    assert changed["policy"]["are_stated"] is False
    unset = {name for name, value in changed["table"].items() if value is None}
    assert set(changed["table"]) - unset == {"max_levels", "identifier_share"}
    given = load_configuration("table")["parameters"]
    assert given["policy"]["contact_cost_usd"] == 0.0
    assert set(given["wording"]) == set(changed["wording"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("policy.contact_cost_usd=1.2", 1.2),
        ("policy.contact_cost_usd.uniform.low=1.0,policy.contact_cost_usd.uniform.high=2.0", 1.5),
    ],
)
def test_an_amount_of_money_is_overridden_by_a_number_or_a_law(root, given, expected):
    loader = OmegaConfigLoader(
        conf_source=str(root / "conf"),
        runtime_params=_split_params(None, None, given),
        **CONFIG_LOADER_ARGS,
    )
    policy = PolicyParameters.model_validate(loader["parameters"]["policy"])
    assert policy.expected.contact_cost_usd == expected
