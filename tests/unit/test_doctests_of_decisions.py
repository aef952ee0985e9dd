"""The examples in the docstrings of metrics, effects, policy and checks are true."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "promo_uplift.effects.clustered",
    "promo_uplift.metrics.fold_dependence",
    "promo_uplift.metrics.gain",
    "promo_uplift.metrics.rosetta",
    "promo_uplift.experiments.size",
    "promo_uplift.experiments.value",
    "promo_uplift.policy.allocation",
    "promo_uplift.policy.money",
    "promo_uplift.policy.off_policy",
    "promo_uplift.policy.rules.fairness",
    "promo_uplift.policy.rules.ranking",
    "promo_uplift.policy.targeting",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name):
    outcome = doctest.testmod(import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0
