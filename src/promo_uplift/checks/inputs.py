"""What the facts of checks ask of a user's columns and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.results import BoolArray, FloatArray, Interval

UNIT: Final = ("campaign_id", "household_id")
#: Said where an effect's size is asked for and its interval holds 0.
NOTHING_CLAIMED: Final = (
    "The effect cannot be told from 0, so there is no size and no sign that could be lost."
)


def claims_nothing(effect: Interval) -> bool:
    """Whether the interval of an effect holds 0."""
    return effect.ci_low <= 0.0 <= effect.ci_high


def require(frame: pd.DataFrame, columns: Sequence[str], *, name: str) -> pd.DataFrame:
    """Return the frame if it has rows and these columns.

    Raises
    ------
    CheckError
        If it has not.
    """
    if lacking := [column for column in columns if column not in frame.columns]:
        raise CheckError(
            f"`{name}` must have the columns {list(columns)}; {lacking} are not among "
            f"{list(frame.columns)}."
        )
    if frame.empty:
        raise CheckError(f"`{name}` must have rows, found none.")
    return frame


def numbers(values: ArrayLike, *, name: str, n: int | None = None) -> FloatArray:
    """Return finite numbers ``(n,)``.

    Raises
    ------
    CheckError
        If there are none, one is not finite, or there are not ``n`` of them.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise CheckError(
            f"`{name}` must be finite numbers in one dimension, found shape {array.shape} with "
            f"{int((~np.isfinite(array)).sum())} that are not finite."
        )
    if n is not None and len(array) != n:
        raise CheckError(f"`{name}` must have {n} values like the others, found {len(array)}.")
    return array


def treated(treatment: ArrayLike) -> BoolArray:
    """Who is treated ``(n,)``, of an array of 0 and 1.

    Raises
    ------
    CheckError
        If it holds other values, or one of them only.
    """
    array = numbers(treatment, name="treatment")
    if sorted(np.unique(array)) != [0.0, 1.0]:
        raise CheckError(
            f"`treatment` must hold 0 and 1, both, found {np.unique(array)[:5].tolist()}."
        )
    is_treated: BoolArray = array == 1.0
    return is_treated


def units(frame: pd.DataFrame, *, name: str) -> pd.MultiIndex:
    """Distinct pairs of campaign and household of a table; it may be empty.

    Raises
    ------
    CheckError
        If it lacks one of both columns.
    """
    if lacking := [column for column in UNIT if column not in frame.columns]:
        raise CheckError(f"`{name}` must have the columns {list(UNIT)}; {lacking} are missing.")
    return pd.MultiIndex.from_frame(frame[list(UNIT)].drop_duplicates())
