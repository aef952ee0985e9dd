"""The page on learners names every learner and says of each kind of data what the registry says."""

from __future__ import annotations

import pytest

from promo_uplift.learners import LEARNERS


@pytest.fixture
def rows(root):
    """Cells of the table on unusual data, by learner."""
    page = (root / "docs" / "learners.md").read_text(encoding="utf-8")
    table = page.split("## What each does with unusual data")[1].split("\n- **")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return {
        name.strip().strip("`"): [cell.strip() for cell in line.strip("|").split("|")[1:]]
        for line in lines
        for name in line.strip("|").split("|")[0].split(",")
    }


def test_every_learner_has_a_row(rows):
    assert set(rows) == set(LEARNERS)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_refused_there_is_refused_in_the_registry(rows, name):
    spec = LEARNERS[name]
    two_arms, several_arms, dose, binary, missing, weights = rows[name]
    assert (two_arms, several_arms) == ("yes", "one at a time")
    for cell, support in (
        (dose, spec.continuous_dose),
        (binary, spec.binary_outcome),
        (missing, spec.missing_covariates),
        (weights, spec.weights),
    ):
        assert (cell != "refused") == support.is_supported
