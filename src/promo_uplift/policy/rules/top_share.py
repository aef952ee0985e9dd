"""A share that somebody names in advance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from promo_uplift.contracts.parameters import OpenShare, Parameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.policy.rules.base import FittedPolicy, Policy, PolicyTraining, PolicyView
from promo_uplift.policy.rules.frozen import lowest_certain
from promo_uplift.policy.rules.ranking import top_share


class TopShareSettings(Parameters):
    """``shares`` contacted, strictly between 0 and 1: one policy each."""

    shares: list[OpenShare] = Field(min_length=1)


class TopShare(Policy):
    """Contact the top share by predicted effect, whether it pays or not."""

    Settings: ClassVar = TopShareSettings
    settings: TopShareSettings
    summary: ClassVar = "Top k % by predicted effect, k fixed in advance."

    @classmethod
    def variants(cls, settings: Parameters) -> Mapping[str, Self]:
        """One policy per share: ``top_share_10`` for 10 %."""
        typed = TopShareSettings.model_validate(settings)
        return {
            f"_{100.0 * share:.6g}".replace(".", "_"): cls(TopShareSettings(shares=[share]))
            for share in typed.shares
        }

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedTopShare:
        """Nothing is learned."""
        return FittedTopShare(self.settings.shares[0])


@dataclass(frozen=True, slots=True)
class FittedTopShare:
    """The rule.

    Attributes
    ----------
    share : float
        Share contacted, of any list.
    """

    share: float

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact the top of the list's own ranking; tied rows alike."""
        return top_share(ranking=view.cate, share=self.share)

    def frozen(self, *, view: PolicyView) -> FittedPolicy:
        """Fix the threshold that the share has on a list."""
        contacts = self.contact(view=view)
        return FrozenTopShare(
            threshold=lowest_certain(ranking=view.cate, contacts=contacts), words=self.describe()
        )

    def describe(self) -> str:
        """Return the rule in words."""
        return f"Contact the {100.0 * self.share:.3g}% with the highest predicted effect."


@dataclass(frozen=True, slots=True)
class FrozenTopShare:
    """Contact from an effect on, where the share ended on the training rows.

    Attributes
    ----------
    threshold : float
        Predicted effect, in the outcome's unit.
    words : str
        The rule that it was made of.
    """

    threshold: float
    words: str

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact or not."""
        return np.asarray(view.cate >= self.threshold, dtype=np.float64)

    def describe(self) -> str:
        """Return the rule in words."""
        return f"{self.words} On the training rows that begins at {self.threshold:.3g}."
