"""Groups of a named column are contacted about equally often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import Count, PolicyParameters, Share
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.policy.rules.base import (
    Constraint,
    FittedPolicy,
    OfAnother,
    PolicyTraining,
    PolicyView,
)
from promo_uplift.policy.rules.budget import predicted_profit
from promo_uplift.policy.rules.frozen import lowest_certain, thresholds_fixed
from promo_uplift.policy.rules.ranking import top_share
from promo_uplift.policy.rules.segments import lacks_covariates


class FairnessSettings(OfAnother):
    """Which groups, and how far apart they may be.

    Attributes
    ----------
    column : str
        Covariate whose values are the groups; missing is a group of its own.
    tolerance : float
        Largest distance of a group's share contacted from the overall share.
    max_groups : int
        More distinct values than this are no groups, and refused.
    """

    column: str
    tolerance: Share
    max_groups: Count


class Fairness(Constraint):
    r"""Another policy with a threshold per group, so that shares differ little.

    Group :math:`g` gets :math:`t_g = \min(\max(s_g, s - tol), s + tol)` with :math:`s_g` the share
    that the other policy contacts of it and :math:`s = \sum_g w_g t_g`; its rows with the highest
    predicted profit are contacted. Demographic parity with a tolerance.

    References
    ----------
    Corbett-Davies, Pierson, Feller, Goel & Huq (2017), KDD, arXiv:1701.08230 (the optimum under
    parity is a threshold per group).
    """

    Settings: ClassVar = FairnessSettings
    settings: FairnessSettings
    summary: ClassVar = "Another policy, with about equal shares contacted in each group."

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say that the column is absent, or what the policy lacks that is constrained."""
        absent = lacks_covariates(names=[self.settings.column], view=view)
        return absent or super().lacks(view=view, money=money)

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedFairness:
        """Fit the policy that is constrained; groups are looked at on the list itself."""
        settings = self.settings
        _group_codes(view=training.view, column=settings.column, max_groups=settings.max_groups)
        return FittedFairness(
            inner=self.inner.fit(training=training, seed=seed),
            money=training.money,
            settings=settings,
        )


@dataclass(frozen=True, slots=True)
class FittedFairness:
    """The rule.

    Attributes
    ----------
    inner : FittedPolicy
        The policy that is constrained.
    money : PolicyParameters
        Margin and costs, for the predicted profit.
    settings : FairnessSettings
        Column and tolerance.
    """

    inner: FittedPolicy
    money: PolicyParameters
    settings: FairnessSettings

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact the top of each group; unchanged where the shares are close enough already."""
        kept = self.inner.contact(view=view).copy()
        profit = predicted_profit(view=view, money=self.money)
        for rows, share in self._moved_groups(view=view, wanted=kept):
            kept[rows] = top_share(ranking=profit[rows], share=share)
        return kept

    def frozen(self, *, view: PolicyView) -> FittedPolicy:
        """Fix the predicted profit from which on each group is contacted on a list."""
        column = view.covariates[self.settings.column].to_numpy(dtype=np.float64)
        profit = predicted_profit(view=view, money=self.money)
        groups = []
        for rows, share in self._moved_groups(view=view, wanted=self.inner.contact(view=view)):
            contacts = top_share(ranking=profit[rows], share=share)
            threshold = lowest_certain(ranking=profit[rows], contacts=contacts)
            groups.append((float(column[rows[0]]), threshold))
        return FrozenFairness(
            inner=thresholds_fixed(fitted=self.inner, view=view),
            money=self.money,
            column=self.settings.column,
            groups=tuple(groups),
            words=self.describe(),
        )

    def _moved_groups(
        self, *, view: PolicyView, wanted: FloatArray
    ) -> Iterator[tuple[IntArray, float]]:
        """Rows of each group whose share is not as the other policy would have it, and the share.

        Groups do not overlap: ``wanted`` may change while they are gone through.
        """
        settings = self.settings
        code = _group_codes(view=view, column=settings.column, max_groups=settings.max_groups)
        size = np.bincount(code).astype(np.float64)
        share = np.bincount(code, weights=wanted) / size
        target = fair_shares(shares=share, weights=size / size.sum(), tolerance=settings.tolerance)
        for group in np.flatnonzero(target != share):
            yield np.flatnonzero(code == group), float(target[group])

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"{self.inner.describe()} In each group of {self.settings.column} the share contacted "
            f"is within {self.settings.tolerance:.3g} of the list's: the highest predicted "
            "profits of the group."
        )


@dataclass(frozen=True, slots=True)
class FrozenFairness:
    """A threshold of the predicted profit for each group whose share had to change.

    Attributes
    ----------
    inner : FittedPolicy
        Decides the other groups, and groups that no list held.
    money : PolicyParameters
        Margin and costs.
    column : str
        Covariate whose values are the groups.
    groups : tuple of (float, float)
        Value of the column (NaN: missing) and threshold, USD.
    words : str
        The rule that it was made of.
    """

    inner: FittedPolicy
    money: PolicyParameters
    column: str
    groups: tuple[tuple[float, float], ...]
    words: str

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact or not."""
        contacts = self.inner.contact(view=view).copy()
        column = view.covariates[self.column].to_numpy(dtype=np.float64)
        profit = predicted_profit(view=view, money=self.money)
        for value, threshold in self.groups:
            rows = np.isnan(column) if np.isnan(value) else column == value
            contacts[rows] = profit[rows] >= threshold
        return contacts

    def describe(self) -> str:
        """Return the rule in words."""
        return f"{self.words} Thresholds are those of the training rows."


def fair_shares(*, shares: FloatArray, weights: FloatArray, tolerance: float) -> FloatArray:
    """Shares of groups that lie within a tolerance of their own weighted mean, ``(G,)``.

    Parameters
    ----------
    shares : float64 (G,)
        Before.
    weights : float64 (G,)
        Of the groups, sum 1.
    tolerance : float
        Largest distance from the mean.

    Examples
    --------
    >>> fair_shares(shares=np.array([0.0, 1.0]), weights=np.array([0.5, 0.5]), tolerance=0.1)
    array([0.4, 0.6])
    """
    mean = float(weights @ shares)
    if np.abs(shares - mean).max() <= tolerance:
        return shares

    def gap(centre: float) -> float:
        return float(weights @ np.clip(shares, centre - tolerance, centre + tolerance)) - centre

    low, high = float(shares.min()), float(shares.max())
    centre = low if gap(low) <= 0.0 else high if gap(high) >= 0.0 else float(brentq(gap, low, high))
    fair: FloatArray = np.clip(shares, centre - tolerance, centre + tolerance)
    return fair


def _group_codes(*, view: PolicyView, column: str, max_groups: int) -> IntArray:
    values = view.covariates[column].to_numpy(dtype=np.float64)
    names, code = np.unique(values, return_inverse=True, equal_nan=True)
    if len(names) > max_groups:
        raise PolicyError(
            f"`policies.rules.fairness.column` must have at most {max_groups} values to be a "
            f"column of groups; `{column}` has {len(names)}. Name another, or raise `max_groups`."
        )
    return code.astype(np.int64)
