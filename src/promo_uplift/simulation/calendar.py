"""Dates, weeks and clocks of a simulated world, as arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import IntArray
from promo_uplift.sources.calendar import zone_transitions

SECONDS_PER_HOUR = 3600
HOURS_PER_DAY = 24


def weeks_of_year(days: pd.DatetimeIndex) -> IntArray:
    """Week of the year from 0, counted in sevens from 1 January: 53 of them."""
    weeks: IntArray = ((days.day_of_year - 1) // 7).to_numpy(dtype=np.int64)
    return weeks


def local_hours(utc_seconds: IntArray) -> IntArray:
    """Hour of the day on the stores' clock of UTC epoch seconds, 0 to 23."""
    first, transitions = zone_transitions()
    moments = np.array([moment for moment, _ in transitions], dtype=np.int64)
    offsets = np.array([first, *(offset for _, offset in transitions)], dtype=np.int64)
    local = utc_seconds + offsets[np.searchsorted(moments, utc_seconds, side="right")]
    hours: IntArray = (local // SECONDS_PER_HOUR) % HOURS_PER_DAY
    return hours


def utc_seconds(local_seconds: IntArray) -> IntArray:
    """UTC epoch seconds of store-local clock readings given as seconds since 1970-01-01 local.

    A reading in the hour that the clock skips or repeats takes the offset before the change, so
    its local date is kept.
    """
    first, transitions = zone_transitions()
    moments = np.array([moment for moment, _ in transitions], dtype=np.int64)
    offsets = np.array([first, *(offset for _, offset in transitions)], dtype=np.int64)
    local_moments = moments + offsets[1:]
    seconds: IntArray = (
        local_seconds - offsets[np.searchsorted(local_moments, local_seconds, side="right")]
    )
    return seconds
