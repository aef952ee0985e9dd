"""The mailing as it was."""

from __future__ import annotations

from typing import ClassVar

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView


class Current(Policy):
    """Contact whom the campaigns contacted; valued by the effect on those who were."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "The mailing as it was."
    is_the_mailing_as_it_was: ClassVar = True

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedCurrent:
        """Nothing is learned."""
        return FittedCurrent()


class FittedCurrent:
    """The mailing as it was."""

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Return the mailing as it was.

        Raises
        ------
        PolicyError
            For rows that were in no mailing.
        """
        if view.mailed is None:
            raise PolicyError(
                "`mailed` must be known for the policy `current`; these rows were in no mailing. "
                "Choose another policy for households to come."
            )
        return view.mailed

    def describe(self) -> str:
        """Return the rule in words."""
        return "Contact whom the campaigns contacted."
