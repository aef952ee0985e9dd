"""Average effects of the mailing from the stacked trials, side by side with their populations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import (
    BoolArray,
    FloatArray,
    IntArray,
    NuisanceValues,
    TrialData,
)
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.nuisance.scores import dr_scores

POOLED = "pooled"
#: Columns of the table of effects.
COLUMNS = (
    "estimand",
    "campaign",
    "estimate_usd",
    "ci_low",
    "ci_high",
    "se",
    "n",
    "n_treated",
    "n_households",
    "n_effective",
    "n_repeats",
)


@dataclass(frozen=True, slots=True)
class EffectTerms:
    r"""An effect as a ratio of means, :math:`\hat\theta = \sum \psi_i / \sum w_i`.

    Attributes
    ----------
    estimand : str
        Name of the effect.
    rows : bool (n,)
        Population that carries it.
    numerator : float64 (n,)
        :math:`\psi_i`, USD per household.
    weight : float64 (n,)
        :math:`w_i`.
    effective : float64 (n,)
        Weight of each row in the target population, for its effective size.
    """

    estimand: str
    rows: BoolArray
    numerator: FloatArray
    weight: FloatArray
    effective: FloatArray


def effect_terms(
    *,
    treatment: IntArray,
    outcome: FloatArray,
    nuisances: NuisanceValues,
    raw_propensity: FloatArray,
    overlap_low: float,
    overlap_high: float,
) -> tuple[EffectTerms, ...]:
    r"""Influence terms of the effects of the mailing, USD per household.

    - ``naive_difference``: mean of the mailed minus mean of the others; confounded, shown for
      contrast.
    - ``aipw_ate``: mean of the doubly robust scores :math:`\Gamma`.
    - ``aipw_att``: mean of :math:`T (Y - \mu_0) - (1 - T)(Y - \mu_0)\, e / (1 - e)` over the mean
      of :math:`T`.
    - ``aipw_ate_overlap``: mean of :math:`\Gamma` where the unclipped propensity lies in
      ``[overlap_low, overlap_high]``.
    - ``ato``: the effect weighted by :math:`e (1 - e)`. Its Neyman-orthogonal score reduces to
      residual on residual, :math:`\sum (T - e)(Y - m) / \sum (T - e)^2` with
      :math:`m = e \mu_1 + (1 - e) \mu_0`.

    Parameters
    ----------
    treatment : int64 (n,)
        1 = mailed.
    outcome : float64 (n,)
        USD per household.
    nuisances : NuisanceValues
        Held-out nuisances.
    raw_propensity : float64 (n,)
        Held-out propensity before clipping; decides who is in the overlap population.
    overlap_low, overlap_high : float
        Bounds of that population.

    References
    ----------
    Robins, Rotnitzky & Zhao (1994), JASA 89(427); Crump, Hotz, Imbens & Mitnik (2009), Biometrika
    96(1); Li, Morgan & Zaslavsky (2018), JASA 113(521); Robinson (1988), Econometrica 56(4).
    """
    e, mu0 = nuisances.propensity, nuisances.mu0
    treated = (treatment == 1).astype(np.float64)
    everyone = np.ones(len(treated), dtype=np.bool_)
    ones = np.ones(len(treated))
    gamma = dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances)
    share = treated.mean()
    mean1 = outcome[treatment == 1].mean()
    mean0 = outcome[treatment == 0].mean()
    naive = (
        (mean1 - mean0)
        + treated * (outcome - mean1) / share
        - (1.0 - treated) * (outcome - mean0) / (1.0 - share)
    )
    att = (outcome - mu0) * (treated - (1.0 - treated) * e / (1.0 - e))
    residual = treated - e
    ato = residual * (outcome - nuisances.outcome_mean)
    overlap = (raw_propensity >= overlap_low) & (raw_propensity <= overlap_high)
    return (
        EffectTerms("naive_difference", everyone, naive, ones, ones),
        EffectTerms("aipw_ate", everyone, gamma, ones, ones),
        EffectTerms("aipw_att", everyone, att, treated, treated),
        EffectTerms("aipw_ate_overlap", overlap, gamma, ones, ones),
        EffectTerms("ato", everyone, ato, residual**2, e * (1.0 - e)),
    )


def cross_section_effects(
    *,
    data: TrialData,
    nuisances: NuisanceValues,
    raw_propensity: FloatArray,
    overlap_low: float,
    overlap_high: float,
    level: float,
) -> pd.DataFrame:
    """Table of effects, USD per household, per campaign and pooled.

    Parameters
    ----------
    data : TrialData
        Stacked trials.
    nuisances : NuisanceValues
        Held-out nuisances of the same rows.
    raw_propensity : float64 (n,)
        Held-out propensity before clipping.
    overlap_low, overlap_high : float
        Bounds of the overlap population.
    level : float
        Confidence level of the household-clustered intervals.

    Returns
    -------
    DataFrame
        ``estimand, campaign, estimate_usd, ci_low, ci_high, se, n, n_treated, n_households,
        n_effective, n_repeats``; ``campaign`` is the id as text or ``pooled``. ``n_effective`` is
        Kish's size of the target population; ``n_repeats`` is 1, for one fold plan. An estimand
        whose population holds no household of one arm, or fewer than two households, has NaN
        figures and its counts.

    Raises
    ------
    MetricError
        If a campaign has only one arm.
    """
    slices: list[tuple[str, BoolArray]] = [
        (str(campaign), data.campaign == campaign) for campaign in np.unique(data.campaign)
    ]
    slices.append((POOLED, np.ones(len(data.treatment), dtype=np.bool_)))
    table = []
    for campaign, rows in slices:
        treatment = data.treatment[rows]
        if len(np.unique(treatment)) < 2:
            raise MetricError(
                f"`treatment` must hold both arms in campaign {campaign}; all "
                f"{len(treatment)} rows have treatment {treatment[0]}. Leave the campaign out."
            )
        terms = effect_terms(
            treatment=treatment,
            outcome=data.outcome[rows],
            nuisances=nuisances.take(rows),
            raw_propensity=raw_propensity[rows],
            overlap_low=overlap_low,
            overlap_high=overlap_high,
        )
        table += [
            {"campaign": campaign, **_row(term, data.groups[rows], treatment, level)}
            for term in terms
        ]
    return pd.DataFrame(table)[list(COLUMNS)]


def _row(
    term: EffectTerms, groups: IntArray, treatment: IntArray, level: float
) -> dict[str, str | float | int]:
    members, arms = groups[term.rows], treatment[term.rows]
    effective = term.effective[term.rows]
    counts: dict[str, str | float | int] = {
        "estimand": term.estimand,
        "n_repeats": 1,
        "n": len(members),
        "n_treated": int((arms == 1).sum()),
        "n_households": len(np.unique(members)),
        "n_effective": float(effective.sum() ** 2 / (effective**2).sum()) if len(members) else 0.0,
    }
    if len(np.unique(arms)) < 2 or len(np.unique(members)) < 2:
        nan = float("nan")
        return counts | {"estimate_usd": nan, "ci_low": nan, "ci_high": nan, "se": nan}
    mean = clustered_mean(
        values=term.numerator[term.rows], groups=members, weights=term.weight[term.rows]
    )
    interval = mean.interval(level=level)
    return counts | {
        "estimate_usd": mean.estimate,
        "ci_low": interval.ci_low,
        "ci_high": interval.ci_high,
        "se": mean.se,
    }
