"""Contact where even the low end of the effect's interval pays."""

from __future__ import annotations

from typing import ClassVar

from scipy.stats import norm

from promo_uplift.contracts.parameters import OpenShare, Parameters, PolicyParameters
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.break_even import FittedThreshold, lacks_errors


class LowerBoundSettings(Parameters):
    """``level`` of the two-sided normal interval of one household's effect."""

    level: OpenShare


class LowerBound(Policy):
    """Contact where the low end of the interval of the effect reaches break-even."""

    Settings: ClassVar = LowerBoundSettings
    settings: LowerBoundSettings
    summary: ClassVar = "Low end of the effect's interval at or above break-even."

    @property
    def needs_errors(self) -> bool:
        """Always."""
        return True

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say that standard errors are absent, where they are needed."""
        return lacks_errors(view)

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedThreshold:
        """Nothing is learned."""
        level = self.settings.level
        return FittedThreshold(
            money=training.money,
            errors=float(norm.ppf(0.5 + level / 2.0)),
            words=f"low end of the {level:.0%} interval of the predicted effect",
        )
