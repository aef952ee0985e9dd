"""Allocations by hand, at full size, and refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.policy import ALLOCATION_REASONS, allocate

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "spend-a-budget-on-several-arms.md"
REWARDS = np.array([[4.0, 6.0], [1.0, 9.0], [-1.0, 0.0], [2.0, 1.0]])
COSTS = np.array([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [np.inf, np.inf]])


def reasons(found):
    return np.array(list(ALLOCATION_REASONS))[found.reason].tolist()


def test_four_households_by_hand():
    """Steps: household 0's first arm 4 per 1, household 1's second 9 per 3, 0's second 2 per 2."""
    found = allocate(rewards=REWARDS, costs=COSTS, budget=4.5)
    assert found.arm.tolist() == [0, 1, -1, -1]
    assert (found.spend, found.reward, found.shadow_price) == (4.0, 13.0, 1.0)
    assert found.upper_bound == pytest.approx(13.5)
    assert found.gap == pytest.approx(0.5)
    assert found.counts.tolist() == [1, 1]
    assert reasons(found) == ["another_arm", "best_arm", "no_gain", "not_on_offer"]
    poor = allocate(rewards=REWARDS, costs=COSTS, budget=1.0)
    assert poor.arm.tolist() == [0, -1, -1, -1]
    assert poor.shadow_price == pytest.approx(3.0)
    assert reasons(poor)[1] == "budget_spent"
    for budget in (6.0, np.inf):
        rich = allocate(rewards=REWARDS, costs=COSTS, budget=budget)
        assert rich.arm.tolist() == [1, 1, -1, -1]
        assert (rich.shadow_price, rich.gap) == (0.0, 0.0)


def test_a_free_arm_is_given_whatever_the_budget_and_another_must_beat_it():
    """The first arm costs nothing and promises 3; the second costs 2 and must add to that."""
    rewards = np.array([[3.0, 4.0], [3.0, 2.0], [-1.0, 5.0]])
    found = allocate(rewards=rewards, costs=np.array([0.0, 2.0]), budget=0.0)
    assert found.arm.tolist() == [0, 0, -1]
    assert (found.spend, found.reward, found.shadow_price) == (0.0, 6.0, 2.5)
    found = allocate(rewards=rewards, costs=np.array([0.0, 2.0]), budget=4.0)
    assert found.arm.tolist() == [1, 0, 1]
    assert (found.spend, found.reward, found.gap) == (4.0, 12.0, 0.0)


def test_a_step_that_does_not_fit_does_not_stop_those_that_do():
    found = allocate(
        rewards=np.array([[100.0], [9.0], [8.0]]), costs=np.array([[11.0], [5.0], [6.0]]), budget=5
    )
    assert found.arm.tolist() == [-1, 0, -1]
    assert found.gap == pytest.approx(5.0 * 100.0 / 11.0 - 9.0)


def test_a_capacity_sends_households_to_their_next_best_arm():
    rewards = np.array([[5.0, 4.0], [5.0, 1.0], [5.0, 4.5]])
    found = allocate(
        rewards=rewards, costs=np.ones(2), budget=3.0, capacity=np.array([1.0, np.inf])
    )
    assert found.arm.tolist() == [1, 0, 1]
    assert (found.reward, found.gap) == (13.5, pytest.approx(0.0))
    assert found.capacity_prices[0] > 0.0
    nobody = allocate(rewards=rewards, costs=np.ones(2), budget=3.0, capacity=np.zeros(2))
    assert nobody.arm.tolist() == [-1, -1, -1]


def test_nothing_that_promises_a_gain_is_no_allocation():
    for capacity in (None, np.ones(2)):
        found = allocate(
            rewards=np.full((3, 2), -1.0), costs=np.ones(2), budget=9.0, capacity=capacity
        )
        assert found.arm.tolist() == [-1, -1, -1]
        assert (found.spend, found.reward, found.upper_bound, found.gap) == (0.0, 0.0, 0.0, 0.0)
        assert found.counts.tolist() == [0, 0]


def test_many_households_spend_the_budget_to_the_last_step_and_inputs_stay_as_they_are():
    rng = np.random.default_rng(3)
    n = 100_000
    rewards, costs = rng.normal(0.3, 1.0, (n, 3)), rng.uniform(0.5, 2.0, (n, 3))
    given = rewards.copy(), costs.copy()
    found = allocate(rewards=rewards, costs=costs, budget=0.3 * n)
    np.testing.assert_array_equal(rewards, given[0])
    np.testing.assert_array_equal(costs, given[1])
    assert 0.0 <= found.budget - found.spend < 0.5
    assert found.gap < 1e-5 * found.reward


def test_the_example_of_the_page_gives_what_its_comments_say():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [one for one in blocks if "import allocate" in one]
    names = {}
    exec(block, names)  # noqa: S102 - the page's own code
    found = names["found"]
    arms, figures = re.findall(r"^found.*#(.*)$", block, re.MULTILINE)
    assert arms.split(":")[0].split(",") == [f" {arm}" for arm in found.arm]
    shown = [float(figure) for figure in figures.split(",")]
    assert shown == [found.spend, found.reward, found.upper_bound, found.shadow_price]


GOOD = {"rewards": REWARDS, "costs": COSTS, "budget": 1.0}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rewards": np.ones(4)}, "`rewards` must have one row per household"),
        ({"rewards": np.full((4, 2), np.nan)}, "`rewards` must be finite; 8"),
        ({"costs": np.ones(3)}, "`costs` must have shape"),
        ({"costs": np.array([1.0, np.nan])}, "`costs` must be 0 or more.*1 are not"),
        ({"costs": np.array([-1.0, 1.0])}, "`costs` must be 0 or more"),
        ({"budget": -1.0}, "`budget` must be 0 or more"),
        ({"budget": np.nan}, "`budget` must be 0 or more"),
        ({"capacity": np.ones(3)}, "`capacity` must hold one number"),
        ({"capacity": np.array([-1.0, 1.0])}, "`capacity` must hold one number"),
    ],
)
def test_refusals_name_the_field(change, says):
    with pytest.raises(PolicyError, match=says):
        allocate(**(GOOD | change))
