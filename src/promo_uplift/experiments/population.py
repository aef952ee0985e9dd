"""Who may take part: every household once, with what is predicted of it, in strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.results import (
    BoolArray,
    CrossFittedNuisances,
    FloatArray,
    IntArray,
    TrialData,
)

Labels = NDArray[np.object_]
#: Segments at most; more values are a quantity.
MOST_SEGMENTS: Final = 20
#: Why a row of the trials does not stand for its household.
EARLIER: Final = "an earlier trial of a household that is in"


@dataclass(frozen=True, slots=True)
class Population:
    """Households that an experiment may draw from, one row each, by household id.

    Attributes
    ----------
    household : int64 (N,)
        Their ids.
    row : int64 (N,) or None
        Position in the user's table; None for retail trials.
    covariates : DataFrame (N, p)
        As of the household's latest trial.
    cate : float64 (N,)
        Held-out predicted effect, USD per household.
    outcome_if_not_mailed, redemption : float64 (N,)
        Held-out predictions: USD per household, and P(redeems | mailed).
    squared_residual : float64 (N,)
        Of the latest outcome, USD squared: where outcomes spread most.
    effect_bin : int64 (N,)
        1 (lowest predicted effects) to the number of bins.
    stratum : object (N,)
        Bin, and the value of the segment where there is one.
    left_out : dict of int
        Reason -> rows of the trials that do not stand for their household.
    latest_by : str
        What "latest" was read off.
    """

    household: IntArray
    row: IntArray | None
    covariates: pd.DataFrame
    cate: FloatArray
    outcome_if_not_mailed: FloatArray
    redemption: FloatArray
    squared_residual: FloatArray
    effect_bin: IntArray
    stratum: Labels
    left_out: dict[str, int]
    latest_by: str

    @property
    def size(self) -> int:
        """Households."""
        return len(self.household)

    @property
    def n_bins(self) -> int:
        """Bins that predictions could tell apart."""
        return int(self.effect_bin.max())

    def half(self, name: str) -> BoolArray:
        """Households of the ``upper`` or ``lower`` half of the bins; a middle bin is in neither."""
        place = 2 * self.effect_bin - (self.n_bins + 1)
        return np.asarray(place > 0 if name == "upper" else place < 0, dtype=np.bool_)


def population(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cate: FloatArray,
    n_strata: int,
    segment: str | None,
) -> Population:
    """Every household of the trials once, by its latest trial.

    Parameters
    ----------
    data : TrialData
        The trials.
    nuisances : CrossFittedNuisances
        Of the same rows.
    cate : float64 (n,)
        Held-out predicted effect of the rows.
    n_strata : int
        Quantile bins of the predicted effect; ranked within folds, since each fold's predictions
        come from other models.
    segment : str or None
        Covariate whose values split the bins.

    Raises
    ------
    ExperimentError
        If a prediction is not finite, or ``segment`` is no covariate of a few values.
    """
    if n_odd := int((~np.isfinite(cate)).sum()):
        raise ExperimentError(
            f"`cate` must be finite in every row; {n_odd} of {len(cate)} are not."
        )
    latest, latest_by = _latest(data)
    held_out = nuisances.held_out()
    covariates = data.covariates.iloc[latest].reset_index(drop=True)
    bins = effect_bins(cate=cate[latest], fold=nuisances.fold[latest], n_bins=n_strata)
    residual = (data.outcome - held_out.outcome_mean)[latest]
    return Population(
        household=data.groups[latest],
        row=None if data.row is None else data.row[latest],
        covariates=covariates,
        cate=cate[latest],
        outcome_if_not_mailed=held_out.mu0[latest],
        redemption=nuisances.redemption_held_out()[latest],
        squared_residual=residual**2,
        effect_bin=bins,
        stratum=_strata(bins, covariates, segment),
        left_out={} if len(latest) == len(cate) else {EARLIER: len(cate) - len(latest)},
        latest_by=latest_by,
    )


def _latest(data: TrialData) -> tuple[IntArray, str]:
    if data.time_zero is not None:
        order: NDArray[Any] = data.time_zero.astype("datetime64[D]").astype(np.int64)
        name = "the trial's date"
    else:
        order, name = data.campaign, "the number of the trial, since its date is not known"
    rows = np.lexsort((np.arange(len(order)), order, data.groups))
    is_last = np.append(data.groups[rows][1:] != data.groups[rows][:-1], True)
    return rows[is_last].astype(np.int64), name


def effect_bins(*, cate: FloatArray, fold: IntArray, n_bins: int) -> IntArray:
    """Quantile bin of each prediction within its fold, ``(N,)``: 1 lowest; ties share a bin.

    Bins that ties leave empty are not counted: one prediction for all is one bin.
    """
    place = np.empty(len(cate))
    for number in np.unique(fold):
        rows = fold == number
        place[rows] = (rankdata(cate[rows]) - 0.5) / rows.sum()
    bins = np.minimum((place * n_bins).astype(np.int64), n_bins - 1)
    _, numbered = np.unique(bins, return_inverse=True)
    return numbered.astype(np.int64) + 1


def _strata(bins: IntArray, covariates: pd.DataFrame, segment: str | None) -> Labels:
    labels = np.array([f"effect {number}" for number in bins], dtype=object)
    if segment is None:
        return labels
    if segment not in covariates.columns:
        raise ExperimentError(
            f"`experiment.segment` must be a covariate; there is no `{segment}`. Known are: "
            f"{', '.join(map(str, covariates.columns))}."
        )
    values = covariates[segment].map(lambda value: "missing" if np.isnan(value) else f"{value:g}")
    if values.nunique() > MOST_SEGMENTS:
        raise ExperimentError(
            f"`experiment.segment` must have at most {MOST_SEGMENTS} values; `{segment}` has "
            f"{values.nunique()}."
        )
    parts = zip(labels, values, strict=True)
    return np.array([f"{label}, {segment} {value}" for label, value in parts], dtype=object)
