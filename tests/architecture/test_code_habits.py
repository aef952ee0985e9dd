"""Habits that no linter of this project holds."""

from __future__ import annotations

import ast

import pytest

FRAMEWORKS = {"kedro", "kedro_datasets", "kedro_mlflow", "mlflow", "omegaconf"}
GLUE = {"pipelines", "datasets", "reproduction"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


def star_imports(tree):
    return [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
    ]


def imported(tree):
    """Top-level names of the libraries that a module imports, wherever it does."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def asserts(tree):
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def broad_excepts(tree):
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]


@pytest.fixture(scope="module")
def modules(package):
    """Syntax tree of every module by its path inside the package."""
    return {
        path.relative_to(package): ast.parse(path.read_text(encoding="utf-8"))
        for path in package.rglob("*.py")
    }


def offenders(modules, find):
    return {str(path): found for path, tree in modules.items() if (found := find(tree))}


def test_no_module_has_a_name_that_says_nothing(modules):
    names = {part.removesuffix(".py") for path in modules for part in path.parts}
    assert names & VAGUE == set()


def test_every_module_says_why_it_exists(modules):
    assert offenders(modules, lambda tree: not ast.get_docstring(tree)) == {}


@pytest.mark.parametrize("find", [star_imports, asserts, broad_excepts])
def test_the_source_has_none_of(modules, find):
    assert offenders(modules, find) == {}


def test_domain_code_imports_no_framework(modules):
    domain = {
        path: tree
        for path, tree in modules.items()
        if len(path.parts) > 1 and path.parts[0] not in GLUE
    }
    assert len(domain) > 50
    assert offenders(domain, lambda tree: imported(tree) & FRAMEWORKS) == {}


def test_nodes_import_no_framework_either(modules):
    nodes = {path: tree for path, tree in modules.items() if path.name == "nodes.py"}
    wirings = [path for path in modules if path.name == "pipeline.py"]
    assert len(nodes) == len(wirings) >= 4
    assert offenders(nodes, lambda tree: imported(tree) & FRAMEWORKS) == {}


def test_every_node_is_a_public_function_of_its_own_nodes_module(pipelines):
    for name, pipeline in pipelines.items():
        if name in ("uplift", "__default__"):
            continue
        for node in pipeline.nodes:
            assert node.func.__module__ == f"promo_uplift.pipelines.{name}.nodes"
            assert node.func.__name__ == node.name
            assert node.tags == {name}


@pytest.mark.parametrize(
    ("find", "source"),
    [
        (star_imports, "from os import *"),
        (asserts, "def f():\n    assert True"),
        (broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
        (broad_excepts, "try:\n    f()\nexcept:\n    pass"),
        (lambda tree: imported(tree) & FRAMEWORKS, "def f():\n    from mlflow.tracking import a"),
        (lambda tree: imported(tree) & FRAMEWORKS, "import kedro.io"),
    ],
)
def test_each_check_can_fail(find, source):
    assert find(ast.parse(source))
