"""ARCHITECTURE.md names what exists, and nothing else."""

from __future__ import annotations

import re

import pytest

from promo_uplift.checks import CHECKS
from promo_uplift.learners.registry import LEARNERS

NAME = re.compile(r"`([\w/-]+)`")


def table(text, title):
    """First and second column of the page's table with that title, names in backticks only."""
    lines = text.split(f"| {title} |", maxsplit=1)[1].splitlines()[2:]
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, second = line.strip("|").split("|")[:2]
        rows |= {name: NAME.findall(second) for name in NAME.findall(first)}
    return rows


def problems(text, package):
    """What the page names and the package lacks, and the other way round."""
    named = {
        f"{folder}/{module}"
        for folder, modules in table(text, "package").items()
        for module in modules
    }
    named |= set(table(text, "module"))
    found = set()
    for path in package.rglob("*.py"):
        inside = path.relative_to(package).parts
        if inside[0] == "pipelines" or path.name == "__init__.py":
            continue
        found.add("/".join(inside).removesuffix(".py"))
    packages = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    packages.discard("pipelines")
    return (named ^ found) | (set(table(text, "package")) ^ packages)


@pytest.fixture(scope="module")
def page(root):
    return (root / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_packages_and_modules_are_those_of_the_source(page, package):
    assert problems(page, package) == set()


def test_pipelines_are_the_registered_ones(page, pipelines):
    assert set(table(page, "pipeline")) == set(pipelines)


def test_the_folder_of_each_part_is_a_package_of_pipelines(package, pipelines):
    folders = {path.parent.name for path in (package / "pipelines").glob("*/pipeline.py")}
    assert folders == set(pipelines) - {"uplift", "__default__"}


def test_learners_and_checks_are_those_of_their_registries(page):
    assert set(table(page, "learner")) == set(LEARNERS)
    (codes,) = [line for line in page.splitlines() if line.startswith("Checks: ")]
    assert NAME.findall(codes) == list(CHECKS)


def test_the_layers_are_those_of_the_import_contract(page, root):
    contract = (root / "pyproject.toml").read_text(encoding="utf-8")
    layers = re.findall(r'^    "([\w |]+)",$', contract.split("layers = [")[1].split("]")[0], re.M)
    drawn = page.split("```layers\n")[1].split("```")[0].split(" >\n")
    assert [layer.strip() for layer in drawn] == layers


def test_the_page_is_short(page):
    assert len(page.splitlines()) <= 120


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("`gain`", "`gain`, `gane`", {"metrics/gane"}),
        ("`gain`, ", "", {"metrics/gain"}),
        ("| `hooks`", "| `hook`", {"hook", "hooks"}),
    ],
)
def test_a_wrong_page_would_be_found(page, package, old, new, expected):
    assert problems(page.replace(old, new), package) == expected


def test_a_new_module_or_package_would_be_found(page, package, tmp_path):
    for path in package.rglob("*.py"):
        copy = tmp_path / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (tmp_path / "metrics" / "new.py").touch()
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").touch()
    assert problems(page, tmp_path) == {"metrics/new", "helpers"}
