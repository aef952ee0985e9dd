"""Contact where the effect pays even after some of its standard error is taken off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field

from promo_uplift.contracts.parameters import Parameters, PolicyParameters
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.break_even import FittedThreshold, lacks_errors


class RiskAdjustedSettings(Parameters):
    """``lambdas``: standard errors taken off the effect, at least 0; one policy each."""

    lambdas: list[Annotated[float, Field(ge=0.0, allow_inf_nan=False)]] = Field(min_length=1)


class RiskAdjusted(Policy):
    """Contact where ``CATE - lambda * se`` reaches break-even."""

    Settings: ClassVar = RiskAdjustedSettings
    settings: RiskAdjustedSettings
    summary: ClassVar = "Effect less lambda standard errors at or above break-even."

    @classmethod
    def variants(cls, settings: Parameters) -> Mapping[str, Self]:
        """One policy per lambda: ``risk_adjusted_0.3``."""
        typed = RiskAdjustedSettings.model_validate(settings)
        return {
            f"_{number:g}": cls(RiskAdjustedSettings(lambdas=[number])) for number in typed.lambdas
        }

    @property
    def needs_errors(self) -> bool:
        """Where some of them is taken off."""
        return self.settings.lambdas[0] > 0.0

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say that standard errors are absent, where they are needed."""
        return lacks_errors(view) if self.needs_errors else None

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedThreshold:
        """Nothing is learned."""
        number = self.settings.lambdas[0]
        return FittedThreshold(
            money=training.money,
            errors=number,
            words=f"predicted effect less {number:g} of its standard errors"
            if number > 0.0
            else "predicted effect",
        )
