"""Every check has a page that is true, and every page's example runs."""

from __future__ import annotations

import inspect
import re
import sys

import pytest

from promo_uplift.checks import CHECKS
from promo_uplift.checks.report import default_check_parameters

PARTS = ("What it looks at", "Why it matters", "Threshold", "What to do", "Example")
PARAMETERS = default_check_parameters()


def thresholds(check):
    """Fields of the parameters that the check's file reads."""
    source = inspect.getsource(sys.modules[check.look.__module__])
    return set(re.findall(r"parameters\.(\w+)", source)) & set(type(PARAMETERS).model_fields) - {
        "on_fail"
    }


def stated(name):
    """How a page names a threshold: with its value, if it is a number."""
    value = getattr(PARAMETERS, name)
    return f"`checks.{name}`" + (f" ({value:g})" if isinstance(value, int | float) else "")


def lacks(text, check):
    """What the page of a check must say and does not."""
    wanted = {
        f"# {check.code}: {check.title}\n",
        f"at best `{PARAMETERS.on_fail[check.code]}`",
        "checks.run(",
        *(f"## {part}\n" for part in PARTS),
        *(f"`{kind.__name__}`" for kind in check.needs),
        *(stated(name) for name in thresholds(check)),
    }
    flat = " ".join(text.split())
    return {one for one in wanted if " ".join(one.split()) not in flat}


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.fixture(scope="module")
def folder(root):
    return root / "docs" / "checks"


def test_every_check_has_a_page_and_every_page_a_check(folder):
    assert {path.name for path in folder.iterdir()} == {f"{code.lower()}.md" for code in CHECKS}


def test_every_page_is_in_the_navigation(root):
    navigation = (root / "mkdocs.yml").read_text(encoding="utf-8")
    assert [c for c in CHECKS if f"- checks/{c.lower()}.md\n" not in navigation] == []


def test_every_check_is_in_the_index_with_its_fact_and_what_a_failure_allows(root):
    text = (root / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = {code: row for row in text.splitlines() for code in re.findall(r"^\| \[(PU-.*?)\]", row)}
    assert set(rows) == set(CHECKS)
    for code, check in CHECKS.items():
        assert f"(checks/{code.lower()}.md)" in rows[code]
        assert f"`{PARAMETERS.on_fail[code]}`" in rows[code]
        assert all(f"`{kind.__name__}`" in rows[code] for kind in check.needs)


@pytest.mark.parametrize("code", CHECKS)
def test_the_page_says_code_fact_threshold_and_what_a_failure_allows(folder, code):
    text = (folder / f"{code.lower()}.md").read_text(encoding="utf-8")
    assert lacks(text, CHECKS[code]) == set()


@pytest.mark.parametrize("code", [None, *CHECKS])
def test_the_example_runs(root, folder, code):
    page = folder / f"{code.lower()}.md" if code else root / "docs" / "checks.md"
    found = blocks(page.read_text(encoding="utf-8"))
    assert found
    for block in found:
        exec(compile(block, page.name, "exec"), {})  # noqa: S102 - our own page


def test_a_page_that_says_less_is_seen(folder):
    text = (folder / "pu-overlap.md").read_text(encoding="utf-8")
    assert thresholds(CHECKS["PU-OVERLAP"]) >= {"min_overlap_share", "refuse_overlap_share"}
    less = text.replace("`checks.min_overlap_share`", "").replace("OverlapSummary", "It")
    assert len(lacks(less, CHECKS["PU-OVERLAP"])) == 2
