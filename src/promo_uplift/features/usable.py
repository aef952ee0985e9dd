"""Leaves out what the chosen windows make constant, and says so."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import TrialError


def usable_covariates(
    *, trials: pd.DataFrame, candidates: Sequence[str] = COVARIATES
) -> tuple[tuple[str, ...], pd.DataFrame]:
    """Names of the covariates that vary over the rows, and a report on all of them.

    Parameters
    ----------
    trials : DataFrame (n, ...)
        The stacked trials; at least the columns ``candidates``.
    candidates : sequence of str
        Covariates to judge, in the order in which they are returned.

    Returns
    -------
    names : tuple of str
        Covariates with at least two different values (missing counts as a value).
    report : DataFrame
        One row per candidate: ``covariate``, ``used`` (bool), ``reason`` (empty where used),
        ``n_missing``, ``share_missing``, ``n_values`` (missing counted as one).

    Raises
    ------
    TrialError
        If ``trials`` is empty or lacks a candidate, or nothing varies.
    """
    if lacking := [name for name in candidates if name not in trials.columns]:
        raise TrialError(
            f"`trials` must hold every covariate; missing are {lacking}. Rebuild the trials."
        )
    if trials.empty:
        raise TrialError("`trials` must have rows, found none. Choose campaigns with households.")
    n_values = [int(trials[name].nunique(dropna=False)) for name in candidates]
    n_missing = [int(trials[name].isna().sum()) for name in candidates]
    report = pd.DataFrame(
        {
            "covariate": list(candidates),
            "used": [n > 1 for n in n_values],
            "reason": ["" if n > 1 else "the same value in every row" for n in n_values],
            "n_missing": n_missing,
            "share_missing": [n / len(trials) for n in n_missing],
            "n_values": n_values,
        }
    )
    names = tuple(report.loc[report["used"], "covariate"])
    if not names:
        raise TrialError(
            f"`candidates` must hold a covariate that varies; all {len(candidates)} are constant "
            f"over the {len(trials)} rows of `trials`."
        )
    return names, report
