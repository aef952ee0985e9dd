"""What the data say about the average effect without any assumption on who was mailed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.effects.clustered import clustered_mean


@dataclass(frozen=True, slots=True)
class ManskiBounds:
    """Worst-case bounds of the average effect, USD per household.

    Attributes
    ----------
    low, high : float
        Bounds of the average effect.
    outcome_low, outcome_high : float
        The outcome range that they rest on, here the observed minimum and maximum.
    """

    low: float
    high: float
    outcome_low: float
    outcome_high: float


def manski_bounds(*, treatment: IntArray, outcome: FloatArray) -> ManskiBounds:
    r"""Bounds of the average effect, USD per household, if anybody could have been chosen.

    With :math:`p = P(T = 1)` and an outcome in :math:`[a, b]`:
    :math:`p E[Y|1] + (1-p) a - (1-p) E[Y|0] - p b` to
    :math:`p E[Y|1] + (1-p) b - (1-p) E[Y|0] - p a`. Their width is always :math:`b - a`. The
    range is the **observed** one, so a single large spender widens them.

    Raises
    ------
    MetricError
        If one arm is empty.

    References
    ----------
    Manski (1990), American Economic Review 80(2).
    """
    treated = treatment == 1
    if not treated.any() or treated.all():
        raise MetricError(
            f"`treatment` must hold both arms; {int(treated.sum())} of {len(treated)} are treated."
        )
    share = float(treated.mean())
    low, high = float(outcome.min()), float(outcome.max())
    known = share * float(outcome[treated].mean()) - (1.0 - share) * float(outcome[~treated].mean())
    return ManskiBounds(
        low=known + (1.0 - share) * low - share * high,
        high=known + (1.0 - share) * high - share * low,
        outcome_low=low,
        outcome_high=high,
    )


@dataclass(frozen=True, slots=True)
class OverlapBounds:
    """Bounds that assume comparable arms only where both arms were possible.

    Attributes
    ----------
    low, high : float
        Bounds of the average effect of all rows, in the outcome's unit.
    ci_low, ci_high : float
        The same, widened by the sampling error of each bound.
    share_inside : float
        Share of rows where the effect is a point.
    outcome_low, outcome_high : float
        The range of the outcome that the rest rests on.
    """

    low: float
    high: float
    ci_low: float
    ci_high: float
    share_inside: float
    outcome_low: float
    outcome_high: float


def overlap_bounds(
    *,
    scores: FloatArray,
    treatment: IntArray,
    outcome: FloatArray,
    groups: IntArray,
    inside: BoolArray,
    outcome_range: tuple[float, float] | None,
    level: float,
) -> OverlapBounds:
    r"""Bounds of the average effect: scores where the arms overlap, the worst case elsewhere.

    With :math:`S` the overlap and an outcome in :math:`[a, b]`, the bounds are the means of

    .. math::

        \Gamma_i \;\text{ in } S, \qquad
        T_i (Y_i - b) + (1 - T_i)(a - Y_i) \;\text{ (low)}, \quad
        T_i (Y_i - a) + (1 - T_i)(b - Y_i) \;\text{ (high) elsewhere.}

    Inside it takes what every adjustment takes: no unmeasured confounding. Outside it takes
    nothing, so its width is :math:`(1 - P(S))(b - a)`. With everything inside it is the doubly
    robust effect; with nothing inside it is Manski's interval.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores; read inside only.
    treatment : int64 (n,)
    outcome : float64 (n,)
    groups : int64 (n,)
        Cluster of each row.
    inside : bool (n,)
        Whether both arms were possible for the row, by the **estimated** assignment: a propensity
        that was merely declared says nothing about it.
    outcome_range : tuple of float, or None
        Smallest and largest value that the outcome can take; None: those observed.
    level : float
        Confidence level of ``ci_low`` and ``ci_high``.

    Raises
    ------
    MetricError
        If an outcome lies outside the range.

    References
    ----------
    Manski (1990), American Economic Review 80(2); Imbens & Manski (2004), Econometrica 72(6)
    (intervals of bounds); Crump, Hotz, Imbens & Mitnik (2009), Biometrika 96(1) (overlap).
    """
    low, high = outcome_range or (float(outcome.min()), float(outcome.max()))
    strange = (outcome < low) | (outcome > high)
    if strange.any():
        raise MetricError(
            f"`outcome_range` must hold every outcome; {int(strange.sum())} of {len(outcome)} lie "
            f"outside [{low:g}, {high:g}], e.g. {float(outcome[strange][0]):g}. Widen it."
        )
    treated = treatment == 1
    lowest = np.where(treated, outcome - high, low - outcome)
    highest = np.where(treated, outcome - low, high - outcome)
    ends = [
        clustered_mean(values=np.where(inside, scores, rest), groups=groups)
        for rest in (lowest, highest)
    ]
    return OverlapBounds(
        low=ends[0].estimate,
        high=ends[1].estimate,
        ci_low=ends[0].interval(level=level).ci_low,
        ci_high=ends[1].interval(level=level).ci_high,
        share_inside=float(inside.mean()),
        outcome_low=low,
        outcome_high=high,
    )
