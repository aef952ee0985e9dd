"""The interval of the chosen policy's profit holds its true profit as often as it says."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.policy import (
    PolicyCandidates,
    PolicyScores,
    contact_weights,
    evaluate_policy,
)

WORLDS, N, K, P = 160, 600, 5, 4
#: Three Monte-Carlo errors of 95 % over the worlds.
REACH = 3.0 * np.sqrt(0.05 * 0.95 / WORLDS)
MONEY = PolicyParameters(
    margin_rate=1.0,
    contact_cost_usd=0.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    grid_points=21,
    support_quantile=0.0,
)
FEW = MetricParameters(uplift_shares=[0.1], level=0.95, bootstrap_replicates=100)
#: Slopes of the true profit on the covariates: nothing to find, and much.
SLOPES = {"nothing": 0.0, "much": 0.6}


def cross_fitted_line(x, scores, fold):
    """Least squares outside both folds, predicted for the first on behalf of the second."""
    line = np.column_stack([np.ones(len(x)), x])
    found = np.empty((len(x), K))
    for k in range(K):
        for m in range(K):
            train = ~np.isin(fold, (m, k))
            slope, *_ = np.linalg.lstsq(line[train], scores[train], rcond=None)
            found[fold == m, k] = line[fold == m] @ slope
    return found


def judge(slope, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, P))
    profit = slope * x[:, 0]
    scores = profit + 4.0 * rng.standard_t(5, size=N)
    fold = rng.permutation(np.arange(N) % K)
    cate = {"line": cross_fitted_line(x, scores, fold)}
    wide = np.repeat(scores[:, np.newaxis], K, axis=1)
    nobody = np.zeros(N)
    found = evaluate_policy(
        scores=PolicyScores(
            outcome=wide,
            cost=np.zeros_like(wide),
            profit=wide,
            redemption=np.zeros_like(wide),
            current_share=nobody,
            current_outcome=nobody,
            current_cost=nobody,
            current_profit=nobody,
            current_redemption=nobody,
        ),
        candidates=PolicyCandidates(cate, {"line": np.zeros((N, K))}, rng.normal(size=(N, K))),
        fold=fold,
        groups=np.arange(N),
        parameters=MONEY,
        intervals=FEW,
        rng=rng,
    )
    chosen = contact_weights(
        cate=cate,
        learner_by_fold=found.learner_by_fold,
        share_by_fold=found.share_by_fold,
        fold=fold,
    )
    assert (chosen * scores).mean() == pytest.approx(found.chosen.profit_usd.estimate)
    predicted = cate["line"][np.arange(N), fold]
    promised = np.maximum(predicted, 0.0)
    half = 1.96 * promised.std() / np.sqrt(N)
    truth = (chosen * profit).mean()
    own = ((predicted > 0) * profit).mean()
    beyond = found.baselines["all"].chosen_minus_this_usd
    return {
        "acts": found.chosen.profit_usd.ci_low < found.chosen.profit_usd.ci_high,
        "profit": holds(found.chosen.profit_usd, truth),
        "minus_all": holds(beyond, truth - profit.mean()),
        "plug_in": abs(promised.mean() - own) <= half,
        "in_sample": holds(found.optimistic_profit_usd, truth),
    }


def holds(interval, truth):
    return interval.ci_low <= truth <= interval.ci_high


@pytest.fixture(scope="module", params=SLOPES)
def judged(request):
    slope = SLOPES[request.param]
    return request.param, pd.DataFrame([judge(slope, seed) for seed in range(WORLDS)])


def test_the_profit_of_the_rules_chosen_is_held_as_often_as_stated(judged):
    _, rows = judged
    acting = rows[rows["acts"]]
    assert len(acting) > 0.9 * WORLDS
    for figure in ("profit", "minus_all"):
        assert 0.95 - REACH <= acting[figure].mean() <= 0.95 + 0.8 * REACH


def test_the_promise_of_the_predictions_that_chose_is_not(judged):
    name, rows = judged
    assert rows["plug_in"].mean() < 0.5
    if name == "nothing":
        assert rows["in_sample"].mean() < 0.9 - REACH


def test_the_benchmark_judges_a_world():
    from benchmarks.policy_profit import judge_world, summary  # noqa: PLC0415 - slow to import

    rows = judge_world(name="differing strongly", replication=0, seed=1)
    profit = rows[rows["figure"] == "profit"].set_index("choice")
    assert set(profit.index) == {"as a run", "lowest loss"}
    assert (profit["ci_low"] < profit["ci_high"]).all()
    assert "| as a run | profit | all | 1 | 0 |" in summary(rows)
