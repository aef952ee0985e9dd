"""A policy's contacts of a fold do not depend on that fold's outcomes, nor on any treatment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promo_uplift.policy import value_suite
from tests.unit.policy_worlds import METRICS, MONEY, K, policies, world

TREE = {"max_depth": 2, "min_leaf_share": 0.05, "min_balancedness_tol": 0.45, "honest": True}
RULES = {
    "roi_optimal": {},
    "break_even": {},
    "risk_adjusted": {"lambdas": [0.5]},
    "lower_bound": {"level": 0.8},
    "top_share": {"shares": [0.2]},
    "budget": {"budget_usd": 100.0},
    "policy_tree": TREE,
    "policy_forest": TREE
    | {"n_estimators": 4, "max_samples": 0.5, "max_features": 0.7, "named": 2},
    "segments": {"by": ["visits"], "quantiles": [0.5], "level": 0.8, "min_rows": 10},
    "contact_frequency": {"of": "break_even", "max_contacts": 1},
    "fairness": {"of": "roi_optimal", "column": "age", "tolerance": 0.02, "max_groups": 9},
}


def contacts_of(inputs, scores, observed):
    found = value_suite(
        policies=policies(**RULES),
        inputs=inputs,
        scores=scores,
        observed=observed,
        parameters=MONEY,
        intervals=METRICS,
        seed=5,
    )
    assert found.not_valued == {}
    return found.contacts, found.chosen_by_fold


@pytest.fixture(scope="module")
def before():
    inputs, scores, observed, _ = world(n_households=200, noise=40.0)
    return inputs, scores, observed, *contacts_of(inputs, scores, observed)


@pytest.mark.parametrize("fold", range(K))
def test_other_outcomes_of_a_fold_change_nobody_of_it(before, fold):
    """Outcomes of fold k enter column k on its own rows only, and the other columns anywhere."""
    inputs, scores, observed, contacts, chosen = before
    rng = np.random.default_rng(fold)
    inside, others = inputs.fold == fold, np.arange(K) != fold

    def shaken(matrix):
        moved = matrix.copy()
        moved[inside] += rng.normal(0.0, 50.0, moved[inside].shape)
        moved[:, others] += rng.normal(0.0, 50.0, moved[:, others].shape)
        return moved

    def learned(matrix):
        """Predictions of column k come from the other folds; those of other columns may move."""
        moved = matrix.copy()
        moved[:, others] += rng.normal(0.0, 5.0, moved[:, others].shape)
        return moved

    again, chosen_again = contacts_of(
        replace(
            inputs,
            cate=learned(inputs.cate),
            cate_se=np.abs(learned(inputs.cate_se)),
            response=learned(inputs.response),
        ),
        replace(scores, profit=shaken(scores.profit), outcome=shaken(scores.outcome)),
        replace(observed, outcome=observed.outcome + 100.0 * inside),
    )
    for name, values in contacts.items():
        assert np.array_equal(again[name][inside], values[inside]), name
    assert chosen_again[fold] == chosen[fold]
    moved = [name for name in contacts if not np.array_equal(again[name], contacts[name])]
    assert len(moved) > 8  # the other folds do look at it: the test can fail


def test_no_policy_but_the_mailing_itself_sees_the_treatment(before):
    inputs, scores, observed, contacts, _ = before
    again, _ = contacts_of(replace(inputs, treatment=1 - inputs.treatment), scores, observed)
    different = {name for name in contacts if not np.array_equal(again[name], contacts[name])}
    assert different == {"current"}
