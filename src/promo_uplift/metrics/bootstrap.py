"""Households are drawn, never rows: a household's campaigns stand or fall together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, Interval
from promo_uplift.metrics import kernels

MIN_HOUSEHOLDS = 2
#: Ids that span no more than so many times the rows are looked up, others hashed: only speed.
DENSE_IDS = 4


@dataclass(frozen=True, slots=True)
class HouseholdDraws:
    """How often each household occurs in each replicate; one set serves every figure of a run.

    Attributes
    ----------
    code : int64 (n,)
        Position of each row's household in ``counts``.
    counts : uint8 (H, 1 + B)
        Column 0 is the sample itself (all 1), the others are the bootstrap replicates.
    """

    code: IntArray
    counts: kernels.CountArray

    @property
    def n_households(self) -> int:
        """Number of households ``H``."""
        return int(self.counts.shape[0])

    def weights(self, rows: BoolArray | IntArray) -> FloatArray:
        """Weight of each chosen row in the sample and in each replicate, ``(m, 1 + B)``."""
        return self.counts[self.code[rows]].astype(np.float64)


def household_draws(
    *, groups: IntArray, replicates: int, rng: np.random.Generator
) -> HouseholdDraws:
    """Draw households with replacement, ``replicates`` times, as counts per household.

    In two exact steps: how often each block of households is drawn (a multinomial), then which of
    its households. A household is drawn up to 255 times in a replicate: more has a probability of
    less than 1 in 255 factorial.

    Parameters
    ----------
    groups : int64 (n,)
        Household of each row.
    replicates : int
        Number of bootstrap replicates ``B``.
    rng : Generator
        Source of randomness.

    Raises
    ------
    MetricError
        If there are fewer than two households.

    References
    ----------
    Davison & Hinkley (1997), section 3.8 (cluster bootstrap).
    """
    code, size = household_codes(groups)
    counts = np.empty((size, 1 + replicates), dtype=np.uint8)
    n_blocks = -(-size // kernels.DRAW_BLOCK)
    blocks = np.full(n_blocks, kernels.DRAW_BLOCK)
    blocks[-1] = size - (n_blocks - 1) * kernels.DRAW_BLOCK
    drawn = rng.multinomial(size, blocks / size, size=replicates).T
    seeds = rng.integers(0, 2**64, size=n_blocks, dtype=np.uint64)
    kernels.scatter(np.ascontiguousarray(drawn, dtype=np.int64), seeds, counts)
    return HouseholdDraws(code, counts)


def household_codes(groups: IntArray) -> tuple[IntArray, int]:
    """Position of each row's household among the sorted households, and their number.

    Raises
    ------
    MetricError
        If there are fewer than two households.
    """
    lowest = int(groups.min())
    if int(groups.max()) - lowest <= DENSE_IDS * len(groups):
        place = groups - lowest
        is_there = np.zeros(int(place.max()) + 1, dtype=np.bool_)
        is_there[place] = True
        position = np.cumsum(is_there) - 1
        code, n_households = position[place], int(position[-1]) + 1
    else:
        code, households = pd.factorize(groups, sort=True)
        n_households = len(households)
    if n_households < MIN_HOUSEHOLDS:
        raise MetricError(
            f"`groups` must hold at least {MIN_HOUSEHOLDS} households to be resampled, "
            f"found {n_households}."
        )
    return code.astype(np.int64, copy=False), n_households


def percentile_interval(*, values: FloatArray, level: float) -> Interval:
    """Estimate and percentile interval of a figure, in its unit.

    Parameters
    ----------
    values : float64 (1 + B,)
        The figure on the sample (first) and on each replicate. If it is undefined (NaN) on any
        replicate the bounds are NaN: the undefined ones are not left out in silence.
    level : float
        Confidence level. Bounds are at the ranks ``p (B + 1)``: with numpy's default ranks 200
        replicates hold 94 % where 95 % are asked for.
    """
    replicates = values[1:]
    if not np.all(np.isfinite(replicates)):
        return Interval(float(values[0]), float("nan"), float("nan"))
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    low, high = np.quantile(replicates, tails, method="weibull")
    return Interval(float(values[0]), float(low), float(high))
