"""Which covariates move the effect, how far, and in which direction."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from promo_uplift.contracts.results import FloatArray
from promo_uplift.explanation.contributions import Contributions

Direction = Literal["rises", "falls", "mixed", "none"]


def driver_table(
    *,
    contributions: Contributions,
    covariates: pd.DataFrame,
    min_rank_correlation: float,
    unit: str,
) -> pd.DataFrame:
    """One row per covariate, the largest mean contribution (without its sign) first.

    Parameters
    ----------
    contributions : Contributions
        Of the explained rows.
    covariates : DataFrame (n, p)
        Of all rows.
    min_rank_correlation : float
        Of covariate and contribution, from which the effect "rises" or "falls" with it; below it
        the direction is "mixed".
    unit : str
        The outcome's unit.

    Returns
    -------
    DataFrame
        ``covariate, mean_abs_usd`` (mean of the contributions without their sign), ``fold_low_usd,
        fold_high_usd`` (the same by the folds' models: smallest and largest), ``share`` (of all
        covariates' ``mean_abs_usd``), ``direction, rank_correlation, below_mean_usd,
        above_mean_usd`` (mean contribution where the covariate lies below or above its mean),
        ``missing_usd`` (where it is missing), ``n_missing, n, method, unit``.
    """
    values = contributions.values  # noqa: PD011 - an array
    explained = covariates.iloc[contributions.rows]
    size = np.abs(values)
    by_fold = np.stack(
        [size[contributions.fold == fold].mean(axis=0) for fold in np.unique(contributions.fold)]
    )
    mean_abs = size.mean(axis=0)
    total = float(mean_abs.sum())
    rows = []
    for number, name in enumerate(covariates.columns):
        covariate = explained[name].to_numpy(dtype=np.float64)
        own, known = values[:, number], ~np.isnan(covariate)
        middle = float(covariate[known].mean()) if known.any() else float("nan")
        correlation = _rank_correlation(covariate[known], own[known])
        direction: Direction = "none"
        if mean_abs[number] > 0.0:
            direction = "rises" if correlation > 0.0 else "falls"
            direction = direction if abs(correlation) >= min_rank_correlation else "mixed"
        rows.append(
            {
                "covariate": str(name),
                "mean_abs_usd": mean_abs[number],
                "fold_low_usd": by_fold[:, number].min(),
                "fold_high_usd": by_fold[:, number].max(),
                "share": mean_abs[number] / total if total > 0.0 else 0.0,
                "direction": direction,
                "rank_correlation": correlation,
                "below_mean_usd": _mean(own[known & (covariate < middle)]),
                "above_mean_usd": _mean(own[known & (covariate > middle)]),
                "missing_usd": _mean(own[~known]),
                "n_missing": int((~known).sum()),
                "n": len(own),
                "method": contributions.method,
                "unit": unit,
            }
        )
    table = pd.DataFrame(rows)
    order = np.argsort(-table["mean_abs_usd"].to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Spearman's, 0 where one of them does not vary."""
    if len(first) < 2 or np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
