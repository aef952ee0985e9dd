"""As many as the most profitable share, drawn blindly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.ranking import most_profitable_share


class RandomShare(Policy):
    """The share of ``roi_optimal``, drawn by lot: what ranking adds is the difference."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "As many as `roi_optimal`, drawn blindly (its expectation)."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedRandomShare:
        """Take the share that is most profitable where the effects rank."""
        return FittedRandomShare(
            most_profitable_share(training=training, ranking=training.view.cate)
        )


@dataclass(frozen=True, slots=True)
class FittedRandomShare:
    """The rule.

    Attributes
    ----------
    share : float
        Probability of contact of every row.
    """

    share: float

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Return the same probability for every row: its value is the lottery's expectation."""
        return np.full(len(view), self.share)

    def describe(self) -> str:
        """Return the rule in words."""
        return f"Contact {self.share:.0%}, drawn by lot."
