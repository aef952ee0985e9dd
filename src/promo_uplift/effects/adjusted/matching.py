"""Each mailed household beside the most similar one that was not mailed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.effects.adjusted.effect import (
    AdjustedEffect,
    adjusted_table,
    from_contributions,
    no_effect,
)
from promo_uplift.effects.adjusted.sample import Sample
from promo_uplift.nuisance.seeding import derived_rng

#: What both matched estimates are of: the mailed that found a partner, not all of them.
MATCHED = "att_matched"


@dataclass(frozen=True, slots=True)
class Matching:
    """Pairs of rows, and who found none.

    Attributes
    ----------
    treated, control : int64 (m,)
        Positions of the pairs' rows in the sample.
    n_treated : int
        Mailed rows, paired or not.
    caliper : float
        Widest distance of a pair, in standard deviations of the logit propensity.
    """

    treated: IntArray
    control: IntArray
    n_treated: int
    caliper: float

    @property
    def n_unmatched(self) -> int:
        """Mailed rows without a partner within the caliper."""
        return self.n_treated - len(self.treated)

    def weights(self, n: int) -> FloatArray:
        """Return 1 for each paired row of ``n``, else 0."""
        weights = np.zeros(n)
        weights[self.treated] = 1.0
        weights[self.control] = 1.0
        return weights


def nearest_pairs(
    *, score: FloatArray, treated: BoolArray, order: IntArray, width: float
) -> tuple[IntArray, IntArray]:
    """Pair each treated row, in this order, with the nearest control that is still free.

    Parameters
    ----------
    score : float64 (n,)
        What rows are near in.
    treated : bool (n,)
        Which rows look for a partner.
    order : int64 (n,)
        All rows: the treated choose in this order, and it decides between controls of the same
        score; of a lower and a higher one that are equally near, the lower is taken.
    width : float
        Widest distance of a pair, in the score's unit.

    Returns
    -------
    treated, control : int64 (m,)
        Rows of each pair.
    """
    controls = order[~treated[order]]
    controls = controls[np.argsort(score[controls], kind="stable")]
    ranked = score[controls].tolist()
    n = len(ranked)
    # free neighbours by position + 1; 0 and n + 1 are the ends
    below, above = list(range(n + 2)), list(range(n + 2))
    choosers = order[treated[order]]
    places = np.searchsorted(score[controls], score[choosers], side="right")
    pairs = []
    for row, place, wanted in zip(
        choosers.tolist(), places.tolist(), score[choosers].tolist(), strict=True
    ):
        low, high = _free(below, place), _free(above, place + 1)
        down = wanted - ranked[low - 1] if low > 0 else np.inf
        up = ranked[high - 1] - wanted if high <= n else np.inf
        if min(down, up) > width:
            continue
        if min(down, up) == np.inf:
            break
        taken = low if down <= up else high
        below[taken], above[taken] = taken - 1, taken + 1
        pairs.append((row, int(controls[taken - 1])))
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _free(towards: list[int], place: int) -> int:
    while towards[place] != place:
        towards[place] = towards[towards[place]]
        place = towards[place]
    return place


def match_nearest(*, sample: Sample, caliper: float, seed: int) -> Matching:
    r"""Pairs 1:1, without replacement, within campaigns, on the logit of the clipped propensity.

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    caliper : float
        Widest distance of a pair, in standard deviations of the logit among the campaign's rows.
    seed : int
        Seed of the order in which the mailed choose: a function of the seed, the campaign and the
        households in it, not of the order of rows.

    Raises
    ------
    MetricError
        If the caliper is not positive.

    References
    ----------
    Rosenbaum & Rubin (1985), The American Statistician 39(1); Austin (2011), Pharmaceutical
    Statistics 10(2).
    """
    if caliper <= 0.0:
        raise MetricError(f"`caliper` must be above 0 standard deviations, found {caliper:g}.")
    e = sample.nuisances.propensity
    score = np.log(e) - np.log1p(-e)
    treated: list[IntArray] = []
    control: list[IntArray] = []
    for campaign in np.unique(sample.data.campaign):
        rows = np.flatnonzero(sample.data.campaign == campaign)
        rows = rows[np.argsort(sample.data.groups[rows], kind="stable")]
        rng = derived_rng(seed=seed, purpose=f"effects/matching/{campaign}")
        pairs = nearest_pairs(
            score=score[rows],
            treated=sample.treated[rows],
            order=rng.permutation(len(rows)),
            width=caliper * float(score[rows].std()),
        )
        treated.append(rows[pairs[0]])
        control.append(rows[pairs[1]])
    return Matching(
        np.concatenate(treated), np.concatenate(control), int(sample.treated.sum()), caliper
    )


def matched_effects(*, sample: Sample, matching: Matching) -> tuple[AdjustedEffect, AdjustedEffect]:
    r"""Effect on the mailed that found a partner, in the outcome's unit: plain and adjusted.

    Plain (``nearest_neighbour``) is the mean of :math:`Y_t - Y_c` over the pairs; adjusted
    (``nearest_neighbour_adjusted``) that of :math:`(Y_t - \mu_0(x_t)) - (Y_c - \mu_0(x_c))`, which
    takes out what the partners still differ in. In both the partner's part of the error is
    :math:`Y_c - \mu_0(x_c)`, which belongs to its household, and the rest belongs to the mailed
    one: given covariates the two are independent, and a household that is paired in several
    campaigns is one cluster.

    Returns
    -------
    tuple of AdjustedEffect
        ``n`` counts the paired rows; the unmatched are in ``note``.

    References
    ----------
    Abadie & Imbens (2011), J. Business & Economic Statistics 29(1); Abadie & Spiess (2022), JASA
    117(538) (errors after matching without replacement).
    """
    plain, adjusted = (
        sample.label(lens="matching", estimator=name, estimand=MATCHED)
        for name in ("nearest_neighbour", "nearest_neighbour_adjusted")
    )
    pairs = len(matching.treated)
    if pairs == 0:
        reason = f"none of {matching.n_treated} mailed rows has a partner within the caliper"
        return (
            no_effect(sample=sample, label=plain, reason=reason),
            no_effect(sample=sample, label=adjusted, reason=reason),
        )
    outcome, mu0 = sample.data.outcome, sample.nuisances.mu0
    partner = (outcome - mu0)[matching.control]
    own = {
        plain: outcome[matching.treated] - mu0[matching.control],
        adjusted: (outcome - mu0)[matching.treated],
    }
    weights = matching.weights(len(outcome))
    found = []
    for label, mailed in own.items():
        contributions = np.zeros_like(outcome)
        contributions[matching.treated] = (mailed - mailed.mean()) / pairs
        contributions[matching.control] = -(partner - partner.mean()) / pairs
        found.append(
            from_contributions(
                sample=sample,
                label=label,
                value=float(mailed.mean() - partner.mean()),
                contributions=contributions,
                weights=weights,
                population=weights > 0.0,
                note=f"{matching.n_unmatched} of {matching.n_treated} mailed rows unmatched",
            )
        )
    return found[0], found[1]


def caliper_path(*, sample: Sample, calipers: Sequence[float], seed: int) -> pd.DataFrame:
    """Both matched effects for each caliper: ``adjusted_table`` with counts of the mailed.

    Returns
    -------
    DataFrame
        ``caliper, n_treated_all, n_unmatched`` and the columns of
        :func:`promo_uplift.effects.adjusted.effect.adjusted_table`.
    """
    parts = []
    for caliper in calipers:
        matching = match_nearest(sample=sample, caliper=caliper, seed=seed)
        table = adjusted_table(matched_effects(sample=sample, matching=matching))
        table.insert(0, "caliper", caliper)
        table.insert(1, "n_treated_all", matching.n_treated)
        table.insert(2, "n_unmatched", matching.n_unmatched)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
