"""Contact nobody."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView


class Nobody(Policy):
    """Contact nobody: profit 0, the baseline of every profit."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "Contact nobody."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedNobody:
        """Nothing is learned."""
        return FittedNobody()


class FittedNobody:
    """The rule."""

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Probability 0 for every row."""
        return np.zeros(len(view))

    def describe(self) -> str:
        """Return the rule in words."""
        return "Contact nobody."
