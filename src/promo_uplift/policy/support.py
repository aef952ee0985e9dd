"""Where the training data can speak at all: households outside are marked, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray

IN_SUPPORT = ""
PROPENSITY_OUTSIDE = "propensity_outside_overlap"
COVARIATE_OUTSIDE = "covariate_outside_training_range"
MISSING_UNSEEN = "covariate_missing_not_seen_in_training"
CATEGORY_UNSEEN = "category_not_seen_in_training"


@dataclass(frozen=True, slots=True)
class SupportRanges:
    """Ranges of the training data.

    Attributes
    ----------
    names : tuple of str
        Covariates, ``p`` of them.
    low, high : float64 (p,)
        Training range of each, at the configured quantile.
    missing_seen : bool (p,)
        Whether training rows had it missing.
    overlap_low, overlap_high : float
        Range of the propensity.
    """

    names: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    missing_seen: BoolArray
    overlap_low: float
    overlap_high: float


@dataclass(frozen=True, slots=True)
class Support:
    """Which rows lie in the support, and why the others do not.

    Attributes
    ----------
    mask : bool (m,)
        In support: in the propensity's overlap and in every covariate's training range.
    covariates_inside : bool (m,)
        In every covariate's training range, whatever the propensity.
    reasons : tuple of str (m,)
        Empty where in support, else a code, for covariates with the first one's name
        (``covariate_outside_training_range:pre_visits``).
    """

    mask: BoolArray
    covariates_inside: BoolArray
    reasons: tuple[str, ...]


def support_ranges(
    *, covariates: pd.DataFrame, quantile: float, overlap_low: float, overlap_high: float
) -> SupportRanges:
    """Range of each covariate between its ``quantile`` and ``1 - quantile`` in training.

    With ``quantile`` 0 it is the whole training range. A covariate that training never observed
    has the empty range: any value of it is outside.

    Parameters
    ----------
    covariates : DataFrame (n, p)
        Training covariates, numeric, NaN where missing.
    quantile : float
        Tail cut at each end, in [0, 0.5).
    overlap_low, overlap_high : float
        Range of the propensity in which both arms occur.
    """
    observed = covariates.notna().any(axis=0).to_numpy()
    low = np.full(covariates.shape[1], np.inf)
    high = np.full(covariates.shape[1], -np.inf)
    values = covariates.to_numpy(dtype=np.float64)[:, observed]
    low[observed], high[observed] = np.nanquantile(values, [quantile, 1.0 - quantile], axis=0)
    return SupportRanges(
        names=tuple(str(name) for name in covariates.columns),
        low=low,
        high=high,
        missing_seen=covariates.isna().any(axis=0).to_numpy(dtype=np.bool_),
        overlap_low=overlap_low,
        overlap_high=overlap_high,
    )


def support_reasons(*, ranges: SupportRanges) -> tuple[str, ...]:
    """Reason of each code that :func:`outside_codes` gives, in the order of the codes.

    Code 0 is the empty reason; then, covariate by covariate, outside its range and missing.
    """
    return (
        IN_SUPPORT,
        *(
            f"{code}:{name}"
            for name in ranges.names
            for code in (COVARIATE_OUTSIDE, MISSING_UNSEEN)
        ),
    )


def category_reason(column: str) -> str:
    """Reason of a row whose category in ``column`` training never saw."""
    return f"{CATEGORY_UNSEEN}:{column}"


def outside_codes(*, ranges: SupportRanges, values: FloatArray) -> IntArray:
    """Code of the first covariate that lies outside the training range, ``(m,)``; 0 where none.

    Parameters
    ----------
    ranges : SupportRanges
        Of the training data.
    values : float64 (m, p)
        Covariates in the order of ``ranges.names``, NaN where missing.
    """
    is_missing = np.isnan(values)
    # a missing value is neither below nor above
    outside = (values < ranges.low) | (values > ranges.high)
    is_bad = outside | (is_missing & ~ranges.missing_seen)
    codes = np.zeros(len(values), dtype=np.int64)
    rows = np.flatnonzero(is_bad.any(axis=1))
    first = is_bad[rows].argmax(axis=1)
    codes[rows] = 1 + 2 * first + is_missing[rows, first]
    return codes


def covariates_inside(*, ranges: SupportRanges, covariates: pd.DataFrame) -> tuple[str, ...]:
    """Reason why a row's covariates lie outside the training range, empty where inside, ``(m,)``.

    Parameters
    ----------
    ranges : SupportRanges
        Of the training data.
    covariates : DataFrame (m, p)
        Rows to judge; the columns of ``ranges`` are taken by name.

    Raises
    ------
    PolicyError
        If a covariate is missing from ``covariates``.
    """
    absent = [name for name in ranges.names if name not in covariates.columns]
    if absent:
        raise PolicyError(f"`covariates` must hold every training covariate; missing: {absent}.")
    values = covariates[list(ranges.names)].to_numpy(dtype=np.float64)
    texts = np.array(support_reasons(ranges=ranges), dtype=object)
    return tuple(texts[outside_codes(ranges=ranges, values=values)])


def in_overlap(*, ranges: SupportRanges, propensity: FloatArray) -> BoolArray:
    """Whether both arms occur at a propensity, bool ``(m,)``."""
    return (propensity >= ranges.overlap_low) & (propensity <= ranges.overlap_high)


def support(*, ranges: SupportRanges, covariates: pd.DataFrame, propensity: FloatArray) -> Support:
    """Mark the rows on which the training data can speak.

    Parameters
    ----------
    ranges : SupportRanges
        Of the training data.
    covariates : DataFrame (m, p)
        Rows to judge; the columns of ``ranges`` are taken by name.
    propensity : float64 (m,)
        P(mailed | covariates).

    Raises
    ------
    PolicyError
        If a covariate is missing from ``covariates``.
    """
    by_covariate = np.array(covariates_inside(ranges=ranges, covariates=covariates), dtype=object)
    inside = np.asarray(by_covariate == IN_SUPPORT, dtype=np.bool_)
    common = in_overlap(ranges=ranges, propensity=propensity)
    reasons = np.where(inside & ~common, PROPENSITY_OUTSIDE, by_covariate)
    return Support(mask=inside & common, covariates_inside=inside, reasons=tuple(reasons))
