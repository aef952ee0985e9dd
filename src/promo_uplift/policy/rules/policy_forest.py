"""Many policy trees that vote with their predicted profit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from promo_uplift.contracts.parameters import Count, OpenShare, Share
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.imputation import Medians
from promo_uplift.policy.rules.policy_tree import PolicyTreeSettings, leaf_rows, rewards


class PolicyForestSettings(PolicyTreeSettings):
    """Size of the forest: that of its trees, and these.

    Attributes
    ----------
    n_estimators : int
        Trees.
    max_samples : float
        Share of the training rows that each tree sees.
    max_features : float
        Share of the covariates that each split looks at.
    named : int
        Covariates that the words name, the most used.
    """

    n_estimators: Count
    max_samples: OpenShare
    max_features: Share
    named: Count


class PolicyForest(Policy):
    """Contact where the mean profit that the trees predict is above 0.

    References
    ----------
    Athey & Wager (2021), *Econometrica* 89(1), arXiv:1702.02896 (the trees).
    """

    Settings: ClassVar = PolicyForestSettings
    settings: PolicyForestSettings
    summary: ClassVar = "Mean of many policy trees on subsamples; no rule to read."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedPolicyForest:
        """Grow the trees."""
        size = self.settings
        medians = Medians.of(training.view.covariates)
        # slow to import, and with it a plotting state that no figure here uses
        econml = import_module("econml.policy")
        forest = econml.PolicyForest(
            n_estimators=size.n_estimators,
            max_depth=size.max_depth,
            min_samples_leaf=leaf_rows(
                share=size.min_leaf_share, n_rows=int(size.max_samples * len(training.profit))
            ),
            min_balancedness_tol=size.min_balancedness_tol,
            honest=size.honest,
            max_samples=size.max_samples,
            max_features=size.max_features,
            random_state=seed,
            n_jobs=1,
        ).fit(medians.filled(training.view.covariates), rewards(training))
        return FittedPolicyForest(forest=forest, medians=medians, named=size.named)


@dataclass(frozen=True, slots=True)
class FittedPolicyForest:
    """The rule.

    Attributes
    ----------
    forest : econml.policy.PolicyForest
    medians : Medians
        For missing covariates.
    named : int
        Covariates that the words name.
    """

    forest: Any
    medians: Medians
    named: int

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact where the mean predicted profit is above 0."""
        value = self.forest.predict_value(self.medians.filled(view.covariates))
        return np.asarray(value[:, 1] > value[:, 0], dtype=np.float64)

    def describe(self) -> str:
        """Return the covariates that the trees use most."""
        importance = np.nan_to_num(self.forest.feature_importances_)
        first = [number for number in np.argsort(-importance) if importance[number] > 0.0]
        names = [self.medians.names[number] for number in first[: self.named]]
        trees = f"Contact where {len(self.forest.estimators_)} policy trees expect a profit"
        if not names:
            return f"{trees}; they do not differ between households."
        used = ", ".join(
            f"{name} {importance[number]:.0%}" for name, number in zip(names, first, strict=False)
        )
        return f"{trees}; most used: {used}.{self.medians.describe(names)}"
