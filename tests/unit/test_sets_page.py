"""The results of the outside sets as a page: every part says what it was given."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from promo_uplift.benchmark.sets.compare import comparison_table
from promo_uplift.benchmark.sets.page import END, START, results_block, with_results
from promo_uplift.benchmark.sets.run import COLUMNS
from promo_uplift.contracts.errors import ConfigurationError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outside-sets.md"


def row(name, source, learner, figure, value, note="", replicate=1, seed=11):
    values = (name, replicate, seed, source, learner, figure, value, value - 0.1, value + 0.1, note)
    return dict(zip(COLUMNS, values, strict=True))


@pytest.fixture(scope="module")
def rows():
    nan = float("nan")
    return pd.DataFrame(
        [
            row("ihdp", "ours", "champion", "pehe", 0.353, "trend_learner"),
            row("ihdp", "ours", "constant", "pehe", 0.788),
            row("ihdp", "econml", "x_learner", "pehe", 0.745),
            row("ihdp", "causalml", "x_learner", "pehe", 0.691),
            row("ihdp", "ours", "champion", "pehe", 0.404, "x_learner", replicate=2),
            row("ihdp", "econml", "x_learner", "pehe", 0.621, replicate=2),
            row("hillstrom_womens", "ours", "champion", "published_qini", 0.0051),
            row("lenta_biased", "ours", "as_observed", "verdict", nan, "refuse: PU-CLIPPED"),
            row("lenta_biased", "ours", "truth", "ate", 0.0091),
            row("ggl_self", "run", "run", "skipped", nan, "no folder named"),
        ]
    )


@pytest.fixture(scope="module")
def comparison(rows):
    return comparison_table(rows=rows, replicates=100, level=0.95, seed=1)


def test_each_part_holds_its_figures(rows, comparison):
    block = results_block(rows=rows, comparison=comparison)
    assert "| ihdp | 1 | trend_learner | 0.353 | 0.691 | - | - | 0.788 |" in block
    assert "best single peer: econml x_learner" in block
    assert "### Published beside ours: hillstrom_womens" in block
    assert "| qini | `s-learner` | 0.0041 (0.0019 to 0.0062) | `champion` | 0.0051 (" in block
    assert "| as observed | verdict | refuse: PU-CLIPPED |" in block
    assert "Not run: `ggl_self` (no folder named)." in block


def test_only_what_lies_between_the_markers_is_replaced(rows, comparison):
    page = with_results(
        page=f"above\n{START}\nold\n{END}\nbelow\n", rows=rows, comparison=comparison
    )
    assert page.startswith(f"above\n{START}\n### Replicate")
    assert page.endswith(f"{END}\nbelow\n")
    assert "\nold\n" not in page


def test_a_page_without_markers_is_refused(rows, comparison):
    with pytest.raises(ConfigurationError, match="must hold the lines"):
        with_results(page=START, rows=rows, comparison=comparison)


def test_the_documentation_has_its_block():
    page = PAGE.read_text(encoding="utf-8")
    assert page.index(START) < page.index(END)
