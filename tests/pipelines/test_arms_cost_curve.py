"""Several arms under one budget: against a known truth, held out, and refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.analysis import allocate_arms, arm_cost_curves, cross_fit_arms
from promo_uplift.analysis.arm_offer import ALL_ARMS, NO_COVARIATES
from promo_uplift.analysis.arms import refuse_arm_learner
from promo_uplift.contracts.errors import LearnerError, MetricError, PolicyError
from promo_uplift.contracts.parameters import PolicyParameters, TableParameters
from promo_uplift.door import table_parameters
from promo_uplift.trials import table_arms

N = 3_000
SHARES = {"none": 0.5, "letter": 0.3, "call": 0.2}
COSTS = {"letter": 1.0, "call": 2.0}
MONEY = PolicyParameters(
    margin_rate=0.9,
    contact_cost_usd=0.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=False,
    grid_points=11,
    support_quantile=0.0,
)


def world(seed=1, confounded=False):
    """A letter helps where x is high, a call where it is low; both cost more than nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    chances = np.tile(list(SHARES.values()), (N, 1))
    if confounded:
        chances = np.exp(np.column_stack([np.zeros(N), 0.7 * x, -0.7 * x]))
        chances /= chances.sum(axis=1, keepdims=True)
    code = (rng.random((N, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    effects = np.column_stack([np.zeros(N), 1.0 + x, 1.0 - 1.5 * x])
    outcome = 2.0 * x + effects[np.arange(N), code] + rng.normal(size=N)
    arm = np.array(list(SHARES))[code]
    frame = pd.DataFrame({"x": x, "z": rng.normal(size=N), "arm": arm, "y": outcome})
    return frame, effects[:, 1:]


def read(frame, **roles):
    _, table = table_parameters()
    named = {"treatment": "arm", "outcome": "y", "control": "none"}
    return table_arms(
        frame=frame, parameters=TableParameters.model_validate({**table, **named, **roles})
    )


def settings():
    parameters, _ = table_parameters(
        {"estimation": {"candidates": ["t_learner"], "n_workers": 1}, "nuisance": {"n_folds": 3}}
    )
    return parameters


def effects_of(arms, **changed):
    return cross_fit_arms(
        **({"arms": arms, "learner": "t_learner", "parameters": settings(), "seed": 5} | changed)
    )


@pytest.fixture(scope="module")
def experiment():
    frame, truth = world()
    arms = read(frame, propensity=SHARES)
    return arms, truth, effects_of(arms)


def test_the_table_keeps_every_row_and_the_shares_that_were_drawn(experiment):
    arms, _, _ = experiment
    assert arms.names == ("call", "letter")
    assert np.bincount(arms.arm).sum() == N
    np.testing.assert_allclose(arms.propensity, np.tile([0.5, 0.2, 0.3], (N, 1)), atol=1e-12)


def test_effects_and_scores_are_those_of_the_truth(experiment):
    _, truth, effects = experiment
    for place, column in enumerate((1, 0)):  # call, letter
        assert np.corrcoef(effects.cate[:, place], truth[:, column])[0, 1] > 0.85
        error = effects.scores[:, place] - truth[:, column]
        assert abs(error.mean()) < 4.0 * error.std() / np.sqrt(N)
    # the arms share their controls, so their scores move together
    error = effects.scores - truth[:, ::-1]
    assert np.corrcoef(error.T)[0, 1] > 0.2


def test_a_modelled_propensity_removes_the_confounding_that_the_naive_difference_has():
    frame, truth = world(seed=2, confounded=True)
    arms = read(frame)
    assert arms.propensity is None
    effects = effects_of(arms)
    by_arm = frame.groupby("arm")["y"].mean()
    for place, (name, column) in enumerate((("call", 1), ("letter", 0))):
        true = truth[:, column].mean()
        error = abs(effects.scores[:, place].mean() - true)
        assert error < 0.35 * abs(by_arm[name] - by_arm["none"] - true)
    assert 0 <= effects.n_clipped < N


def test_nothing_of_a_fold_comes_from_its_own_outcomes_or_arms(experiment):
    arms, _, effects = experiment
    held_out = effects.fold == 0
    rng = np.random.default_rng(0)
    outcome, arm = arms.outcome.copy(), arms.arm.copy()
    moved = held_out & (np.arange(N) % 2 == 0)
    outcome[moved] = rng.normal(1e3, 1e3, moved.sum())
    arm[moved] = rng.permutation(arm[moved])
    other = effects_of(replace(arms, outcome=outcome, arm=arm))
    np.testing.assert_array_equal(other.fold, effects.fold)
    np.testing.assert_array_equal(other.cate[held_out], effects.cate[held_out])
    assert not np.allclose(other.cate[~held_out], effects.cate[~held_out])
    # a score holds its own row's outcome, and nothing else of its fold
    kept = held_out & ~moved
    np.testing.assert_array_equal(other.scores[kept], effects.scores[kept])


def test_the_joint_curve_beats_each_arm_and_reaches_what_the_truth_allows(experiment):
    _, truth, effects = experiment
    curves = arm_cost_curves(
        effects=effects, costs=COSTS, budgets=[0.5, 1.5], replicates=200, level=0.95, seed=1
    )
    assert list(curves.curves) == [ALL_ARMS, "call", "letter", NO_COVARIATES]
    table = curves.differences().set_index(["policy", "budget"])
    for name in ("call", "letter", NO_COVARIATES):
        assert table.loc[(f"{ALL_ARMS} - {name}", 1.5), "ci_low"] > 0.0
    best = np.maximum(truth, 0.0).max(axis=1).mean()  # each its best arm, whatever it costs
    joint = curves.table().set_index(["policy", "budget"]).loc[(ALL_ARMS, 1.5)]
    assert 0.8 * best < joint["gain"]
    assert joint["ci_low"] < best
    assert joint["spend"] <= 1.5


def test_what_is_free_is_given_before_any_budget_and_what_is_not_on_offer_never(experiment):
    _, _, effects = experiment
    asked = {"effects": effects, "budgets": [0.5, 1.0], "replicates": 50, "level": 0.95, "seed": 1}
    call, letter = effects.names.index("call"), effects.names.index("letter")
    nobody = np.full(N, np.inf)
    nobody[0] = 1.0  # one step, for one row
    curves = arm_cost_curves(costs={"letter": 0.0, "call": nobody}, **asked).curves
    free = np.where(effects.cate[:, letter] > 0.0, effects.scores[:, letter], 0.0)
    largest = 2.0 * np.abs(effects.scores[0]).max() / N
    for policy in (ALL_ARMS, "letter"):
        assert curves[policy].gain[0, 0] == pytest.approx(free.mean(), abs=largest)
    only = effects.scores[0, call] * (effects.cate[0, call] > 0.0) / N
    assert curves["call"].gain[1, 0] == pytest.approx(only)
    # the same cost in every row is that cost
    row_by_row = arm_cost_curves(costs={"letter": np.ones(N), "call": [2.0] * N}, **asked).table()
    pd.testing.assert_frame_equal(arm_cost_curves(costs=COSTS, **asked).table(), row_by_row)


@pytest.mark.parametrize("policy", [None, MONEY])
def test_at_the_stated_budget_the_curve_is_the_value_of_the_allocation(experiment, policy):
    _, _, effects = experiment
    shared = {"effects": effects, "costs": COSTS, "replicates": 50, "level": 0.95, "seed": 1}
    budget = 0.4321 * N
    curves = arm_cost_curves(budgets=None, policy=policy, budget=budget, **shared)
    value = allocate_arms(
        control="none",
        budget=budget,
        policy=policy or settings().policy,
        verdicts=dict.fromkeys(COSTS, "publish"),
        power=0.8,
        **shared,
    ).value.set_index("policy")
    table = curves.table().set_index(["policy", "budget"])
    assert len(table) == 4 * (20 + 2)
    assert (table.xs(0.0, level="budget")["gain"] == 0.0).all()
    for policy_, name in (
        (ALL_ARMS, "allocation"),
        ("letter", "letter, same budget"),
        (NO_COVARIATES, NO_COVARIATES),
    ):
        own = table.loc[(policy_, budget / N)]
        assert own["gain"] == value.loc[name, "gain"]
        assert own["ci_low"] == value.loc[name, "gain_ci_low"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"costs": {"letter": 1.0}}, "`costs` must give the cost of every arm"),
        ({"costs": {"letter": -1.0, "call": 1.0}}, "`costs` must be 0 or more"),
        ({"costs": {"letter": np.nan, "call": 1.0}}, "1 of 'letter' are not"),
        ({"costs": dict.fromkeys(COSTS, 0.0)}, "above 0 for one arm on offer"),
        ({"costs": None, "policy": MONEY}, "`costs` must be given where a margin is stated"),
        ({"budgets": [2.0, 1.0]}, "`budgets`"),
    ],
)
def test_curves_refuse_by_name(experiment, change, says):
    good = {"costs": COSTS, "budgets": [1.0], "replicates": 2, "level": 0.95, "seed": 1}
    with pytest.raises((MetricError, PolicyError), match=says):
        arm_cost_curves(effects=experiment[2], **(good | change))


def test_a_learner_that_is_not_configured_is_refused(experiment):
    with pytest.raises(LearnerError, match="`learner` must be one of"):
        effects_of(experiment[0], learner="no_such_learner")


@pytest.mark.parametrize("learner", ["random", "ensemble"])
def test_a_learner_that_predicts_no_effect_by_itself_is_refused(learner):
    estimation = table_parameters()[0].estimation
    with pytest.raises(LearnerError, match="`learner` must predict an effect by itself"):
        refuse_arm_learner(learner=learner, estimation=estimation)
