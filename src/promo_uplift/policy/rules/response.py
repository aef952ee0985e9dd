"""The top of the ranking by predicted spend: what is done where nobody asks for effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.ranking import most_profitable_share, top_share


class ResponseShare(Policy):
    """Rank by predicted outcome; the share is the one with the highest training profit."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "Top of the ranking by predicted outcome, its own most profitable share."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedResponseShare:
        """Choose the share."""
        return FittedResponseShare(
            most_profitable_share(training=training, ranking=training.view.response)
        )


@dataclass(frozen=True, slots=True)
class FittedResponseShare:
    """The rule.

    Attributes
    ----------
    share : float
        Share contacted, of any list.
    """

    share: float

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact the top of the list's own ranking; tied rows alike."""
        return top_share(ranking=view.response, share=self.share)

    def describe(self) -> str:
        """Return the rule in words."""
        return f"Contact the {self.share:.0%} with the highest predicted outcome."
