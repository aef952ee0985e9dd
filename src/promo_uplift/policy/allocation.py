"""Which arm for whom, or none, under one budget: the assignment, its price, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.metrics import cost_path
from promo_uplift.metrics.cost_curve import NO_ARM, ROUNDING

#: Why a household has what it has; :attr:`Allocation.reason` holds positions in this order.
ALLOCATION_REASONS: dict[str, str] = {
    "best_arm": "Gets the arm that promises it most.",
    "another_arm": (
        "Gets an arm, though another promises it more: the difference buys more elsewhere."
    ),
    "budget_spent": "An arm promises a gain, but what it takes buys more elsewhere.",
    "no_gain": "No arm on offer promises a gain.",
    "not_on_offer": "No arm is on offer.",
}
#: A variable of the linear program is 0 or 1 if it misses it by no more.
WHOLE = 1e-7


@dataclass(frozen=True, slots=True)
class Allocation:
    """One arm or none for each household, in the unit of rewards and of costs.

    Attributes
    ----------
    arm : int64 (n,)
        Column of the arm; -1 for none.
    reason : int64 (n,)
        Position in :data:`ALLOCATION_REASONS`.
    budget, spend : float
        What may be spent, and what is.
    reward : float
        Predicted reward of the allocation, over all households. A promise, not a value: it is
        read off the predictions that chose it.
    shadow_price : float
        Reward that one more unit of budget would buy, by the linear relaxation; 0 where the
        budget buys all that promises a gain.
    capacity_prices : float64 (A,)
        Reward that one more household of each arm's capacity would bring; 0 without capacities.
    upper_bound : float
        Reward of the linear relaxation, in which a household may get a part of an arm: no
        allocation promises more.
    """

    arm: IntArray
    reason: IntArray
    budget: float
    spend: float
    reward: float
    shadow_price: float
    capacity_prices: FloatArray
    upper_bound: float

    @property
    def gap(self) -> float:
        """Reward by which the allocation may be below the best one, 0 or more."""
        return max(self.upper_bound - self.reward, 0.0)

    @property
    def counts(self) -> IntArray:
        """Households that get each arm, ``(A,)``."""
        given = self.arm[self.arm != NO_ARM]
        return np.bincount(given, minlength=len(self.capacity_prices)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Relaxed:
    """Whole part of a linear program's solution, with its prices and value."""

    arm: IntArray
    shadow_price: float
    capacity_prices: FloatArray
    upper_bound: float


def allocate(
    *,
    rewards: FloatArray,
    costs: FloatArray,
    budget: float,
    capacity: FloatArray | None = None,
) -> Allocation:
    r"""Give each household one arm or none, so that the budget promises most.

    Maximises :math:`\sum_i r_{i, a_i}` under :math:`\sum_i c_{i, a_i} \le B`. The arms of a
    household exclude each other; a combination of mailings is an arm of its own, with its own
    effect and cost, since effects need not add up.

    Parameters
    ----------
    rewards : float64 (n, A)
        Predicted reward of each arm against none, USD: profit, or another gain. What promises
        nothing is not given.
    costs : float64 (n, A) or (A,)
        What each arm takes from the budget, USD, 0 or more; infinite where it is not on offer.
    budget : float
        USD over all households, 0 or more; infinite: no limit.
    capacity : float64 (A,), optional
        Households that may get each arm at most; infinite for no limit.

    Raises
    ------
    PolicyError
        If shapes differ, a reward is not finite, a cost, the budget or a capacity is negative or
        NaN, or the linear program of the capacities is not solved.

    Notes
    -----
    Without capacities: a greedy pass over the steps of all households' cost hulls (see
    :func:`promo_uplift.metrics.cost_path`), whose relaxation is exact; the allocation promises
    less than the bound by less than one step. A household's best free arm is where its hull
    starts. With capacities: the linear program itself (HiGHS), of whose basic solution at most
    ``1 + A`` households hold parts of arms; they get what still fits.

    References
    ----------
    Sinha & Zoltners (1979), *Operations Research* 27(3), 503-515 (multiple-choice knapsack);
    Sverdrup, Wu, Athey & Wager (2023), arXiv:2306.11979.

    Examples
    --------
    >>> found = allocate(
    ...     rewards=np.array([[4.0, 6.0], [1.0, 9.0], [-1.0, 0.0]]),
    ...     costs=np.array([1.0, 3.0]), budget=4.0)
    >>> found.arm.tolist(), found.spend, found.reward, found.shadow_price
    ([0, 1, -1], 4.0, 13.0, 1.0)
    """
    promised, price = _checked(rewards=rewards, costs=costs, budget=budget)
    if capacity is None:
        found = _greedy(promised, price, budget)
    else:
        limits = _checked_capacity(capacity, promised.shape[1])
        found = _programme(promised, price, budget, limits)
    rows = np.flatnonzero(found.arm != NO_ARM)
    given = found.arm[rows]
    return Allocation(
        arm=found.arm,
        reason=_reasons(promised, price, found.arm),
        budget=float(budget),
        spend=float(price[rows, given].sum()),
        reward=float(promised[rows, given].sum()),
        shadow_price=found.shadow_price,
        capacity_prices=found.capacity_prices,
        upper_bound=found.upper_bound,
    )


def best_free_arm(*, rewards: FloatArray, costs: FloatArray) -> tuple[IntArray, FloatArray]:
    """Arm that costs nothing and promises a row most, -1 for none, and its reward, ``(n,)`` each.

    Parameters
    ----------
    rewards, costs : float64 (n, A)
        As :func:`allocate`.
    """
    free = np.where(costs == 0.0, rewards, 0.0)
    gain = free.max(axis=1)
    start = np.where(gain > 0.0, free.argmax(axis=1), NO_ARM).astype(np.int64)
    return start, np.maximum(gain, 0.0)


def _checked(
    *, rewards: FloatArray, costs: FloatArray, budget: float
) -> tuple[FloatArray, FloatArray]:
    promised = np.asarray(rewards, dtype=np.float64)
    if promised.ndim != 2 or 0 in promised.shape:
        raise PolicyError(
            "`rewards` must have one row per household and one column per arm; got shape "
            f"{promised.shape}."
        )
    price = np.asarray(costs, dtype=np.float64)
    if price.shape not in (promised.shape, promised.shape[1:]):
        raise PolicyError(
            f"`costs` must have shape {promised.shape}, or {promised.shape[1:]} for a cost per "
            f"arm; got {price.shape}."
        )
    n_odd = int((~np.isfinite(promised)).sum())
    if n_odd:
        raise PolicyError(
            f"`rewards` must be finite; {n_odd} are not. An arm that is not on offer to a "
            "household has an infinite cost."
        )
    n_negative = int((~(price >= 0.0)).sum())
    if n_negative:
        raise PolicyError(
            f"`costs` must be 0 or more (infinite where an arm is not on offer); {n_negative} are "
            "not."
        )
    if not budget >= 0.0:
        raise PolicyError(f"`budget` must be 0 or more, over all households; got {budget}.")
    return promised, np.broadcast_to(price, promised.shape)


def _checked_capacity(capacity: FloatArray, n_arms: int) -> FloatArray:
    limits = np.asarray(capacity, dtype=np.float64)
    if limits.shape != (n_arms,) or not (limits >= 0.0).all():
        raise PolicyError(
            f"`capacity` must hold one number of households, 0 or more, for each of the {n_arms} "
            f"arms (infinite for no limit); got {limits.tolist()}."
        )
    return np.floor(limits)


def _greedy(rewards: FloatArray, costs: FloatArray, budget: float) -> _Relaxed:
    """Whole steps along the hulls, each of which starts at the household's best free arm."""
    start, saved = best_free_arm(rewards=rewards, costs=costs)
    path = cost_path(
        rewards=rewards - saved[:, np.newaxis], costs=np.where(costs == 0.0, np.inf, costs)
    )
    n_rows = len(rewards)
    bought = path.assignment(budget=budget / n_rows)
    spend = np.cumsum(path.cost)
    whole = int(np.searchsorted(spend, budget * (1.0 + ROUNDING), side="right"))
    is_left = whole < len(spend)
    price = float(path.reward[whole] / path.cost[whole]) if is_left else 0.0
    in_part = price * max(budget - (float(spend[whole - 1]) if whole else 0.0), 0.0)
    return _Relaxed(
        arm=np.where(bought == NO_ARM, start, bought),
        shadow_price=price,
        capacity_prices=np.zeros(rewards.shape[1]),
        upper_bound=float(saved.sum() + path.reward[:whole].sum()) + (in_part if is_left else 0.0),
    )


def _programme(
    rewards: FloatArray, costs: FloatArray, budget: float, capacity: FloatArray
) -> _Relaxed:
    """Solve the relaxation as a linear program over the arms that promise a gain."""
    n_rows, n_arms = rewards.shape
    row, arm = np.nonzero((rewards > 0.0) & np.isfinite(costs))
    gain, cost = rewards[row, arm], costs[row, arm]
    arms = np.full(n_rows, NO_ARM, dtype=np.int64)
    if not len(row):
        return _Relaxed(arms, 0.0, np.zeros(n_arms), 0.0)
    most = np.minimum(capacity, n_rows)
    matrix, limits = _constraints(row, arm, cost, n_rows, n_arms)
    found = linprog(
        -gain,
        A_ub=matrix,
        b_ub=np.r_[limits, min(budget, float(cost.sum())), most],
        bounds=(0.0, 1.0),
        method="highs-ds",
    )
    if found.status != 0:
        raise PolicyError(
            f"`capacity` must leave a linear program that is solved; HiGHS says {found.message!r}."
        )
    is_whole = found.x >= 1.0 - WHOLE
    arms[row[is_whole]] = arm[is_whole]
    in_part = np.flatnonzero(~is_whole & (found.x > WHOLE))
    left = budget * (1.0 + ROUNDING) - float(cost[is_whole].sum())
    room = most - np.bincount(arm[is_whole], minlength=n_arms)
    for place in in_part[np.argsort(-gain[in_part], kind="stable")]:
        who, which = row[place], arm[place]
        if arms[who] == NO_ARM and cost[place] <= left and room[which] >= 1.0:
            arms[who], left, room[which] = which, left - cost[place], room[which] - 1.0
    prices = -np.asarray(found.ineqlin.marginals[n_rows:], dtype=np.float64)
    return _Relaxed(arms, float(prices[0]), prices[1:], -float(found.fun))


def _constraints(
    row: IntArray, arm: IntArray, cost: FloatArray, n_rows: int, n_arms: int
) -> tuple[csr_array, FloatArray]:
    """One arm per household, the budget, the arms' capacities: rows of the program."""
    column = np.arange(len(row))
    matrix = coo_array(
        (
            np.r_[np.ones(len(row)), cost, np.ones(len(row))],
            (np.r_[row, np.full(len(row), n_rows), n_rows + 1 + arm], np.tile(column, 3)),
        ),
        shape=(n_rows + 1 + n_arms, len(row)),
    )
    return matrix.tocsr(), np.ones(n_rows)


def _reasons(rewards: FloatArray, costs: FloatArray, arm: IntArray) -> IntArray:
    is_offered: BoolArray = np.isfinite(costs)
    best = np.where(is_offered, rewards, -np.inf).max(axis=1)
    is_given = arm != NO_ARM
    own = rewards[np.arange(len(arm)), np.maximum(arm, 0)]
    names = list(ALLOCATION_REASONS)
    rules = [
        ("best_arm", is_given & (own >= best)),
        ("another_arm", is_given),
        ("not_on_offer", ~is_offered.any(axis=1)),
        ("no_gain", best <= 0.0),
    ]
    return np.select(
        [rule for _, rule in rules],
        [names.index(name) for name, _ in rules],
        default=names.index("budget_spent"),
    ).astype(np.int64)
