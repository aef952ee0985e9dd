"""A shallow tree that maximises doubly robust profit, in words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.imputation import Medians

#: Bounds of a covariate on the way to a leaf: above the first, at most the second.
Bounds = dict[int, tuple[float, float]]


class PolicyTreeSettings(Parameters):
    """Size of the tree.

    Attributes
    ----------
    max_depth : int
        Questions asked of a household at most.
    min_leaf_share : float
        Smallest leaf, share of the training rows.
    min_balancedness_tol : float
        How far from half and half a split may be, 0 to 0.5.
    honest : bool
        Whether half of the rows choose the splits and the others value the leaves.
    """

    max_depth: Count
    min_leaf_share: OpenShare
    min_balancedness_tol: Annotated[float, Field(ge=0.0, le=0.5)]
    honest: bool


class PolicyTree(Policy):
    r"""The tree :math:`\pi` of some depth that maximises :math:`\sum_i \pi(x_i) \Gamma^{profit}_i`.

    Greedy, on the doubly robust scores of the training rows (econml's ``PolicyTree``, what its
    ``DRPolicyTree`` fits on scores of its own).

    References
    ----------
    Athey & Wager (2021), *Econometrica* 89(1), arXiv:1702.02896.
    """

    Settings: ClassVar = PolicyTreeSettings
    settings: PolicyTreeSettings
    summary: ClassVar = "Shallow tree on doubly robust profit, rules in words."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedPolicyTree:
        """Grow the tree."""
        size = self.settings
        medians = Medians.of(training.view.covariates)
        # slow to import, and with it a plotting state that no figure here uses
        econml = import_module("econml.policy")
        tree = econml.PolicyTree(
            max_depth=size.max_depth,
            min_samples_leaf=leaf_rows(share=size.min_leaf_share, n_rows=len(training.profit)),
            min_balancedness_tol=size.min_balancedness_tol,
            honest=size.honest,
            random_state=seed,
        ).fit(medians.filled(training.view.covariates), rewards(training))
        return FittedPolicyTree(tree=tree.tree_, medians=medians)


def rewards(training: PolicyTraining) -> FloatArray:
    """Profit of leaving each row alone and of contacting it, USD, ``(m, 2)``."""
    return np.column_stack([np.zeros(len(training.profit)), training.profit])


def leaf_rows(*, share: float, n_rows: int) -> int:
    """Rows of the smallest leaf."""
    return max(1, int(share * n_rows))


@dataclass(frozen=True, slots=True)
class FittedPolicyTree:
    """The rule.

    Attributes
    ----------
    tree : econml tree
        Its arrays.
    medians : Medians
        For missing covariates.
    """

    tree: Any
    medians: Medians

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact the rows of leaves whose training profit is above 0."""
        value = self.tree.predict(self.medians.filled(view.covariates))
        return np.asarray(value[:, 1] > value[:, 0], dtype=np.float64)

    def describe(self) -> str:
        """Return the leaves that are contacted, in the covariates' units."""
        leaves = self._contacted(0, {})
        if not leaves:
            return "Contact nobody: no leaf of the tree pays."
        if leaves == [{}]:
            return "Contact everyone: every leaf of the tree pays."
        used = [self.medians.names[number] for number in {key for leaf in leaves for key in leaf}]
        text = "; or if ".join(self._words(leaf) for leaf in leaves)
        return f"Contact if {text}.{self.medians.describe(used)}"

    def _contacted(self, node: int, bounds: Bounds) -> list[Bounds]:
        """Leaves below ``node`` that are contacted; one where all of them are."""
        tree, feature = self.tree, int(self.tree.feature[node])
        if tree.children_left[node] < 0:
            value = np.ravel(tree.value[node])
            return [bounds] if value[1] > value[0] else []
        low, high = bounds.get(feature, (-np.inf, np.inf))
        threshold = float(tree.threshold[node])
        below = {**bounds, feature: (low, min(high, threshold))}
        above = {**bounds, feature: (max(low, threshold), high)}
        left = self._contacted(int(tree.children_left[node]), below)
        right = self._contacted(int(tree.children_right[node]), above)
        return [bounds] if left == [below] and right == [above] else left + right

    def _words(self, leaf: Bounds) -> str:
        parts = []
        for feature, (low, high) in leaf.items():
            name = self.medians.names[feature]
            parts += [f"{name} > {low:.6g}"] * bool(np.isfinite(low))
            parts += [f"{name} <= {high:.6g}"] * bool(np.isfinite(high))
        return " and ".join(parts)
