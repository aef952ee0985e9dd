"""Lenses that agree are found to disagree as often as the level says, and no more."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.effects.agreement import ALL_CAMPAIGNS
from promo_uplift.effects.disagreement import DiagnosticLimits
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.reconciliation import ReconciliationParameters, reconcile

WORLDS = 600
PARAMETERS = ReconciliationParameters(
    level=0.95,
    power=0.8,
    draws=2_000,
    rank_tolerance=1e-6,
    limits=DiagnosticLimits(0.05, 0.5, 0.5, 0.8, 0.1, 1.5, ("naive",)),
)
#: Four standard errors of a share of 5 % over the worlds.
MONTE_CARLO = 4.0 * np.sqrt(0.05 * 0.95 / WORLDS)


def estimate(lens, estimator, campaign, value, influence):
    se = float(np.sqrt(np.square(influence).sum()))
    return Estimate.normal(
        label=Label(lens, estimator, "att", campaign, "spend_usd"),
        value=value,
        se=se,
        level=0.95,
        counts=(len(influence), len(influence), len(influence)),
        influence=influence,
    )


def lenses(rng, campaign, households):
    """Difference in means, regression adjustment and difference of differences: one effect, 2."""
    n = len(households)
    before = rng.gamma(2.0, 10.0, n)
    treated = rng.permutation(np.arange(n) % 2)
    after = 0.8 * before + rng.normal(0, 8, n) + 2.0 * treated
    centred = before - before.mean()
    slope = np.linalg.lstsq(np.column_stack([np.ones(n), treated, centred]), after, rcond=None)[0][
        2
    ]
    found = []
    for lens, estimator, y in (
        ("cross_section", "difference", after),
        ("cross_section", "ols", after - slope * centred),
        ("panel", "two_by_two", after - before),
    ):
        one, zero = y[treated == 1].mean(), y[treated == 0].mean()
        psi = np.where(treated == 1, (y - one) / treated.sum(), -(y - zero) / (n - treated.sum()))
        influence = pd.Series(psi, index=households)
        found.append(estimate(lens, estimator, campaign, one - zero, influence))
    return found


@pytest.fixture(scope="module")
def rejections():
    rng = np.random.default_rng(11)
    rows = []
    for world in range(WORLDS):
        first = lenses(rng, "8", np.arange(300))
        second = lenses(rng, "13", np.arange(150, 450))
        result = reconcile(
            estimates=[*first, *second], diagnostics={}, parameters=PARAMETERS, seed=world
        )
        tests = result.tests.set_index("campaign")["p_value"] < 0.05
        rows.append(
            {
                "pointwise": (result.table["p_value"] < 0.05).mean(),
                "any_simultaneous": (~result.table["agrees"]).any(),
                "joint_one_campaign": tests["8"],
                "joint_all": tests[ALL_CAMPAIGNS],
            }
        )
    return pd.DataFrame(rows).astype(float).mean()


@pytest.mark.parametrize(
    "test", ["pointwise", "any_simultaneous", "joint_one_campaign", "joint_all"]
)
def test_the_level_of_each_test_is_its_nominal_one(rejections, test):
    assert rejections[test] == pytest.approx(0.05, abs=MONTE_CARLO)
