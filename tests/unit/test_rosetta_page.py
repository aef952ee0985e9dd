"""The worked example of the Rosetta page is what its code prints, and the page names every row."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from promo_uplift.metrics.rosetta import definitions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rosetta.md"


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def printed():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(blocks("python")[0], str(PAGE), "exec"), {})  # noqa: S102 - the page's code
    return out.getvalue()


def test_the_example_prints_what_the_page_shows(printed):
    """Names exactly, numbers to the last digit shown or one beside it."""
    shown = blocks("text")[0].splitlines()
    found = printed.splitlines()
    assert len(shown) == len(found) > 30
    for line, other in zip(shown[1:], found[1:], strict=True):
        *name, model, oracle, response, random = line.split()
        *other_name, a, b, c, d = other.split()
        assert name == other_name
        for mine, theirs in ((model, a), (oracle, b), (response, c), (random, d)):
            assert float(mine) == pytest.approx(float(theirs), rel=2e-3)


def test_the_page_shows_every_definition(printed):
    for one in definitions(uplift_shares=(0.3,)):
        assert f"{one.library}: {one.function} ({one.figure})" in printed


def test_no_two_definitions_have_one_label():
    labels = [
        (one.library, one.function, one.figure, one.share)
        for one in definitions(uplift_shares=(0.1, 0.3))
    ]
    assert len(labels) == len(set(labels))
