"""Compiled passes of the extremes of averages: prefix sums, and the turning point by bisection."""

from __future__ import annotations

import numpy as np
from numba import njit

from promo_uplift.contracts.results import FloatArray


@njit(cache=True)
def prefix_sums(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum weighted values and weights over the first rows, ``(m + 1, R)`` each.

    ``values`` is ``(m, 1)`` where all replicates have the same, else ``(m, R)``.
    """
    n_rows, n_replicates = weights.shape
    step = 1 if values.shape[1] > 1 else 0
    valued = np.zeros((n_rows + 1, n_replicates))
    summed = np.zeros((n_rows + 1, n_replicates))
    for row in range(n_rows):
        for one in range(n_replicates):
            weight = weights[row, one]
            summed[row + 1, one] = summed[row, one] + weight
            valued[row + 1, one] = valued[row, one] + weight * values[row, step * one]
    return valued, summed


@njit(cache=True)
def turning_means(
    values: FloatArray,
    valued: FloatArray,
    summed: FloatArray,
    first_get: FloatArray,
    others_get: FloatArray,
) -> FloatArray:
    """Extreme weighted mean of each replicate if the first rows get one factor, the rest another.

    The mean over where the first rows end rises (or falls) as long as the next row's value is below
    it, and never after: values ascend. 0 where nothing has a weight.
    """
    n_rows, n_replicates = values.shape[0], valued.shape[1]
    step = 1 if values.shape[1] > 1 else 0
    found = np.zeros(n_replicates)
    for one in range(n_replicates):
        change = first_get[one] - others_get[one]
        all_valued = others_get[one] * valued[n_rows, one]
        all_summed = others_get[one] * summed[n_rows, one]
        if all_summed <= 0.0:
            continue
        low, high = 0, n_rows
        while low < high:
            middle = (low + high) // 2
            mean = (change * valued[middle, one] + all_valued) / (
                change * summed[middle, one] + all_summed
            )
            if values[middle, step * one] >= mean:
                high = middle
            else:
                low = middle + 1
        found[one] = (change * valued[low, one] + all_valued) / (
            change * summed[low, one] + all_summed
        )
    return found
