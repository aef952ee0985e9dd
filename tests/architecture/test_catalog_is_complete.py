"""Kedro gives an undeclared dataset a place in memory in silence; this project declares all."""

from __future__ import annotations

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

ENVIRONMENTS = ("base", "test", "original", "simulated", "table")
#: Pipelines of their own, beside the way from data to decision.
BESIDE = {
    "arms",
    "simulation",
    "benchmark",
    "outside_sets",
    "panel_effects",
    "prospective",
    "experiment_result",
    "scoring",
}
DOORS = {"data_engineering", "table"}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def catalog(request, load_configuration):
    return DataCatalog.from_config(load_configuration(request.param)["catalog"])


def dataset_names(pipeline):
    return {name for name in pipeline.datasets() if not name.startswith(("params:", "parameters"))}


def uncatalogued(pipeline, catalog):
    return {name for name in dataset_names(pipeline) if name not in catalog}


def test_every_dataset_of_every_pipeline_is_in_the_catalog(pipelines, catalog):
    assert {name: uncatalogued(one, catalog) for name, one in pipelines.items()} == {
        name: set() for name in pipelines
    }


def test_the_check_itself_can_fail(catalog):
    bad = Pipeline([Node(lambda: 1, None, "nobody_declared_me", name="bad")])
    assert uncatalogued(bad, catalog) == {"nobody_declared_me"}


def unused(pipelines, catalog):
    used = set().union(*(dataset_names(one) for one in pipelines.values()))
    return {name for name in catalog if not name.startswith(("params:", "parameters"))} - used


def test_every_entry_of_the_catalog_is_used(pipelines, catalog):
    assert unused(pipelines, catalog) == set()


def test_an_entry_that_nobody_uses_would_be_found(pipelines, catalog):
    fewer = {"data_engineering": pipelines["data_engineering"]}
    assert "nuisances" in unused(fewer, catalog)


def test_whatever_is_made_has_one_maker(pipelines):
    made = [name for node in pipelines["uplift"].nodes for name in node.outputs]
    assert len(made) == len(set(made))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_uplift_is_the_environments_door_and_all_that_follows(pipelines_of, environment):
    pipelines = pipelines_of(environment)
    door = "table" if environment == "table" else "data_engineering"
    parts = set(pipelines) - {"uplift", "__default__"} - BESIDE - (DOORS - {door})
    assert door in parts
    assert len(parts) == 5
    assert set(pipelines["uplift"].nodes) == {
        node for name in parts for node in pipelines[name].nodes
    }
    assert pipelines["__default__"] is pipelines["uplift"]


def test_both_doors_give_what_the_rest_reads(pipelines):
    rest = pipelines["causal_estimation"] + pipelines["targeting_policy"] + pipelines["reporting"]
    common = pipelines["data_engineering"].outputs() & pipelines["table"].outputs()
    given = pipelines["data_engineering"].outputs() & rest.inputs()
    assert given <= pipelines["table"].outputs()
    assert {"trial_data", "placebo_data", "data_version", "window_audit"} <= common
