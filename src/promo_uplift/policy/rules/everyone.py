"""Contact everyone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView


class Everyone(Policy):
    """Contact everyone who is eligible."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "Contact everyone."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedEveryone:
        """Nothing is learned."""
        return FittedEveryone()


class FittedEveryone:
    """The rule."""

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Probability 1 for every row."""
        return np.ones(len(view))

    def describe(self) -> str:
        """Return the rule in words."""
        return "Contact everyone."
