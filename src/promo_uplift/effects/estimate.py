"""One estimate of a campaign's effect, whatever the lens: a row of every table of effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import Interval

#: Columns of a table of estimates, whatever the lens.
ESTIMATE_COLUMNS: Final = (
    "lens",
    "estimator",
    "estimand",
    "campaign",
    "outcome",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "p_value",
    "n",
    "n_treated",
    "n_households",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Label:
    """What an estimate is of.

    Attributes
    ----------
    lens : str
        ``panel``, ``cross_section`` or ``matching``.
    estimator : str
        Name of the estimator, e.g. ``twfe``, ``aipw``, ``nearest_neighbour``.
    estimand : str
        ``att``, ``ate``, ``ato``, ``late`` ...; a panel's is per household over the effect window.
    campaign : str
        Campaign id as text, or ``pooled``.
    outcome : str
        Name of the outcome.
    """

    lens: str
    estimator: str
    estimand: str
    campaign: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Estimate:
    r"""An average effect of a campaign with its error, in the outcome's unit.

    Attributes
    ----------
    label : Label
        What it is an estimate of.
    value, se : float
        Estimate and its standard error, clustered by household; NaN where there is none.
    ci_low, ci_high, p_value : float
        Interval and two-sided p-value of no effect.
    n, n_treated, n_households : int
        Rows, treated rows (units) and households that carry it.
    reason : str
        Why there is no figure; empty where there is one.
    influence : Series or None
        Household id -> :math:`\psi_h`, the household's part of the error, so that
        :math:`\hat\theta - \theta \approx \sum_h \psi_h`: what tests of differences between
        estimators on the same households rest on. None where the estimator offers none.
    """

    label: Label
    value: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    n_treated: int
    n_households: int
    reason: str = ""
    influence: pd.Series | None = None

    @property
    def is_valid(self) -> bool:
        """Whether there is a figure."""
        return not self.reason

    @property
    def interval(self) -> Interval:
        """The estimate with its interval."""
        return Interval(self.value, self.ci_low, self.ci_high)

    @classmethod
    def normal(
        cls,
        *,
        label: Label,
        value: float,
        se: float,
        level: float,
        counts: tuple[int, int, int],
        influence: pd.Series | None = None,
    ) -> Estimate:
        """Estimate with a normal interval at ``level``; ``counts``: rows, treated, households.

        Raises
        ------
        MetricError
            If ``value`` or ``se`` is not finite or ``se`` is negative: say :meth:`none` instead.
        """
        if not (np.isfinite(value) and np.isfinite(se) and se >= 0.0):
            raise MetricError(
                f"`value` and `se` must be finite, and `se` not negative; found {value} and {se} "
                f"for {label}. Report the estimator as invalid with a reason instead."
            )
        half = float(norm.ppf(0.5 + level / 2.0)) * se
        p_value = float(2.0 * norm.sf(abs(value) / se)) if se > 0.0 else float(value == 0.0)
        return cls(
            label,
            float(value),
            float(se),
            float(value - half),
            float(value + half),
            p_value,
            *counts,
            "",
            influence,
        )

    @classmethod
    def none(
        cls, *, label: Label, reason: str, counts: tuple[int, int, int] = (0, 0, 0)
    ) -> Estimate:
        """Return an estimate without a figure, and why."""
        nan = float("nan")
        return cls(label, nan, nan, nan, nan, nan, *counts, reason)


def estimates_table(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """One row per estimate, columns ``ESTIMATE_COLUMNS``, in the given order."""
    rows = [
        {
            "lens": one.label.lens,
            "estimator": one.label.estimator,
            "estimand": one.label.estimand,
            "campaign": one.label.campaign,
            "outcome": one.label.outcome,
            "estimate": one.value,
            "se": one.se,
            "ci_low": one.ci_low,
            "ci_high": one.ci_high,
            "p_value": one.p_value,
            "n": one.n,
            "n_treated": one.n_treated,
            "n_households": one.n_households,
            "reason": one.reason,
        }
        for one in estimates
    ]
    return pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS))


def clustered_influence(
    *, contributions: np.ndarray, groups: np.ndarray
) -> tuple[pd.Series, float]:
    r"""Household sums of per-row error contributions, and the standard error that they imply.

    .. math:: \widehat{se}^2 = \frac{H}{H - 1} \sum_h \psi_h^2

    Parameters
    ----------
    contributions : float64 (n,)
        Each row's part of the estimate's error.
    groups : int64 (n,)
        Household of each row.
    """
    sums = pd.Series(contributions).groupby(np.asarray(groups)).sum()
    n = len(sums)
    se = float(np.sqrt(n / (n - 1) * np.square(sums.to_numpy()).sum())) if n > 1 else float("nan")
    return sums, se
