"""How far trends may part before an effect can no longer be told from 0 (Rambachan & Roth 2023)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, Interval
from promo_uplift.effects.panel.event_study_path import EventStudyPath
from promo_uplift.effects.panel.honest_relative import relative_magnitude_interval
from promo_uplift.effects.panel.honest_smoothness import fixed_length_estimator

HONEST_COLUMNS = ("restriction", "m", "estimate", "ci_low", "ci_high", "excludes_zero")
_BISECTIONS = 20


@dataclass(frozen=True, slots=True)
class HonestSettings:
    """What to vary.

    Attributes
    ----------
    relative : tuple of float
        Grid of Mbar: steps of the difference in trends after treatment, as multiples of the largest
        one before.
    smoothness : tuple of float
        Grid of M: change of slope between two periods, in the outcome's unit per period.
    level : float
        Coverage of the intervals.
    first_stage_share : float
        Share of the relative-magnitude test's size that its first stage spends.
    """

    relative: tuple[float, ...]
    smoothness: tuple[float, ...]
    level: float
    first_stage_share: float

    def __post_init__(self) -> None:
        """Refuse grids and levels without a meaning."""
        for name, grid in (("relative", self.relative), ("smoothness", self.smoothness)):
            if not grid or min(grid) < 0.0 or not np.isfinite(grid).all():
                raise MetricError(f"`{name}` must hold numbers, none negative; found {grid}.")
        for name, share in (("level", self.level), ("first_stage_share", self.first_stage_share)):
            if not 0.0 < share < 1.0:
                raise MetricError(f"`{name}` must lie strictly between 0 and 1; found {share}.")


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Largest violation at which the robust interval still excludes 0.

    Attributes
    ----------
    restriction : str
        ``relative_magnitude`` or ``smoothness``.
    value : float
        That Mbar or M; 0 where the interval holds 0 at every violation.
    is_at_least : bool
        Whether the largest of the grid still excludes 0, so that the value is a lower bound.
    is_never : bool
        Whether the interval holds 0 even where nothing is violated.
    """

    restriction: str
    value: float
    is_at_least: bool
    is_never: bool


@dataclass(frozen=True, slots=True)
class HonestBounds:
    """Robust intervals over the grids, and where they break.

    Attributes
    ----------
    target : str
        What the intervals are of, in words.
    original : Interval
        The estimate with its normal interval: no violation at all. Equals the relative-magnitude
        interval at Mbar 0; smoothness at M 0 allows any straight trend, so it differs.
    table : DataFrame
        ``HONEST_COLUMNS``, one row per restriction and grid value. ``estimate`` is the interval's
        own centre for smoothness, which takes the extrapolated pre-trend off.
    breakdowns : tuple of Breakdown
        One per restriction.
    """

    target: str
    original: Interval
    table: pd.DataFrame
    breakdowns: tuple[Breakdown, ...]


def honest_bounds(
    *, path: EventStudyPath, weights: FloatArray, settings: HonestSettings
) -> HonestBounds:
    r"""Robust intervals of :math:`l'\tau_{post}` and their breakdown values.

    Parameters
    ----------
    path : EventStudyPath
        Event-study coefficients against the period before treatment, and their covariance.
    weights : float64 (n_post,)
        :math:`l`: ``(1, 0, ...)`` for the first period, equal parts for the average.
    settings : HonestSettings
        Grids and levels.

    Raises
    ------
    MetricError
        If ``weights`` fit no target of ``path``.

    References
    ----------
    Rambachan & Roth (2023), "A more credible approach to parallel trends".
    """
    value, se = path.target(weights=weights)
    half = float(norm.ppf(0.5 + settings.level / 2.0)) * se
    families: dict[str, tuple[Callable[[float], Interval], tuple[float, ...]]] = {
        "relative_magnitude": (partial(_relative, path, weights, settings), settings.relative),
        "smoothness": (partial(_smooth, path, weights, settings), settings.smoothness),
    }
    rows = [
        (name, m, one.estimate, one.ci_low, one.ci_high, _excludes_zero(one))
        for name, (interval, grid) in families.items()
        for m in grid
        for one in [interval(m)]
    ]
    return HonestBounds(
        _in_words(weights),
        Interval(value, value - half, value + half),
        pd.DataFrame(rows, columns=list(HONEST_COLUMNS)),
        tuple(_breakdown(name, one, max(grid)) for name, (one, grid) in families.items()),
    )


def _relative(
    path: EventStudyPath, weights: FloatArray, settings: HonestSettings, m: float
) -> Interval:
    return relative_magnitude_interval(
        path=path,
        weights=weights,
        m=m,
        level=settings.level,
        first_stage_share=settings.first_stage_share,
    )


def _smooth(
    path: EventStudyPath, weights: FloatArray, settings: HonestSettings, m: float
) -> Interval:
    return fixed_length_estimator(path=path, weights=weights, m=m, level=settings.level).interval


def _excludes_zero(interval: Interval) -> bool:
    return interval.ci_low > 0.0 or interval.ci_high < 0.0


def _breakdown(name: str, interval: Callable[[float], Interval], largest: float) -> Breakdown:
    if not _excludes_zero(interval(0.0)):
        return Breakdown(name, 0.0, is_at_least=False, is_never=True)
    if _excludes_zero(interval(largest)):
        return Breakdown(name, largest, is_at_least=True, is_never=False)
    low, high = 0.0, largest
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _excludes_zero(interval(middle)) else (low, middle)
    return Breakdown(name, low, is_at_least=False, is_never=False)


def _in_words(weights: FloatArray) -> str:
    used = np.flatnonzero(weights)
    if len(used) == 1 and weights[used[0]] == 1.0:
        return f"effect in period {int(used[0])} from treatment on (0 is the first)"
    if np.allclose(weights, 1.0 / len(weights)):
        return f"average effect of the {len(weights)} periods from treatment on"
    if np.isin(weights, (0.0, 1.0)).all():
        return f"sum of the effects of {len(used)} periods from treatment on"
    return f"weighted sum of effects per period, weights {np.round(weights, 4).tolist()}"
