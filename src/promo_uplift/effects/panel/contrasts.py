"""After less before, by household and campaign: all that differences in means depend on.

Campaigns are balanced, so two-way fixed effects with one treatment date per campaign, their
clustered errors and their bootstraps are functions of these ``H x C`` matrices (Frisch-Waugh).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.window import PanelWindow


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Each household's change around each campaign's start, outcome unit per week.

    Attributes
    ----------
    campaigns : tuple of str (C,)
        Campaign ids.
    households : int64 (H,)
        Household ids, ascending.
    before, after : float64 (H, C)
        Weekly means before the mailing and in the effect window; 0 where not in the campaign.
    treated, control : float64 (H, C)
        1.0 where the household is in that arm of that campaign.
    n_pre, n_effect : float64 (C,)
        Weeks before and after.
    """

    campaigns: tuple[str, ...]
    households: IntArray
    before: FloatArray
    after: FloatArray
    treated: FloatArray
    control: FloatArray
    n_pre: FloatArray
    n_effect: FloatArray

    @property
    def weight(self) -> FloatArray:
        """Sum of squares of the demeaned post indicator over weeks, ``(C,)``."""
        return self.n_pre * self.n_effect / (self.n_pre + self.n_effect)

    @property
    def change(self) -> FloatArray:
        """Weekly mean after less weekly mean before, ``(H, C)``."""
        return self.after - self.before

    @property
    def counts(self) -> tuple[int, int, int]:
        """Units (household x campaign), treated units and households."""
        n_treated = int(self.treated.sum())
        return n_treated + int(self.control.sum()), n_treated, len(self.households)

    def only(self, campaign: int) -> Contrasts:
        """Return the contrasts of the campaign at this position alone, with its households."""
        inside = (self.treated[:, campaign] + self.control[:, campaign]) > 0.0
        return self.take(np.arange(len(self.campaigns)) == campaign, inside)

    def without(self, campaign: int) -> Contrasts:
        """Return the contrasts of all campaigns but the one at this position."""
        kept = np.arange(len(self.campaigns)) != campaign
        inside = (self.treated[:, kept] + self.control[:, kept]).sum(axis=1) > 0.0
        return self.take(kept, inside)

    def take(self, campaigns: np.ndarray, households: np.ndarray) -> Contrasts:
        """Return the chosen campaigns and households (masks)."""
        grid = np.ix_(households, campaigns)
        return Contrasts(
            tuple(np.asarray(self.campaigns)[campaigns].tolist()),
            self.households[households],
            self.before[grid],
            self.after[grid],
            self.treated[grid],
            self.control[grid],
            self.n_pre[campaigns],
            self.n_effect[campaigns],
        )


def contrasts(*, panels: Sequence[CampaignPanel], outcome: str, window: PanelWindow) -> Contrasts:
    """Return the change of every household around every campaign, outcome unit per week.

    Raises
    ------
    MetricError
        If there is no campaign, or one lacks a covered week on either side of the mailing.
    """
    if not panels:
        raise MetricError("`panels` must hold at least one campaign, found none.")
    households = np.unique(np.concatenate([one.households for one in panels]))
    shape = (len(households), len(panels))
    before, after, treated, control = (np.zeros(shape) for _ in range(4))
    n_pre, n_effect = np.zeros(len(panels)), np.zeros(len(panels))
    for column, one in enumerate(panels):
        pre, post = window.pre(one.rel_weeks), window.effect(one.rel_weeks)
        if not (pre.any() and post.any()):
            raise MetricError(
                f"campaign {one.campaign} must have covered weeks before and after the mailing, "
                f"found {int(pre.sum())} and {int(post.sum())}. Part invalid campaigns first."
            )
        row = np.searchsorted(households, one.households)
        values = one.values(outcome)
        before[row, column] = values[:, pre].mean(axis=1)
        after[row, column] = values[:, post].mean(axis=1)
        treated[row, column] = one.treatment
        control[row, column] = 1 - one.treatment
        n_pre[column], n_effect[column] = pre.sum(), post.sum()
    return Contrasts(
        tuple(one.campaign for one in panels),
        households,
        before,
        after,
        treated,
        control,
        n_pre,
        n_effect,
    )
