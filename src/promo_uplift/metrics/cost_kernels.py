"""Compiled passes of multi-arm cost curves: hulls of the arms, and spend and gain down a path.

As in :mod:`promo_uplift.metrics.kernels`: replicates inside, next to each other in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.kernels import CountArray


@njit(cache=True)
def hull(rewards: FloatArray, costs: FloatArray, order: IntArray, kept: IntArray) -> int:
    """Put the arms of one row's upper-left hull into ``kept``, cheapest first; return how many.

    The hull starts at nobody treated, (0, 0). Each arm on it costs more and promises more than the
    one before, at a falling price of promise; ties go to the arm that stands first.
    """
    n_arms = len(rewards)
    for arm in range(n_arms):  # insertion sort by cost, then by falling reward
        place = arm
        while place > 0:
            other = order[place - 1]
            same = costs[other] == costs[arm]
            if costs[other] < costs[arm] or (same and rewards[other] >= rewards[arm]):
                break
            order[place] = other
            place -= 1
        order[place] = arm
    size = 0
    for position in range(n_arms):
        arm = order[position]
        if not np.isfinite(costs[arm]):
            continue  # not on offer
        highest = rewards[kept[size - 1]] if size else 0.0
        if rewards[arm] <= highest:
            continue
        while size > 0:
            top = kept[size - 1]
            below_cost = costs[kept[size - 2]] if size > 1 else 0.0
            below_reward = rewards[kept[size - 2]] if size > 1 else 0.0
            slope = (rewards[arm] - rewards[top]) / (costs[arm] - costs[top])
            if slope < (rewards[top] - below_reward) / (costs[top] - below_cost):
                break
            size -= 1
        kept[size] = arm
        size += 1
    return size


@njit(cache=True)
def steps(
    rewards: FloatArray, costs: FloatArray
) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """List the steps along every row's hull: row, arm, arm before it (-1: none), their ratio."""
    n_rows, n_arms = rewards.shape
    row = np.empty(n_rows * n_arms, dtype=np.int64)
    arm = np.empty(n_rows * n_arms, dtype=np.int64)
    before = np.empty(n_rows * n_arms, dtype=np.int64)
    ratio = np.empty(n_rows * n_arms)
    order, kept = np.zeros(n_arms, dtype=np.int64), np.zeros(n_arms, dtype=np.int64)
    count = 0
    for i in range(n_rows):
        previous, cost, reward = -1, 0.0, 0.0
        for position in range(hull(rewards[i], costs[i], order, kept)):
            chosen = kept[position]
            row[count], arm[count], before[count] = i, chosen, previous
            ratio[count] = (rewards[i, chosen] - reward) / (costs[i, chosen] - cost)
            previous, cost, reward = chosen, costs[i, chosen], rewards[i, chosen]
            count += 1
    return row[:count], arm[:count], before[:count], ratio[:count]


@njit(cache=True)
def buy(row: IntArray, arm: IntArray, cost: FloatArray, limit: float, arms: IntArray) -> None:
    """Put into ``arms`` what whole steps buy, in order; a step that does not fit is passed over.

    A later step of its row starts where it ends, so the row is done; other rows go on.
    """
    spent, is_done = 0.0, np.zeros(len(arms), dtype=np.bool_)
    for step in range(len(row)):
        who = row[step]
        if is_done[who]:
            continue
        if spent + cost[step] <= limit:
            spent += cost[step]
            arms[who] = arm[step]
        else:
            is_done[who] = True


@njit(cache=True)
def spend_and_gain(
    starts: IntArray,
    code: IntArray,
    counts: CountArray,
    cost: FloatArray,
    score: FloatArray,
    total: FloatArray,
    budgets: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gain at each budget, the area under the gain up to it, each ``(S, R)``; spend at the end.

    Parameters
    ----------
    starts : int64 (b + 1,)
        Where each block of equally good steps starts; a block is bought little by little.
    code : int64 (m,)
        Position of each step's household in ``counts (H, R)``.
    cost, score : float64 (m,)
        What each step adds to the cost and to the score.
    total : float64 (R,)
        Weight of all rows, bought or not.
    budgets : float64 (S,)
        Per row, ascending.
    """
    replicates, n_budgets = counts.shape[1], len(budgets)
    spent, gained, area = np.zeros(replicates), np.zeros(replicates), np.zeros(replicates)
    width, height = np.zeros(replicates), np.zeros(replicates)
    due = np.zeros(replicates, dtype=np.int64)
    gains, areas = np.zeros((n_budgets, replicates)), np.zeros((n_budgets, replicates))
    for block in range(len(starts) - 1):
        width[:], height[:] = 0.0, 0.0
        for step in range(starts[block], starts[block + 1]):
            weight, price, value = counts[code[step]], cost[step], score[step]
            for r in range(replicates):
                w = float(weight[r])
                width[r] += w * price
                height[r] += w * value
        for r in range(replicates):
            if width[r] <= 0.0:
                continue
            after = spent[r] + width[r]
            while due[r] < n_budgets and budgets[due[r]] * total[r] < after:
                bought = max(budgets[due[r]] * total[r] - spent[r], 0.0)
                gain = gained[r] + bought / width[r] * height[r]
                gains[due[r], r] = gain
                areas[due[r], r] = area[r] + bought * (gained[r] + gain) / 2.0
                due[r] += 1
            area[r] += width[r] * (gained[r] + height[r] / 2.0)
            spent[r] = after
            gained[r] += height[r]
    for r in range(replicates):
        while due[r] < n_budgets:
            gains[due[r], r] = gained[r]
            areas[due[r], r] = area[r] + (budgets[due[r]] * total[r] - spent[r]) * gained[r]
            due[r] += 1
    return gains / total, areas / (total * total), spent / total
