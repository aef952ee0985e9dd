"""What the data say about the average effect without any assumption on who was mailed."""

from __future__ import annotations

from dataclasses import dataclass

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray


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
