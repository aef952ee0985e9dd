"""Notebooks are named by their question, stripped of outputs, and define nothing reusable."""

from __future__ import annotations

import ast
import json
import re

import pytest

NAME = re.compile(r"\d\d_[a-z]+(_[a-z]+)+\.ipynb")
#: The one that shows how a learner is written.
SHOWS_A_LEARNER = "02_add_a_learner.ipynb"


def code_cells(text):
    return [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def outputs(text):
    """Cells that keep an output or a count."""
    return [
        number
        for number, cell in enumerate(code_cells(text))
        if cell["outputs"] or cell["execution_count"] is not None
    ]


def definitions(text):
    """Names of functions, classes and named lambdas, methods of a class excepted."""
    names = []
    for cell in code_cells(text):
        source = "".join(cell["source"])
        lines = [line for line in source.splitlines() if not line.startswith(("%", "!"))]
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bases = [ast.unparse(base) for base in getattr(node, "bases", [])]
                names.append(f"{node.name}({', '.join(bases)})")
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                names.append(ast.unparse(node.targets[0]))
    return names


@pytest.fixture(scope="module")
def notebooks(root):
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    assert len(paths) >= 4
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def test_names_are_numbered_questions_and_in_the_readme(root, notebooks):
    readme = (root / "notebooks" / "README.md").read_text(encoding="utf-8")
    for name in notebooks:
        assert NAME.fullmatch(name)
        assert f"({name})" in readme


def test_outputs_are_stripped(notebooks):
    assert {name: outputs(text) for name, text in notebooks.items() if outputs(text)} == {}


def test_nothing_reusable_is_defined(notebooks):
    found = {name: definitions(text) for name, text in notebooks.items() if definitions(text)}
    assert found == {SHOWS_A_LEARNER: ["RidgeOnScores(BaseLearner)"]}


def test_a_notebook_begins_with_its_question(notebooks):
    for text in notebooks.values():
        first = json.loads(text)["cells"][0]
        assert first["cell_type"] == "markdown"
        assert "".join(first["source"]).splitlines()[0].endswith("?")


@pytest.mark.parametrize(
    ("find", "cell"),
    [
        (outputs, {"source": "1", "outputs": [{"output_type": "stream"}], "execution_count": None}),
        (outputs, {"source": "1", "outputs": [], "execution_count": 3}),
        (definitions, {"source": "def f():\n    pass", "outputs": [], "execution_count": None}),
        (definitions, {"source": "%magic\nf = lambda: 1", "outputs": [], "execution_count": None}),
    ],
)
def test_each_check_can_fail(find, cell):
    assert find(json.dumps({"cells": [{"cell_type": "code", **cell}]}))
