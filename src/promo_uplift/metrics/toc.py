"""The targeting operator characteristic: how far the top share's effect exceeds the average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import household_draws
from promo_uplift.metrics.fold_dependence import top_minus_all_factor
from promo_uplift.metrics.folds import fold_rows, validate_rankings, with_expected_random
from promo_uplift.metrics.gain import gain_curve, rank_rows


def targeting_operator(
    *,
    scores: FloatArray,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    shares: FloatArray,
    level: float,
    replicates: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    r"""TOC of each ranking, USD per household, with pointwise and uniform bands.

    .. math:: TOC(q) = E[\Gamma \mid \text{top } q] - E[\Gamma]

    Rows are ranked **within** each held-out fold and folds averaged by size; ties count as the
    mean over their orders. The spread is that of household-bootstrap replicates, widened since
    folds learn from each other (:func:`promo_uplift.metrics.fold_dependence.top_minus_all_factor`);
    the uniform band holds the curve at all ``shares`` at once (largest ``|t|`` of a replicate).

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances, USD per household.
    rankings : mapping of str to float64 (n,)
        Held-out predicted effect (or ranking score) of each learner; ``random`` is judged by its
        expectation, 0.
    fold, groups : int64 (n,)
        Fold and household of each row.
    shares : float64 (S,)
        Shares q, ascending, strictly above 0 and at most 1. Few rows make the top of the curve:
        begin where their number bears a mean.
    level : float
        Confidence level.
    replicates : int
        Household-bootstrap replicates.
    rng : Generator
        Their source.

    Returns
    -------
    DataFrame
        ``learner, share, toc_usd, se, ci_low, ci_high, band_low, band_high``.

    Raises
    ------
    MetricError
        If shares are not ascending in (0, 1], or as
        :func:`promo_uplift.metrics.ranking_metrics`.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill & Wager (2025), JASA 120(549), arXiv:2111.07966.
    """
    validate_rankings(scores=scores, rankings=rankings, fold=fold, groups=groups)
    if len(shares) == 0 or shares[0] <= 0.0 or shares[-1] > 1.0 or np.any(np.diff(shares) <= 0.0):
        raise MetricError(
            f"`shares` must ascend within (0, 1]; got {np.asarray(shares).tolist()[:5]}."
        )
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    factor = np.array(
        [top_minus_all_factor(share=float(share)) if share < 1.0 else 1.0 for share in shares]
    )
    half = float(norm.ppf(0.5 + level / 2.0))
    tables = []
    for name, ranking in with_expected_random(rankings).items():
        curve = np.zeros((len(shares), 1 + replicates))
        for part in folds:
            gamma = scores[part.rows]
            ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
            gain = gain_curve(ranked=ranked, scores=gamma, shares=shares)
            curve += part.part * (gain / shares[:, None] - part.weights.means(gamma))
        toc, away = curve[:, 0], curve[:, 1:] - curve[:, :1]
        ranks = any(np.ptp(ranking[part.rows]) > 0.0 for part in folds)
        # a tie over all rows is 0 at every share; what is left is rounding
        bootstrap_se = away.std(axis=1, ddof=1) * (ranks & (shares < 1.0))
        varies = bootstrap_se > 0.0
        reach = (
            float(np.quantile(np.abs(away[varies] / bootstrap_se[varies, None]).max(axis=0), level))
            if varies.any()
            else 0.0
        )
        se = factor * bootstrap_se
        tables.append(
            pd.DataFrame(
                {
                    "learner": name,
                    "share": shares,
                    "toc_usd": toc,
                    "se": se,
                    "ci_low": toc - half * se,
                    "ci_high": toc + half * se,
                    "band_low": toc - reach * se,
                    "band_high": toc + reach * se,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
