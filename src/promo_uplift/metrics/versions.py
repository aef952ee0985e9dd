"""The same ranking's figures in three versions side by side: naive, IPW and doubly robust.

A reader who knows a figure from elsewhere finds it here beside the one that the leaderboard holds,
with a sentence on when it may be read as an effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import (
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.metrics.arm_differences import arm_influence
from promo_uplift.metrics.bootstrap import household_codes
from promo_uplift.metrics.folds import validate_rankings, with_expected_random
from promo_uplift.metrics.gain import share_label
from promo_uplift.metrics.influence import Influence, clustered_se
from promo_uplift.metrics.ranking import RankingMetrics, dependence_factors, learned_something

VERSIONS: Final = ("naive", "ipw", "dr")


def metric_versions(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    rankings: Mapping[str, FloatArray],
    ranking: RankingMetrics,
    uplift_shares: Sequence[float],
) -> pd.DataFrame:
    """AUUC, Qini, AUTOC and uplift@k of each learner, naive, IPW and DR, with intervals.

    - ``naive``: difference of the arms' mean outcomes in the top of the ranking;
    - ``ipw``: the same with each arm weighted by the inverse of its held-out propensity,
      normalised in every top (Hájek);
    - ``dr``: mean doubly robust score of the top: the leaderboard's figures.

    Parameters
    ----------
    data : TrialData
        Treatment, outcome in USD and households of ``n`` rows.
    nuisances : CrossFittedNuisances
        Of the same rows.
    rankings : mapping of str to float64 (n,)
        Held-out rankings, as :func:`promo_uplift.metrics.ranking_metrics` took them.
    ranking : RankingMetrics
        What that function found.
    uplift_shares : sequence of float
        The k of uplift@k.

    Returns
    -------
    DataFrame
        ``learner, figure, version, estimate, ci_low, ci_high, interval, valid_when``; figures in
        USD per household, ``interval`` says where the interval comes from.

    Raises
    ------
    MetricError
        If a learner was not judged, a fold lacks an arm, or as
        :func:`promo_uplift.metrics.ranking_metrics`.

    Notes
    -----
    Intervals of ``naive`` and ``ipw`` are analytic, clustered by household, and widened for the
    dependence between folds as the others are. They take the propensity as given.
    """
    fold, groups = nuisances.fold, data.groups
    validate_rankings(scores=data.outcome, rankings=rankings, fold=fold, groups=groups)
    unknown = sorted(set(rankings) - set(ranking.figures))
    if unknown:
        raise MetricError(
            f"`ranking` must hold every learner of `rankings`; missing: {unknown}. Judge the same "
            "rankings first."
        )
    treated = (data.treatment == 1).astype(np.float64)
    propensity = nuisances.held_out().propensity
    weights = {
        "naive": (treated, 1.0 - treated),
        "ipw": (treated / propensity, (1.0 - treated) / (1.0 - propensity)),
    }
    code, n_households = household_codes(groups)
    factors = dependence_factors(uplift_shares=uplift_shares)
    sentences = _valid_when(nuisances=nuisances, propensity=propensity)

    def interval(figure: str, one: Influence, *, learned: bool) -> Interval:
        sums = one.by_household(code=code, n_households=n_households)
        half = float(norm.ppf(0.5 + ranking.level / 2.0)) * clustered_se(
            sums=sums, n_rows=len(treated)
        )
        half *= factors[figure] if learned else 1.0
        return Interval(one.estimate, one.estimate - half, one.estimate + half)

    table = []
    for learner, values in with_expected_random(rankings).items():
        learned = learned_something(ranking=values, fold=fold)
        found = {"dr": ranking.figures[learner]}
        for version, (weight_1, weight_0) in weights.items():
            by_arms = arm_influence(
                outcome=data.outcome,
                weight_1=weight_1,
                weight_0=weight_0,
                ranking=values,
                fold=fold,
                uplift_shares=uplift_shares,
            )
            found[version] = {
                figure: interval(figure, one, learned=learned) for figure, one in by_arms.items()
            }
        for figure in ("auuc", "qini", "autoc", *(share_label(share) for share in uplift_shares)):
            for version in VERSIONS:
                one = found[version][figure]
                table.append(
                    {
                        "learner": learner,
                        "figure": figure,
                        "version": version,
                        "estimate": one.estimate,
                        "ci_low": one.ci_low,
                        "ci_high": one.ci_high,
                        "interval": ranking.method if version == "dr" else "analytic",
                        "valid_when": sentences[version],
                    }
                )
    return pd.DataFrame(table)


def _valid_when(*, nuisances: CrossFittedNuisances, propensity: FloatArray) -> dict[str, str]:
    """Say for each version when it may be read as an effect, and whether it may here."""
    if nuisances.is_propensity_known:
        one_chance = bool(np.ptp(propensity) == 0.0)
        return {
            "naive": "Right where everybody had the same chance of the treatment: "
            + ("so it was here." if one_chance else "here chances differed by design, it is not."),
            "ipw": "Right: the propensity is the experiment's own.",
            "dr": "Right: the propensity is the experiment's own, whatever the outcome models are.",
        }
    return {
        "naive": "Right only where everybody had the same chance of the treatment; here nobody "
        "drew lots, so it mixes the effect with who was chosen.",
        "ipw": "Right if the modelled propensity is and nothing unmeasured decides; "
        f"{nuisances.n_clipped:,} of {len(propensity):,} propensities were clipped.",
        "dr": "Right if the modelled propensity or the outcome models are, and nothing unmeasured "
        "decides.",
    }
