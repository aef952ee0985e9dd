"""No household is contacted too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from promo_uplift.contracts.parameters import Count, PolicyParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import (
    Constraint,
    FittedPolicy,
    OfAnother,
    PolicyTraining,
    PolicyView,
)
from promo_uplift.policy.rules.budget import predicted_profit
from promo_uplift.policy.rules.frozen import thresholds_fixed
from promo_uplift.policy.rules.ranking import fill_best_first


class ContactFrequencySettings(OfAnother):
    """``max_contacts`` of a household over the campaigns of the trials."""

    max_contacts: Count


class ContactFrequency(Constraint):
    """Of the contacts of another policy, a household's most profitable ones, at most ``m``."""

    Settings: ClassVar = ContactFrequencySettings
    settings: ContactFrequencySettings
    summary: ClassVar = "Another policy, at most m contacts per household over the campaigns."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedContactFrequency:
        """Fit the policy that is constrained."""
        return FittedContactFrequency(
            inner=self.inner.fit(training=training, seed=seed),
            money=training.money,
            max_contacts=self.settings.max_contacts,
        )


@dataclass(frozen=True, slots=True)
class FittedContactFrequency:
    """The rule.

    Attributes
    ----------
    inner : FittedPolicy
        The policy that is constrained.
    money : PolicyParameters
        Margin and costs, for the predicted profit.
    max_contacts : int
        Of one household.
    """

    inner: FittedPolicy
    money: PolicyParameters
    max_contacts: int

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Keep a household's contacts with the highest predicted profit; tied ones by lot."""
        wanted = self.inner.contact(view=view)
        profit = predicted_profit(view=view, money=self.money)
        code = np.unique(view.groups, return_inverse=True)[1]
        often = np.flatnonzero(np.bincount(code, weights=wanted) > self.max_contacts)
        kept = wanted.copy()
        for household in often:
            rows = np.flatnonzero(code == household)
            kept[rows] = wanted[rows] * fill_best_first(
                ranking=profit[rows], amount=wanted[rows], capacity=float(self.max_contacts)
            )
        return kept

    def frozen(self, *, view: PolicyView) -> FittedPolicy:
        """Within one campaign nobody is contacted too often: the policy that is constrained."""
        return thresholds_fixed(fitted=self.inner, view=view)

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"{self.inner.describe()} At most {self.max_contacts} contact"
            f"{'s' * (self.max_contacts > 1)} per household over the campaigns: those with the "
            "highest predicted profit."
        )
