"""Every place that would state a profit, where nobody stated a cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.benchmark.judge import Judgements, Question, judge_policy
from promo_uplift.benchmark.truth import TrialTruth
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.policy import PolicyRows, champion_gate
from promo_uplift.policy.targeting import HouseholdPredictions, recommendation
from promo_uplift.simulation import build_world, true_policy_values
from tests.unit.simulation_worlds import parameters, profile

FREE = PolicyParameters(
    margin_rate=1.0,
    contact_cost_usd=0.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=False,
    are_stated=False,
    grid_points=11,
    support_quantile=0.0,
)


@pytest.mark.parametrize("verdict", ["publish", "bounds_only"])
def test_nobody_is_recommended_and_no_expected_profit_is_given(verdict):
    found = recommendation(
        predictions=HouseholdPredictions(
            np.array([5.0, -5.0]), np.array([[4.0, 6.0], [-6.0, -4.0]]), np.array([0.1, 0.1])
        ),
        contacts=np.ones(2),
        in_support=np.array([True, True]),
        parameters=FREE,
        verdict_name=verdict,
        policy="chosen",
    )
    assert np.isnan(found.expected_profit_usd).all()
    assert not found.recommend.any()
    reason = "no_cost_stated" if verdict == "publish" else "verdict_withholds"
    assert set(found.reason) == {reason}


def test_the_gate_speaks_of_the_outcome():
    everyone = PolicyRows.everyone(
        outcome=np.array([2.0, 3.0, 2.5, 2.0]), redemption=np.zeros(4), parameters=FREE
    )
    found = champion_gate(
        verdict="publish",
        challenger=everyone,
        champion=everyone.times(0.0),
        groups=np.arange(4),
        policy=FREE,
        level=0.95,
        factor=1.0,
    )
    assert found.promote
    assert "gain in the outcome" in found.reason
    assert "profit" not in found.reason
    assert "USD" not in found.reason


def test_the_truth_of_a_simulated_world_has_gains_only():
    built = build_world(profile=profile(), parameters=parameters(), seed=3)
    values = true_policy_values(world=built, policy=FREE)
    columns = {"campaign_id", "policy", "n_eligible", "share_mailed", "gain_usd_per_household"}
    assert set(values.columns) == columns


def test_the_benchmark_judges_no_profit():
    truth = TrialTruth(cate=np.ones(2), propensity=np.full(2, 0.5), mu0=np.zeros(2), mu1=np.ones(2))
    rows = Judgements()
    judge_policy(
        rows=rows,
        question=Question(None, truth, None, None, FREE, 5),
        folds=(),
        subject="champion",
        evaluation=None,
        cates={},
        held_out={},
    )
    assert rows.rows == []
    assert pd.DataFrame(rows.rows).empty
