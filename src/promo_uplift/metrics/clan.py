"""Who the most and the least affected are (classification analysis)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.gates import group_members
from promo_uplift.metrics.simultaneous import (
    adjusted_p_values,
    clustered_covariance,
    standardised_draws,
)


def affected_groups(
    *,
    covariates: pd.DataFrame,
    cate: FloatArray,
    fold: IntArray,
    groups: IntArray,
    n_groups: int,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Mean of every covariate among the rows predicted to respond most and least (CLAN).

    The outer groups are those of :func:`promo_uplift.metrics.group_members`, cut within held-out
    folds: the covariates of a row took no part in the model that put it there. So unlike effects
    their means need no allowance for folds that learn from each other. Missing values are left
    out of a covariate's means and counted.

    Parameters
    ----------
    covariates : DataFrame (n, p)
        Known before the treatment; NaN where missing.
    cate : float64 (n,)
        Held-out predicted effect.
    fold, groups : int64 (n,)
        Fold and household of each row.
    n_groups : int
        Groups of predicted effect, of which the outer two are compared.
    level : float
        Confidence level. ``ci_*`` is pointwise, ``band_*`` holds for all covariates at once.
    draws : int
        Gaussian draws behind the bands and ``p_adjusted``.
    rng : Generator
        Their source.

    Returns
    -------
    DataFrame
        One row per covariate, in its own unit, the largest ``standardised_difference`` (in standard
        deviations over all rows) first: ``covariate, most_affected, least_affected, difference, se,
        ci_low, ci_high, band_low, band_high, p_adjusted, standardised_difference, n_most, n_least,
        n_missing_most, n_missing_least``. A covariate without a known value in one group has no
        difference.

    Raises
    ------
    MetricError
        As :func:`promo_uplift.metrics.group_members`.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), arXiv:1712.04802,
    section 3.3; Westfall & Young (1993) (the adjustment).
    """
    member = group_members(cate=cate, fold=fold, n_groups=n_groups)
    values = covariates.to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    means, counts, influence = [], [], np.zeros_like(filled)
    for group, sign in ((n_groups - 1, 1.0), (0, -1.0)):
        inside = (member == group)[:, None] & known
        count = inside.sum(axis=0)
        mean = np.divide(
            (filled * inside).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0
        )
        deviation = np.where(inside, filled - np.nan_to_num(mean), 0.0)
        influence += sign * deviation / np.maximum(count, 1)
        means.append(mean)
        counts.append(count)
    difference = means[0] - means[1]
    covariance = clustered_covariance(influence=influence, groups=groups)
    se = np.sqrt(np.diag(covariance))
    varies = se > 0.0
    drawn = np.abs(standardised_draws(covariance=covariance, draws=draws, rng=rng))
    band = float(np.quantile(drawn.max(axis=1), level)) if varies.any() else 0.0
    p_adjusted = np.full(len(se), np.nan)
    tested = varies & np.isfinite(difference)
    p_adjusted[tested] = adjusted_p_values(
        statistics=np.abs(difference[tested]) / se[tested], drawn=drawn
    )
    half = float(norm.ppf(0.5 + level / 2.0))
    spread = covariates.std(ddof=0).to_numpy(dtype=np.float64)
    in_group = {"most": member == n_groups - 1, "least": member == 0}
    table = pd.DataFrame(
        {
            "covariate": [str(name) for name in covariates.columns],
            "most_affected": means[0],
            "least_affected": means[1],
            "difference": difference,
            "se": se,
            "ci_low": difference - half * se,
            "ci_high": difference + half * se,
            "band_low": difference - band * se,
            "band_high": difference + band * se,
            "p_adjusted": p_adjusted,
            "standardised_difference": difference / np.where(spread > 0.0, spread, np.nan),
            "n_most": counts[0],
            "n_least": counts[1],
            "n_missing_most": (~known[in_group["most"]]).sum(axis=0),
            "n_missing_least": (~known[in_group["least"]]).sum(axis=0),
        }
    )
    order = table["standardised_difference"].abs().fillna(-1.0)
    return table.iloc[np.argsort(-order.to_numpy(), kind="stable")].reset_index(drop=True)
