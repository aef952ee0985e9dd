"""Hillstrom's two e-mails under one budget: the page's numbers, from the public file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from promo_uplift.analysis import allocate_arms, arm_cost_curves, cross_fit_arms
from promo_uplift.benchmark.sets.hillstrom import COVARIATES
from promo_uplift.contracts.parameters import TableParameters
from promo_uplift.door import table_parameters
from promo_uplift.trials import table_arms

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("PROMO_UPLIFT_SETS", REPOSITORY.parent / "shared" / "data"))
PAGE = REPOSITORY / "docs" / "how-to" / "spend-a-budget-on-several-arms.md"
BUDGETS = (0.1, 0.5, 1.0)
NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
MENS, WOMENS = "Mens E-Mail", "Womens E-Mail"

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def curves():
    path = ROOT / "hillstrom" / "hillstrom.csv"
    if not path.is_file():
        pytest.skip(f"needs Hillstrom's file at {path} (PROMO_UPLIFT_SETS names the folder)")
    frame = pd.read_csv(path)
    parameters, table = table_parameters({"nuisance": {"n_folds": 3}})
    roles = {
        "treatment": "segment",
        "control": "No E-Mail",
        "outcome": "visit",
        "covariates": [name for name in COVARIATES if name != "history_segment"],
        "propensity": dict.fromkeys(("No E-Mail", MENS, WOMENS), 1.0 / 3.0),
    }
    arms = table_arms(frame=frame, parameters=TableParameters.model_validate({**table, **roles}))
    effects = cross_fit_arms(arms=arms, learner="s_learner", parameters=parameters, seed=20171231)
    return arm_cost_curves(
        effects=effects, costs=None, budgets=BUDGETS, replicates=200, level=0.95, seed=1
    )


def shown():
    """Rows of the page's table: the budget, then every number of its cells."""
    text = PAGE.read_text(encoding="utf-8").split("## Hillstrom")[1]
    lines = [line for line in text.splitlines() if re.match(r"\| [\d.]+ \|", line)]
    return [[float(found) for found in re.findall(r"-?\d+\.?\d*", line)] for line in lines]


def test_the_page_shows_what_the_file_gives(curves):
    gains = curves.table().set_index(["policy", "budget"])
    less = curves.differences().set_index(["policy", "budget"])
    bounds = ["gain", "ci_low", "ci_high"]
    rows = shown()
    assert [row[0] for row in rows] == list(BUDGETS)
    for row in rows:
        found = [
            *gains.loc[("all arms", row[0]), bounds],
            gains.loc[(MENS, row[0]), "gain"],
            gains.loc[(WOMENS, row[0]), "gain"],
            *less.loc[(f"all arms - {MENS}", row[0]), bounds],
            *less.loc[(f"all arms - {WOMENS}", row[0]), bounds],
            *less.loc[("all arms - all arms, at random", row[0]), bounds],
        ]
        assert row[1:] == pytest.approx([1000.0 * one for one in found], abs=0.3)


def test_one_mens_e_mail_for_all_gains_its_plain_difference(curves):
    """76.6 visits per 1,000 in the file: arms drawn by lot need no model."""
    everybody = curves.curves["all arms, at random"].gain_at(1.0)
    assert everybody.estimate == pytest.approx(0.0766, abs=0.002)


def words_of(text):
    return " ".join(NUMBER.sub("#", text).split())


def numbers_of(text):
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def test_the_page_prints_the_allocation_of_half_as_many_e_mails_as_customers(curves):
    effects = curves.effects
    found = allocate_arms(
        effects=effects,
        control="No E-Mail",
        costs={MENS: 1.0, WOMENS: 1.0},
        budget=32_000.0,
        policy=table_parameters()[0].policy,
        verdicts={MENS: "experiment_needed", WOMENS: "publish"},  # docs/how-to/analyse-any-table.md
        replicates=200,
        level=0.95,
        power=0.8,
        seed=20171231,
    )
    # 64,000 is no multiple of three folds: two of them cannot spend a third of an e-mail
    assert 31_998.0 <= found.spend <= 32_000.0
    curve = curves.curves["all arms"].gain_at(0.5)
    assert found.value["gain"].iloc[0] == pytest.approx(curve.estimate)
    section = PAGE.read_text(encoding="utf-8").split("## Hillstrom")[1]
    (page,) = re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL)
    assert words_of(str(found)) == words_of(page)
    assert numbers_of(str(found)) == pytest.approx(numbers_of(page), rel=0.03, abs=3e-4)
