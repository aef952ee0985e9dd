"""Allocations of any small instance: the program's value, its price, and every limit kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from promo_uplift.policy import ALLOCATION_REASONS, allocate

NONE = -1
TOLERANCE = 1e-6


@st.composite
def instances(draw):
    """Ties, free arms, arms that are not on offer, harm, dominated arms, budgets from 0 to all."""
    n, arms = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rewards, costs = rng.normal(0.5, 1.5, (n, arms)), rng.uniform(0.1, 3.0, (n, arms))
    if draw(st.booleans()):
        rewards, costs = np.round(2.0 * rewards) / 2.0, np.round(2.0 * costs) / 2.0
    costs[rng.random((n, arms)) < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    costs[rng.random((n, arms)) < draw(st.sampled_from([0.0, 0.4, 1.0]))] = np.inf
    all_of_it = float(np.where(np.isfinite(costs), costs, 0.0).sum())
    share = draw(st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0, 10.0]))
    capacity = np.floor(rng.uniform(0.0, n + 1.0, arms))
    return rewards, costs, share * all_of_it, capacity


def optimum(rewards, costs, budget, capacity):
    """Value of the linear relaxation, written down as it stands."""
    n, arms = rewards.shape
    offered = np.isfinite(costs).ravel()
    found = linprog(
        -rewards.ravel(),
        A_ub=np.vstack(
            [
                np.kron(np.eye(n), np.ones(arms)),
                np.where(offered, costs.ravel(), 0.0),
                np.tile(np.eye(arms), (1, n)),
            ]
        ),
        b_ub=np.r_[np.ones(n), budget, capacity],
        bounds=[(0.0, 1.0 if one else 0.0) for one in offered],
        method="highs",
    )
    assert found.status == 0
    return -found.fun


def held(found, rewards, costs, budget, capacity):
    """Check what every allocation must keep; return the rows that have an arm."""
    rows = np.flatnonzero(found.arm != NONE)
    given_arm = found.arm[rows]
    assert np.isfinite(costs[rows, given_arm]).all()
    assert (rewards[rows, given_arm] > 0.0).all()
    assert found.spend == pytest.approx(costs[rows, given_arm].sum())
    assert found.spend <= budget * (1.0 + 1e-9)
    assert (found.counts <= capacity).all()
    assert found.reward == pytest.approx(rewards[rows, given_arm].sum())
    assert found.reward <= found.upper_bound + TOLERANCE
    return rows


@given(instances())
@settings(max_examples=150, deadline=None)
def test_the_bound_is_the_linear_programs_and_the_allocation_is_a_step_below_at_most(instance):
    rewards, costs, budget, capacity = instance
    found = allocate(rewards=rewards, costs=costs, budget=budget)
    unlimited = np.full_like(capacity, np.inf)
    held(found, rewards, costs, budget, unlimited)
    best = optimum(rewards, costs, budget, np.full_like(capacity, len(rewards)))
    assert found.upper_bound == pytest.approx(best, abs=TOLERANCE)
    # one step never brings more than the best arm of a household
    largest = np.where(np.isfinite(costs), rewards, 0.0).max(initial=0.0)
    assert 0.0 <= found.gap <= largest + TOLERANCE
    programme = allocate(rewards=rewards, costs=costs, budget=budget, capacity=unlimited)
    assert programme.upper_bound == pytest.approx(best, abs=TOLERANCE)


@given(instances())
@settings(max_examples=150, deadline=None)
def test_capacities_are_kept_and_miss_the_bound_by_a_few_households(instance):
    rewards, costs, budget, capacity = instance
    found = allocate(rewards=rewards, costs=costs, budget=budget, capacity=capacity)
    held(found, rewards, costs, budget, capacity)
    assert found.upper_bound == pytest.approx(
        optimum(rewards, costs, budget, capacity), abs=TOLERANCE
    )
    largest = np.where(np.isfinite(costs), rewards, 0.0).max(initial=0.0)
    assert found.gap <= (1 + rewards.shape[1]) * largest + TOLERANCE


@given(instances())
@settings(max_examples=100, deadline=None)
def test_the_price_is_what_one_more_unit_of_budget_would_bring(instance):
    rewards, costs, budget, capacity = instance
    found = allocate(rewards=rewards, costs=costs, budget=budget)
    more = 1e-4
    capacity = np.full_like(capacity, len(rewards))
    gained = optimum(rewards, costs, budget + more, capacity) - found.upper_bound
    assert gained == pytest.approx(found.shadow_price * more, rel=1e-3, abs=1e-7)


@given(instances())
@settings(max_examples=100, deadline=None)
def test_every_household_has_the_reason_that_is_its_own(instance):
    rewards, costs, budget, _ = instance
    found = allocate(rewards=rewards, costs=costs, budget=budget)
    names = np.array(list(ALLOCATION_REASONS))[found.reason]
    for i, name in enumerate(names):
        offered = rewards[i, np.isfinite(costs[i])]
        best = offered.max(initial=-np.inf)
        own = None if found.arm[i] == NONE else rewards[i, found.arm[i]]
        expected = {
            "not_on_offer": own is None and not len(offered),
            "no_gain": own is None and len(offered) > 0 and best <= 0.0,
            "budget_spent": own is None and best > 0.0,
            "best_arm": own is not None and own == best,
            "another_arm": own is not None and own < best,
        }
        assert [one for one, holds in expected.items() if holds] == [name]
