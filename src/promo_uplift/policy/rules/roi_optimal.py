"""The top of the ranking by effect, as far down as it pays on the training rows."""

from __future__ import annotations

from typing import ClassVar

from promo_uplift.policy.rules.base import NoSettings, Policy, PolicyTraining
from promo_uplift.policy.rules.ranking import most_profitable_share
from promo_uplift.policy.rules.top_share import FittedTopShare


class RoiOptimal(Policy):
    """Rank by predicted effect; the share is the one with the highest training profit."""

    Settings: ClassVar = NoSettings
    summary: ClassVar = "Top of the ranking by effect; the share maximises training profit."

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedTopShare:
        """Choose the share."""
        return FittedTopShare(most_profitable_share(training=training, ranking=training.view.cate))
