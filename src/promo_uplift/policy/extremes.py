"""The extremes of averages whose weights may be off by a factor, on a sample and its draws.

References
----------
Zhao, Small & Bhattacharya (2019), *JRSS B* 81(4), section 4 (the linear-fractional programme).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import HouseholdDraws
from promo_uplift.policy import extreme_kernels


def extreme_average(
    *, values: FloatArray, weights: FloatArray, strength: float, largest: bool
) -> float:
    r"""Largest (or smallest) weighted mean if each weight may be off by a factor ``strength``.

    :math:`\max_\lambda \sum_i \lambda_i a_i y_i / \sum_i \lambda_i a_i` over
    :math:`\lambda_i \in [1/\Lambda, \Lambda]`, by one sort.

    Parameters
    ----------
    values, weights : float64 (m,)
        :math:`y` in any unit, and :math:`a \ge 0`.
    strength : float
        :math:`\Lambda \ge 1`.
    largest : bool

    Examples
    --------
    >>> import numpy as np
    >>> extreme_average(
    ...     values=np.array([0.0, 1.0]), weights=np.ones(2), strength=2.0, largest=True)
    0.8
    """
    order = np.argsort(values)
    one = Prefix.of(values[order, np.newaxis], weights[order, np.newaxis])
    return float(one.extreme(np.array([strength]), largest=largest)[0])


@dataclass(frozen=True, slots=True)
class Prefix:
    """Ascending values, and sums over the first of them, per replicate.

    Attributes
    ----------
    values : float64 (m, 1) or (m, R)
    valued, summed : float64 (m + 1, R)
        Sums of weighted values, and of weights.
    """

    values: FloatArray
    valued: FloatArray
    summed: FloatArray

    @classmethod
    def of(cls, values: FloatArray, weights: FloatArray) -> Prefix:
        """Prefix sums of ascending ``values (m, 1)`` or ``(m, R)`` with ``weights (m, R)``."""
        return cls(values, *extreme_kernels.prefix_sums(values, weights))

    def extreme(self, strength: FloatArray, *, largest: bool) -> FloatArray:
        """Largest or smallest weighted mean at each replicate's strength, ``(R,)``."""
        smallest_get = 1.0 / strength if largest else strength
        found: FloatArray = extreme_kernels.turning_means(
            self.values, self.valued, self.summed, smallest_get, 1.0 / smallest_get
        )
        return found


@dataclass(frozen=True, slots=True)
class Moving:
    """Values of rows that move with amounts which every replicate draws anew.

    Attributes
    ----------
    base : float64 (n,)
        At expected amounts.
    slopes : float64 (J, n)
        Change per unit of each amount that is not known; none where all are.
    deviations : float64 (J, R)
        Of each replicate's amounts from the expected ones.
    """

    base: FloatArray
    slopes: FloatArray
    deviations: FloatArray

    def ascending(
        self, rows: IntArray, weights: FloatArray, block: slice
    ) -> tuple[FloatArray, FloatArray]:
        """Values of ``rows``, which ascend at expected amounts, and their weights, ascending.

        ``(m, 1)`` where nothing moves them, else ``(m, R)``, each replicate in its own order.
        """
        slopes = self.slopes[:, rows]
        if not slopes.any():
            return self.base[rows, np.newaxis], weights
        values = self.base[rows, np.newaxis] + slopes.T @ self.deviations[:, block]
        order = np.argsort(values, axis=0, kind="stable")
        return np.take_along_axis(values, order, axis=0), np.take_along_axis(weights, order, axis=0)

    def sums(self, code: IntArray, counts: FloatArray, block: slice) -> FloatArray:
        """Sum over rows in each replicate, by the counts of households, ``(R,)``."""
        summed = household_sums(self.base, code, counts)
        for slope, deviation in zip(self.slopes, self.deviations, strict=True):
            summed = summed + deviation[block] * household_sums(slope, code, counts)
        return summed


@dataclass(frozen=True, slots=True)
class Unseen:
    """Residual of one arm on rows of the other: strata of rows that stand in for others.

    Attributes
    ----------
    strata : tuple of (int64, int64)
        Donors, ascending by residual, and the targets whose residual nobody saw; none where there
        are too few donors.
    residual : Moving
        Of each row's own arm, USD.
    odds, weight : float64 (n,)
        ``odds`` of the targets' arm; ``weight`` of donors and targets by the policy.
    sign : float
        +1 for what contacting earns, -1 for what it displaces.
    """

    strata: tuple[tuple[IntArray, IntArray], ...]
    residual: Moving
    odds: FloatArray
    weight: FloatArray
    sign: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a block of replicates.

    Attributes
    ----------
    known : float64 (R,)
        What was seen or predicted, USD per household.
    parts : tuple
        Prefix sums of each stratum, its share of the population ``(R,)``, and its sign.
    """

    known: FloatArray
    parts: tuple[tuple[Prefix, FloatArray, float], ...]

    @classmethod
    def of(
        cls, known: Moving, unseen: Sequence[Unseen], draws: HouseholdDraws, block: slice
    ) -> Bounds:
        """Bounds of the replicates in ``block``."""
        counts = np.asarray(draws.counts[:, block], dtype=np.float64)
        total = household_sums(np.ones(len(draws.code)), draws.code, counts)
        parts = []
        for one in unseen:
            for donors, targets in one.strata:
                weights = counts[draws.code[donors]] * (one.weight * one.odds)[donors, np.newaxis]
                mass = household_sums(one.weight[targets], draws.code[targets], counts) / total
                values, weights = one.residual.ascending(donors, weights, block)
                parts.append((Prefix.of(values, weights), mass, one.sign))
        return cls(known.sums(draws.code, counts, block) / total, tuple(parts))

    @property
    def size(self) -> int:
        """Number of replicates."""
        return len(self.known)

    def at(self, strength: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound at each replicate's strength, ``(R,)`` each."""
        low, high = self.known.copy(), self.known.copy()
        for prefix, mass, sign in self.parts:
            low += sign * mass * prefix.extreme(strength, largest=sign < 0.0)
            high += sign * mass * prefix.extreme(strength, largest=sign > 0.0)
        return low, high


def critical_strengths(
    bounds: Bounds,
    *,
    gains: bool,
    above: Callable[[FloatArray], FloatArray],
    max_strength: float,
    tolerance: float,
) -> FloatArray:
    """Strength at which each replicate's bound first falls to ``above`` it, by bisection, ``(R,)``.

    The bound is the lower one where ``gains``, else the upper one with its sign turned.
    """

    def margin(strength: FloatArray) -> FloatArray:
        return nearer_bound(bounds, strength, gains=gains) - above(strength)

    weaker = np.ones(bounds.size)
    stronger = np.full(bounds.size, max_strength)
    is_sure_at_first, is_sure_at_last = margin(weaker) > 0.0, margin(stronger) > 0.0
    while float((stronger - weaker).max()) > tolerance:
        middle = (weaker + stronger) / 2.0
        is_sure = margin(middle) > 0.0
        weaker, stronger = np.where(is_sure, middle, weaker), np.where(is_sure, stronger, middle)
    found: FloatArray = np.where(is_sure_at_last, np.inf, np.where(is_sure_at_first, weaker, 1.0))
    return found


def nearer_bound(bounds: Bounds, strength: FloatArray, *, gains: bool) -> FloatArray:
    """Bound on the side of 0, positive while the sign is sure, ``(R,)``."""
    low, high = bounds.at(strength)
    return low if gains else -high


def household_sums(values: FloatArray, code: IntArray, counts: FloatArray) -> FloatArray:
    """Sum of ``values (n,)`` in each replicate, by the counts of households, ``(R,)``."""
    by_household = np.bincount(code, weights=values, minlength=len(counts))
    summed: FloatArray = by_household @ counts
    return summed
