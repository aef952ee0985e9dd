"""From the trial table to the arrays that nuisances, learners and metrics take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import (
    CAMPAIGN_ID,
    HOUSEHOLD_ID,
    REDEEMED,
    START_DATE,
    TREATMENT,
)
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.results import TrialData


def to_trial_data(*, trials: pd.DataFrame, covariates: Sequence[str], outcome: str) -> TrialData:
    """Arrays of the stacked trials, rows in the order of ``trials``.

    Parameters
    ----------
    trials : DataFrame (n, ...)
        The trial table; never changed.
    covariates : sequence of str
        Names of the covariates to keep, in this order; missing values stay NaN.
    outcome : str
        Name of the outcome column, USD per household.

    Returns
    -------
    TrialData
        ``n`` rows, ``len(covariates)`` covariates.

    Raises
    ------
    TrialError
        If a column is missing or named twice, the table is empty, a household occurs twice in a
        campaign, an outcome is not finite, a covariate is infinite, ``treatment`` or ``redeemed``
        is not 0 or 1, or a campaign has one arm only.
    """
    _refuse_columns(trials=trials, covariates=covariates, outcome=outcome)
    _refuse_keys(trials=trials)
    for name in (TREATMENT, REDEEMED):
        if odd := sorted(set(trials[name].dropna().unique()) - {0, 1}):
            raise TrialError(f"`{name}` must be 0 or 1, found {odd[:3]}.")
        if n_missing := int(trials[name].isna().sum()):
            raise TrialError(f"`{name}` must be 0 or 1, found {n_missing} missing.")
    values = trials[outcome].to_numpy(dtype=np.float64, na_value=np.nan)
    if n_odd := int((~np.isfinite(values)).sum()):
        raise TrialError(
            f"`{outcome}` must be finite in every row; {n_odd} of {len(trials)} are not, first in "
            f"row {int(np.argmin(np.isfinite(values)))}. Leave out campaigns whose outcome window "
            "the data does not cover."
        )
    frame = trials[list(covariates)].astype("float64").reset_index(drop=True)
    if infinite := [name for name in covariates if np.isinf(frame[name].to_numpy()).any()]:
        raise TrialError(f"Covariates must be finite or missing; infinite values in {infinite}.")
    treatment = trials[TREATMENT].to_numpy(dtype=np.int64)
    campaign = trials[CAMPAIGN_ID].to_numpy(dtype=np.int64)
    _refuse_single_arm(campaign=campaign, treatment=treatment)
    return TrialData(
        covariates=frame,
        treatment=treatment,
        outcome=values,
        redeemed=trials[REDEEMED].to_numpy(dtype=np.float64),
        groups=trials[HOUSEHOLD_ID].to_numpy(dtype=np.int64),
        campaign=campaign,
        time_zero=trials[START_DATE].to_numpy(dtype="datetime64[D]")
        if START_DATE in trials.columns
        else None,
    )


def without_rows(data: TrialData) -> TrialData:
    """Return the same arrays without a row: the placebo of campaigns none of which allows one."""
    return TrialData(
        covariates=data.covariates.head(0),
        treatment=data.treatment[:0],
        outcome=data.outcome[:0],
        redeemed=data.redeemed[:0],
        groups=data.groups[:0],
        campaign=data.campaign[:0],
    )


def _refuse_columns(*, trials: pd.DataFrame, covariates: Sequence[str], outcome: str) -> None:
    names = [HOUSEHOLD_ID, CAMPAIGN_ID, TREATMENT, REDEEMED, outcome, *covariates]
    if lacking := [name for name in names if name not in trials.columns]:
        raise TrialError(
            f"`trials` must have the columns {lacking}, found {len(trials.columns)} others. "
            "Check `outcome` and `covariates`, or rebuild the trials."
        )
    if not covariates:
        raise TrialError("`covariates` must name at least one column, found none.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TrialError(
            f"A column must have one role; {repeated} are named twice among keys, outcome and "
            "`covariates`."
        )
    if trials.empty:
        raise TrialError("`trials` must have rows, found none.")


def _refuse_keys(*, trials: pd.DataFrame) -> None:
    keys = trials[[HOUSEHOLD_ID, CAMPAIGN_ID]]
    if n_missing := int(keys.isna().any(axis="columns").sum()):
        raise TrialError(
            f"`{HOUSEHOLD_ID}` and `{CAMPAIGN_ID}` must be present in every row; "
            f"{n_missing} rows lack one."
        )
    repeated = keys.duplicated()
    if repeated.any():
        first = tuple(int(value) for value in keys[repeated].iloc[0])
        raise TrialError(
            f"`{HOUSEHOLD_ID}` and `{CAMPAIGN_ID}` must be unique together; "
            f"{int(repeated.sum())} rows repeat a pair, first {first}."
        )


def _refuse_single_arm(*, campaign: np.ndarray, treatment: np.ndarray) -> None:
    arms = pd.DataFrame({"campaign": campaign, "treatment": treatment})
    counts = arms.groupby("campaign")["treatment"].agg(["sum", "size"])
    single = counts[(counts["sum"] == 0) | (counts["sum"] == counts["size"])]
    if not single.empty:
        found = "; ".join(
            f"campaign {index}: {row['sum']} treated of {row['size']}"
            for index, row in single.iterrows()
        )
        raise TrialError(f"A campaign must have treated and control households; {found}.")
