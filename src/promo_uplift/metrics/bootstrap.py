"""Households are drawn, never rows: a household's campaigns stand or fall together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, Interval

MIN_HOUSEHOLDS = 2


@dataclass(frozen=True, slots=True)
class HouseholdDraws:
    """How often each household occurs in each replicate; one set serves every figure of a run.

    Attributes
    ----------
    code : int64 (n,)
        Position of each row's household in ``counts``.
    counts : uint16 (H, 1 + B)
        Column 0 is the sample itself (all 1), the others are the bootstrap replicates.
    """

    code: IntArray
    counts: np.typing.NDArray[np.uint16]

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
    households, code = np.unique(groups, return_inverse=True)
    size = len(households)
    if size < MIN_HOUSEHOLDS:
        raise MetricError(
            f"`groups` must hold at least {MIN_HOUSEHOLDS} households to be resampled, "
            f"found {size}."
        )
    counts = np.ones((size, 1 + replicates), dtype=np.uint16)
    for replicate in range(replicates):
        drawn = rng.integers(0, size, size)
        counts[:, 1 + replicate] = np.bincount(drawn, minlength=size)
    return HouseholdDraws(code.astype(np.int64), counts)


def percentile_interval(*, values: FloatArray, level: float) -> Interval:
    """Estimate and percentile interval of a figure, in its unit.

    Parameters
    ----------
    values : float64 (1 + B,)
        The figure on the sample (first) and on each replicate. If it is undefined (NaN) on any
        replicate the bounds are NaN: the undefined ones are not left out in silence.
    level : float
        Confidence level.
    """
    replicates = values[1:]
    if not np.all(np.isfinite(replicates)):
        return Interval(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(replicates, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(values[0]), float(low), float(high))
