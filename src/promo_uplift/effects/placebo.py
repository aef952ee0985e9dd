"""The effect of the mailing on spend before the mailing, which must be nothing."""

from __future__ import annotations

from dataclasses import dataclass

from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.effects.clustered import clustered_mean, minimum_detectable_effect


@dataclass(frozen=True, slots=True)
class PlaceboEffect:
    """Effect on the placebo outcome, USD per household.

    Attributes
    ----------
    effect : Interval
        Doubly robust effect on spend in the days before the mailing.
    mde_usd : float
        Smallest placebo effect that this test would have found: a pass below it says nothing.
    days : int
        Length of the placebo window.
    n_rows, n_households : int
        Rows and households.
    """

    effect: Interval
    mde_usd: float
    days: int
    n_rows: int
    n_households: int


def placebo_effect(
    *, scores: FloatArray, groups: IntArray, days: int, level: float, power: float
) -> PlaceboEffect:
    """Placebo effect, USD per household, with a household-clustered interval and its own MDE.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of spend in the ``days`` before time zero, with covariates and
        nuisances that end before those days.
    groups : int64 (n,)
        Household of each row.
    days : int
        Length of the placebo window.
    level, power : float
        Confidence level and power of the smallest detectable placebo effect.

    References
    ----------
    Lipsitch, Tchetgen Tchetgen & Cohen (2010), Epidemiology 21(3) (negative controls).
    """
    mean = clustered_mean(values=scores, groups=groups)
    return PlaceboEffect(
        effect=mean.interval(level=level),
        mde_usd=minimum_detectable_effect(se=mean.se, level=level, power=power),
        days=days,
        n_rows=mean.n,
        n_households=mean.n_clusters,
    )


def no_placebo(*, days: int) -> PlaceboEffect:
    """Return the placebo effect of no rows: every figure undefined, which no check lets pass."""
    nothing = float("nan")
    return PlaceboEffect(
        effect=Interval(nothing, nothing, nothing),
        mde_usd=nothing,
        days=days,
        n_rows=0,
        n_households=0,
    )
