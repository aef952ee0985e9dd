"""Rows from the highest ranking down, by a sort that stays fast where a table outgrows the cache.

``np.argsort`` looks a row's value up at every comparison: once the values no longer fit the
processor's cache, most of its time is waiting. A radix sort moves value and row number together,
here in one word of 64 bits, and reads memory in order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promo_uplift.contracts.results import FloatArray, IntArray

WordArray = np.typing.NDArray[np.uint64]

#: Bits that one pass of the sort looks at: the heads of its buckets fit a core's first cache.
DIGIT = 8
SIGN, ZERO = np.uint64(1 << 63), np.uint64(0)


def best_first(ranking: FloatArray) -> tuple[IntArray, FloatArray]:
    """Rows from the highest ranking to the lowest, and their rankings in that order, ``(m,)`` each.

    Tied rows keep the order in which they came.

    Parameters
    ----------
    ranking : float64 (m,)
        Any finite score: only its order matters.

    Examples
    --------
    >>> best_first(np.array([0.5, 2.0, 0.5]))[0].tolist()
    [1, 0, 2]
    """
    values = np.ascontiguousarray(ranking, dtype=np.float64)
    # numpy's own memory comes in huge pages, the compiled code's would not
    words = np.empty((2, len(values)), dtype=np.uint64)
    sorted_in = coarse_order(values.view(np.uint64), len(values).bit_length(), words)
    order = words[sorted_in].view(np.int64)
    ordered = values[order]
    if np.any(ordered[1:] > ordered[:-1]):  # values that differ in their last bits only
        again = np.argsort(-ordered, kind="stable")
        order, ordered = order[again], ordered[again]
    return order, ordered


def tie_starts(ordered: FloatArray) -> IntArray:
    """Position at which each block of equal rankings starts, and ``m``; ``ordered (m,)``."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    return starts.astype(np.int64, copy=False)


@njit(cache=True, nogil=True)
def coarse_order(bits: WordArray, low: int, words: WordArray) -> int:
    """Put the rows by value, highest first, into one of the two ``words (2, m)``; say which.

    ``bits (m,)`` are float64 seen as uint64. Their ``low`` last bits make room for the row's
    number, ``m < 2**low``; what is left is sorted ``DIGIT`` bits at a time, lowest first. So values
    that differ in their ``low`` last bits only stay as they came.
    """
    n_rows, n_digits = len(bits), (64 - low + DIGIT - 1) // DIGIT
    rest, digit = (np.uint64(1) << np.uint64(low)) - np.uint64(1), np.uint64((1 << DIGIT) - 1)
    counts = np.zeros((n_digits, 1 << DIGIT), dtype=np.int64)
    now = 0
    for row in range(n_rows):
        word = bits[row] if bits[row] != SIGN else ZERO  # -0.0 ties with 0.0
        # as whole numbers, negative values ascend as they fall, and lie above the others
        word = word if word & SIGN else ~(word | SIGN)
        words[now, row] = (word & ~rest) | np.uint64(row)
        for place in range(n_digits):
            counts[place, (word >> np.uint64(low + place * DIGIT)) & digit] += 1
    for place in range(n_digits):
        shift, head = np.uint64(low + place * DIGIT), counts[place]
        if head.max() == n_rows:
            continue
        head[:] = np.cumsum(head) - head
        source, target = words[now], words[1 - now]
        for word in source:
            bucket = (word >> shift) & digit
            target[head[bucket]] = word
            head[bucket] += 1
        now = 1 - now
    for row in range(n_rows):
        words[now, row] &= rest
    return now
