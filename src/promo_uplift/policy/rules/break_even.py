"""Contact where the predicted effect pays for its own contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.money import break_even_cate
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView


class BreakEven(Policy):
    """Contact where the effect is at least the contact's and redemption's cost over the margin."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "Predicted effect at or above the household's own break-even."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedThreshold:
        """Nothing is learned."""
        return FittedThreshold(money=training.money, errors=0.0, words="predicted effect")


def lacks_errors(view: PolicyView) -> str | None:
    """Say that standard errors of the effects are absent, where they are."""
    if np.isfinite(view.cate_se).all():
        return None
    return (
        "It needs a standard error of each household's effect; none is offered where "
        "`policies.error_replicates` is 0."
    )


@dataclass(frozen=True, slots=True)
class FittedThreshold:
    """Contact where the effect, less some standard errors, reaches break-even.

    Attributes
    ----------
    money : PolicyParameters
        Margin and costs.
    errors : float
        Standard errors that are taken off.
    words : str
        What is held against break-even.
    """

    money: PolicyParameters
    errors: float
    words: str

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact or not."""
        safe = view.cate if self.errors == 0.0 else view.cate - self.errors * view.cate_se
        needed = break_even_cate(redemption=view.redemption, parameters=self.money)
        return np.asarray(safe >= needed, dtype=np.float64)

    def describe(self) -> str:
        """Return the rule in words."""
        return (
            f"Contact where the {self.words} is at least the row's own break-even, (contact cost + "
            "redemption cost x P(redeems)) / margin; without a redemption that is "
            f"{self.money.expected.break_even_cate_usd:.3g}."
        )
