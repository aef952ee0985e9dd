"""Off-policy values: by hand, by jackknife, against the policy's own value, and refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.policy import (
    LoggedActions,
    PolicyCandidates,
    evaluate_policy,
    off_policy_values,
    policy_scores,
)

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "value-a-policy-from-a-log.md"
K = 3
MONEY = PolicyParameters(
    margin_rate=0.3,
    contact_cost_usd=1.5,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    grid_points=41,
    support_quantile=0.0,
)
ALL = ("ipw", "self_normalised_ipw", "direct", "doubly_robust", "self_normalised_dr", "switch_dr")


def test_four_rows_by_hand():
    """Policy: action 1 with probability .5, .5, 1, 0; weights .5/.5, .5/.25, 1/.5 and 1/.8."""
    log = LoggedActions(
        action=np.array([0, 1, 1, 0]),
        probability=np.array([0.5, 0.25, 0.5, 0.8]),
        reward=np.array([2.0, 4.0, 6.0, 1.0]),
        groups=np.arange(4),
    )
    share = np.array([0.5, 0.5, 1.0, 0.0])
    model = np.tile([1.0, 5.0], (4, 1))
    found = off_policy_values(
        logged=log,
        policy=np.column_stack([1.0 - share, share]),
        reward_model=model,
        switch_at=1.5,
        level=0.95,
    )
    weights = np.array([1.0, 2.0, 2.0, 1.25])
    expected = np.array([3.0, 3.0, 5.0, 1.0])
    residual = np.array([1.0, -1.0, 1.0, 0.0])
    by_hand = {
        "ipw": (2.0 + 8.0 + 12.0 + 1.25) / 4,
        "self_normalised_ipw": 23.25 / 6.25,
        "direct": 3.0,
        "doubly_robust": 3.0 + (1.0 - 2.0 + 2.0) / 4,
        "self_normalised_dr": 3.0 + 1.0 / 6.25,
        "switch_dr": 3.0 + 1.0 / 4,
    }
    assert {name: one.estimate for name, one in found.by_estimator.items()} == pytest.approx(
        by_hand
    )
    assert found.by_estimator["doubly_robust"].se == pytest.approx(
        (expected + weights * residual).std(ddof=1) / 2
    )
    assert found.weights.mean == pytest.approx(weights.mean())
    assert found.weights.largest == 2.0
    assert found.weights.effective_rows == pytest.approx(6.25**2 / (weights**2).sum())
    assert (found.weights.n_used, found.weights.n_switched) == (4, 2)
    assert list(found.table()["estimator"]) == list(ALL)


def test_the_example_of_the_page_finds_what_it_drew():
    """11.5, 1.5 above doing nothing: by either side, but not by the model that is wrong by 1."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(block, names)  # noqa: S102 - the page's own code
    table = names["found"].table().set_index(["figure", "estimator"])
    for figure, truth in (("value", 11.5), ("minus_baseline", 1.5)):
        for name in ("ipw", "self_normalised_ipw", "doubly_robust", "self_normalised_dr"):
            row = table.loc[(figure, name)]
            assert abs(row["estimate"] - truth) < 3.5 * row["std_err"]
    assert table.loc[("value", "direct"), "estimate"] == pytest.approx(10.5)


def world(n=2_000, seed=0):
    """Three actions with known probabilities, several rows for each household."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n // 4, n)
    x = rng.normal(size=n) + rng.normal(size=n // 4)[groups]
    raw = np.exp(np.column_stack([np.zeros(n), 0.5 * x, -0.5 * x]))
    chances = raw / raw.sum(axis=1, keepdims=True)
    action = (rng.random((n, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    mean = np.column_stack([x, 1.0 + x, 2.0 - x])
    reward = mean[np.arange(n), action] + rng.normal(size=n) + rng.normal(size=n // 4)[groups]
    best = np.eye(3)[mean.argmax(axis=1)]
    log = LoggedActions(action, chances[np.arange(n), action], reward, groups)
    return log, 0.8 * best + 0.2 / 3, mean, chances


def valued(log, policy, model, **more):
    return off_policy_values(
        **({"logged": log, "policy": policy, "reward_model": model, "level": 0.95} | more)
    )


def test_errors_are_those_of_leaving_out_one_household_at_a_time():
    log, policy, mean, _ = world(400)
    model = mean + 0.5
    nothing = np.tile([1.0, 0.0, 0.0], (400, 1))

    def figures(rows):
        part = LoggedActions(*(getattr(log, name)[rows] for name in LoggedActions.__slots__))
        return valued(part, policy[rows], model[rows], switch_at=2.0, baseline=nothing[rows])

    whole = figures(np.arange(400))
    households = np.unique(log.groups)
    left = [figures(np.flatnonzero(log.groups != one)) for one in households]
    for field in ("by_estimator", "minus_baseline"):
        for name in ALL:
            estimates = np.array([getattr(one, field)[name].estimate for one in left])
            jackknife = np.sqrt((len(left) - 1) * estimates.var())
            found = getattr(whole, field)[name].se
            # they differ by the sizes of households
            assert found == pytest.approx(jackknife, rel=0.03), (field, name)


def test_doubly_robust_values_hold_if_either_side_is_right_and_the_others_do_not():
    log, policy, mean, _ = world(200_000, seed=3)
    truth = (policy * mean).sum(axis=1).mean()
    wrong = replace(log, probability=np.full(len(log.action), 1.0 / 3.0))

    def missed(found, name):
        return abs(found.by_estimator[name].estimate - truth) / found.by_estimator[name].se

    no_model = valued(log, policy, np.zeros_like(mean))
    no_weights = valued(wrong, policy, mean)
    for name in ("doubly_robust", "self_normalised_dr"):
        assert missed(no_model, name) < 4.0
        assert missed(no_weights, name) < 4.0
    for name in ("ipw", "self_normalised_ipw"):
        assert missed(no_model, name) < 4.0
        assert missed(no_weights, name) > 8.0
    assert missed(no_weights, "direct") < 4.0
    neither = valued(wrong, policy, np.zeros_like(mean))
    assert missed(neither, "doubly_robust") > 8.0


def test_intervals_hold_the_truth_as_often_as_they_say():
    """95 % of 300 samples is 285; all four lie within 273 to 296 with probability .995."""
    held = dict.fromkeys(ALL[:2] + ALL[3:5], 0)
    big = world(400_000, seed=99)
    truth = (big[1] * big[2]).sum(axis=1).mean()
    for seed in range(300):
        log, policy, mean, _ = world(600, seed=1000 + seed)
        found = valued(log, policy, mean + 0.3)
        for name in held:
            bounds = found.interval(name)
            held[name] += bounds.ci_low <= truth <= bounds.ci_high
    assert min(held.values()) >= 273
    assert max(held.values()) <= 297


def two_arms(n=900, seed=5):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // 2), 2)
    x = rng.normal(size=n)
    propensity = 1.0 / (1.0 + np.exp(-x))
    treatment = rng.binomial(1, propensity).astype(np.int64)
    mu0, effect = 80.0 + rng.normal(size=n), 5.0 + 6.0 * x

    def wide(values):
        return np.repeat(values[:, np.newaxis], K, axis=1)

    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=mu0 + effect * treatment + rng.normal(0.0, 10.0, n),
        redeemed=np.zeros(n),
        groups=groups,
        campaign=np.ones(n, dtype=np.int64),
    )
    nuisances = CrossFittedNuisances(
        fold=groups % K,
        propensity=wide(propensity),
        mu0=wide(mu0),
        mu1=wide(mu0 + 4.0),
        redemption=wide(np.zeros(n)),
        raw_propensity_held_out=propensity,
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    return data, nuisances, wide(effect + rng.normal(0.0, 3.0, n))


def test_a_policys_value_is_the_doubly_robust_off_policy_value_of_the_same_contacts():
    """Two doors to one figure: profit over none, of the top of each fold, of all, of a coin."""
    data, nuisances, ranking = two_arms()
    scores = policy_scores(data=data, nuisances=nuisances, parameters=MONEY)
    evaluation = evaluate_policy(
        scores=scores,
        candidates=PolicyCandidates({"only": ranking}, {"only": ranking * 0.0}, ranking),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=MONEY,
        intervals=MetricParameters(uplift_shares=[0.1], level=0.95, bootstrap_replicates=50),
        rng=np.random.default_rng(1),
    )
    held_out, treatment = nuisances.held_out(), data.treatment
    logged = LoggedActions(
        action=treatment,
        probability=np.where(treatment == 1, held_out.propensity, 1.0 - held_out.propensity),
        reward=MONEY.expected.margin_per_unit * data.outcome - MONEY.contact_cost_usd * treatment,
        groups=data.groups,
    )
    model = MONEY.expected.margin_per_unit * np.column_stack([held_out.mu0, held_out.mu1])
    model[:, 1] -= MONEY.contact_cost_usd

    def profit(contacted):
        found = off_policy_values(
            logged=logged,
            policy=np.column_stack([1.0 - contacted, contacted]),
            baseline=np.tile([1.0, 0.0], (len(contacted), 1)),
            reward_model=model,
            level=0.95,
        )
        return found.minus_baseline["doubly_robust"].estimate

    top, coin = np.zeros(len(treatment)), np.zeros(len(treatment))
    for k, share in enumerate(evaluation.share_by_fold):
        rows = np.flatnonzero(nuisances.fold == k)
        best = rows[np.argsort(-ranking[rows, k])]
        top[best] = np.clip(share * len(rows) - np.arange(len(rows)), 0.0, 1.0)
        coin[rows] = share
    assert 0.0 < top.mean() < 1.0
    assert profit(top) == pytest.approx(evaluation.chosen.profit_usd.estimate, abs=1e-10)
    for name, contacted in (("all", np.ones(len(top))), ("random", coin), ("none", 0.0 * top)):
        found = evaluation.baselines[name].profit_usd.estimate
        assert profit(contacted) == pytest.approx(found, abs=1e-10)


GOOD = {
    "logged": LoggedActions(
        np.array([0, 1, 0]), np.array([0.5, 0.5, 1.0]), np.ones(3), np.arange(3)
    ),
    "policy": np.full((3, 2), 0.5),
    "level": 0.95,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"action": np.array([0, 2, 0])}, "`action` must hold 0 to 1"),
        ({"action": np.array([0, 1])}, "`action` must have one value per row"),
        ({"probability": np.array([0.0, 0.5, 0.5])}, "`probability` must be above 0.*1 of 3"),
        ({"probability": np.array([1.2, 0.5, np.nan])}, "2 of 3"),
        ({"reward": np.array([np.nan, 1.0, 1.0])}, "`reward` must be finite; 1 of 3"),
        ({"groups": np.arange(4)}, "`groups` must have one value per row"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(change, says):
    with pytest.raises(PolicyError, match=says):
        off_policy_values(**(GOOD | {"logged": replace(GOOD["logged"], **change)}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"policy": np.full((3, 2), 0.4)}, "`policy` must hold probabilities that add up to 1"),
        ({"policy": np.array([[2.0, -1.0]] * 3)}, "3 of 3 rows do not"),
        ({"policy": np.full(3, 0.5)}, "one column per action"),
        ({"policy": np.array([[0, 1], [1, 0], [0, 1.0]])}, "takes none of them"),
        ({"baseline": np.full((3, 2), 0.4)}, "`baseline` must hold probabilities"),
        ({"reward_model": np.ones((3, 3))}, "`reward_model` must be finite"),
        ({"reward_model": np.full((3, 2), np.nan)}, "6 values that are not"),
        ({"switch_at": 1.0}, "`switch_at` must come with a `reward_model`"),
        ({"switch_at": -1.0}, "`switch_at` must be 0 or more"),
    ],
)
def test_a_policy_or_model_that_does_not_fit_is_refused(change, says):
    with pytest.raises(PolicyError, match=says):
        off_policy_values(**(GOOD | change))
