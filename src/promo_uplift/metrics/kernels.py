"""Compiled passes over ranked rows: rows outside, replicates inside, next to each other in memory.

``starts (b + 1,)`` cuts the ``m`` rows, best first, into blocks of tied rows; ``code (m,)`` is the
position of a row's household in ``counts (H, R)``; ``total (R,)`` the rows' weight.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promo_uplift.contracts.results import FloatArray, IntArray

CountArray = np.typing.NDArray[np.uint8]
SeedArray = np.typing.NDArray[np.uint64]

#: Households drawn in one go: their counts in all replicates stay in a core's cache.
DRAW_BLOCK = 1024
#: Rows whose weights are fetched from memory together.
FETCH = 64


@njit(cache=True, nogil=True)
def scatter(drawn: IntArray, seeds: SeedArray, counts: CountArray) -> None:
    """Draw households with replacement inside blocks of ``DRAW_BLOCK``, into ``counts (H, 1 + B)``.

    ``drawn (blocks, B)`` says how often each block is drawn in each replicate. A draw is the high
    half of 32 bits times the block's size, so no household is favoured by more than
    ``DRAW_BLOCK / 2**32``. The bits come from splitmix64, one stream per block.
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for block in range(len(seeds)):
        inside = counts[block * DRAW_BLOCK : (block + 1) * DRAW_BLOCK]
        inside[:, 0], inside[:, 1:] = 1, 0
        state, size = seeds[block], np.uint64(len(inside))
        for replicate in range(drawn.shape[1]):
            left = drawn[block, replicate]
            while left > 0:
                state += np.uint64(0x9E3779B97F4A7C15)
                bits = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                bits ^= bits >> np.uint64(31)
                inside[((bits & low) * size) >> half, 1 + replicate] += np.uint8(1)
                if left > 1:
                    inside[((bits >> half) * size) >> half, 1 + replicate] += np.uint8(1)
                left -= 2


@njit(cache=True, nogil=True)
def totals(rows: IntArray, counts: CountArray) -> FloatArray:
    """Weight of all rows in each replicate, ``(R,)``, from the ``rows (H,)`` of each household."""
    total = np.zeros(counts.shape[1])
    for household in range(len(rows)):
        size = rows[household]
        if size > 0:
            weight = counts[household]
            for replicate in range(len(weight)):
                total[replicate] += float(size) * weight[replicate]
    return total


@njit(cache=True, nogil=True)
def sums(values: FloatArray, code: IntArray, counts: CountArray) -> FloatArray:
    """Weighted sum of each row of ``values (q, m)`` in each replicate, ``(q, R)``."""
    n_values, n_rows = values.shape
    total = np.zeros((n_values, counts.shape[1]))
    for row in range(n_rows):
        weight = counts[code[row]]
        for which in range(n_values):
            value = values[which, row]
            for replicate in range(len(weight)):
                total[which, replicate] += weight[replicate] * value
    return total


@njit(cache=True, nogil=True)
def sum_block(
    first: int,
    end: int,
    code: IntArray,
    counts: CountArray,
    scores: FloatArray,
    width: FloatArray,
    gain: FloatArray,
) -> None:
    """Put the rows' weight into ``width (R,)`` and their weighted scores into ``gain (R,)``."""
    width[:], gain[:] = 0.0, 0.0
    for row in range(first, end):
        weight, score = counts[code[row]], scores[row]
        for r in range(len(width)):
            w = float(weight[r])
            width[r] += w
            gain[r] += w * score


@njit(cache=True, nogil=True)
def fetch(code: IntArray, counts: CountArray, fetched: CountArray) -> None:
    """Copy the weights of some rows into ``fetched``, one after the other."""
    for row in range(len(code)):
        weight, ahead = counts[code[row]], fetched[row]
        for r in range(len(weight)):
            ahead[r] = weight[r]


@njit(cache=True, nogil=True)
def areas(
    starts: IntArray, code: IntArray, counts: CountArray, scores: FloatArray, total: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Area between the gain curve and its chord, and its end, in each replicate, ``(R,)`` each.

    Weights are fetched ``FETCH`` rows ahead of the sums, so that waits for memory overlap.
    """
    replicates, n_rows = counts.shape[1], len(code)
    before, width = np.zeros(replicates), np.zeros(replicates)
    gain, area, end_gain = np.zeros(replicates), np.zeros(replicates), np.zeros(replicates)
    fetched = np.empty((FETCH, replicates), dtype=counts.dtype)
    block = 0
    for begin in range(0, n_rows, FETCH):
        stop = min(begin + FETCH, n_rows)
        fetch(code[begin:stop], counts, fetched)
        for row in range(begin, stop):
            weight, score = fetched[row - begin], scores[row]
            is_first, is_last = row == starts[block], row + 1 == starts[block + 1]
            if is_first and is_last:
                for r in range(replicates):
                    w = float(weight[r])
                    gained = w * score
                    area[r] += gained * (total[r] - 2.0 * before[r] - w)
                    end_gain[r] += gained
                    before[r] += w
            else:
                if is_first:
                    width[:], gain[:] = 0.0, 0.0
                for r in range(replicates):
                    w = float(weight[r])
                    width[r] += w
                    gain[r] += w * score
                if is_last:
                    for r in range(replicates):
                        area[r] += gain[r] * (total[r] - 2.0 * before[r] - width[r])
                        end_gain[r] += gain[r]
                        before[r] += width[r]
            if is_last:
                block += 1
    return area / (2.0 * total * total), end_gain / total


@njit(cache=True, nogil=True)
def area_terms(
    order: IntArray, starts: IntArray, scores: FloatArray, terms: FloatArray
) -> tuple[float, float]:
    """Qini and the mean score; what each row moves Qini by goes into ``terms (m,)``.

    ``order (m,)`` are the rows, best first, and ``scores (m,)`` theirs; ``terms`` stand as the rows
    came.
    """
    n_rows = len(order)
    total, by_rank = 0.0, 0.0
    for block in range(len(starts) - 1):
        first, end = starts[block], starts[block + 1]
        gained = scores[first:end].sum() / n_rows
        total += gained
        by_rank += gained * (first + end) / (2.0 * n_rows)
    qini = 0.5 * total - by_rank
    reached = 0.0
    for block in range(len(starts) - 1):
        first, end = starts[block], starts[block + 1]
        gained = scores[first:end].sum() / n_rows
        own = 0.5 - (first + end) / (2.0 * n_rows)
        shift = reached + 0.5 * gained - total + by_rank - qini
        for place in range(first, end):
            terms[order[place]] = own * scores[place] + shift
        reached += gained
    return qini, total


@njit(cache=True, nogil=True)
def autoc(
    starts: IntArray, code: IntArray, counts: CountArray, scores: FloatArray, total: FloatArray
) -> FloatArray:
    """Area under the targeting operator characteristic of each replicate, ``(R,)``."""
    replicates = counts.shape[1]
    before, area = np.zeros(replicates), np.zeros(replicates)
    width, gain = np.zeros(replicates), np.zeros(replicates)
    log_before = np.zeros(replicates)
    for block in range(len(starts) - 1):
        sum_block(starts[block], starts[block + 1], code, counts, scores, width, gain)
        for r in range(replicates):
            if width[r] > 0.0:
                a, b = before[r], before[r] + width[r]
                log_after = np.log(b / total[r])
                kernel = -log_after
                if a > 0.0:
                    kernel -= a * (log_after - log_before[r]) / width[r]
                area[r] += gain[r] * kernel
                before[r] = b
                log_before[r] = log_after
    return area / total


@njit(cache=True, nogil=True)
def curve(
    starts: IntArray,
    code: IntArray,
    counts: CountArray,
    scores: FloatArray,
    total: FloatArray,
    shares: FloatArray,
) -> FloatArray:
    """Gain at ``shares (S, R)``, ascending in each replicate, ``(S, R)``."""
    replicates, n_shares = counts.shape[1], len(shares)
    before, gained = np.zeros(replicates), np.zeros(replicates)
    width, gain = np.zeros(replicates), np.zeros(replicates)
    due = np.zeros(replicates, dtype=np.int64)
    gains = np.zeros((n_shares, replicates))
    for block in range(len(starts) - 1):
        sum_block(starts[block], starts[block + 1], code, counts, scores, width, gain)
        for r in range(replicates):
            if width[r] > 0.0:
                after = before[r] + width[r]
                while due[r] < n_shares and shares[due[r], r] * total[r] < after:
                    part = max(shares[due[r], r] * total[r] - before[r], 0.0) / width[r]
                    gains[due[r], r] = gained[r] + part * gain[r]
                    due[r] += 1
                before[r] = after
                gained[r] += gain[r]
    for r in range(replicates):
        while due[r] < n_shares:
            gains[due[r], r] = gained[r]
            due[r] += 1
    return gains / total
