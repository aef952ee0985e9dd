"""The publisher's calendar: days, weeks, and store-local dates from UTC timestamps."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from promo_uplift.contracts.tables import DAY_OF_2017_01_01, FIRST_DATE, LAST_DATE

#: The stores' clock. The package stores UTC without saying so.
STORE_ZONE = ZoneInfo("America/New_York")

_DAY_ONE_EPOCH = (FIRST_DATE - dt.date(1970, 1, 1)).days - 1
_SECONDS_PER_DAY = 86_400


def week_no_of_day(day: ir.IntegerValue) -> ir.IntegerValue:
    """Return the publisher's week of a day: ``ceil((DAY + 2) / 7)``, not ``ceil(DAY / 7)``."""
    return ((day + 8) // 7).cast("int64")


def date_of_day(day: ir.IntegerValue) -> ir.DateValue:
    """Return the store-local date of a day number: 2017-01-01 is day 285."""
    days = (day - DAY_OF_2017_01_01).as_interval("D")
    # DuckDB makes a timestamp of date + interval where Ibis says date, and then drops the cast
    return (ibis.literal(dt.date(2017, 1, 1)) + days).cast("timestamp").cast("date")


def day_of_timestamp(timestamp: ir.TimestampValue) -> ir.IntegerValue:
    """Return the day number of a timestamp read as if it were local: the wrong reading."""
    return _day_of_epoch(timestamp.epoch_seconds().cast("int64"))


def local_day_of_utc(timestamp: ir.TimestampValue) -> ir.IntegerValue:
    """Return the store-local day number of a UTC timestamp.

    Plain arithmetic on the zone's transitions: the same on every backend, and independent of the
    session's time zone, on which a cast to a zoned timestamp would depend.
    """
    seconds = timestamp.epoch_seconds().cast("int64")
    first_offset, transitions = zone_transitions()
    offset: ir.IntegerValue = ibis.literal(first_offset, type="int64")
    for moment, seconds_east in transitions:
        offset = ibis.ifelse(seconds >= moment, seconds_east, offset)
    return _day_of_epoch(seconds + offset)


def _day_of_epoch(seconds: ir.IntegerValue) -> ir.IntegerValue:
    return (seconds // _SECONDS_PER_DAY).cast("int64") - _DAY_ONE_EPOCH


@lru_cache(maxsize=1)
def zone_transitions() -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the offsets of the stores' clock over the span of the data, in seconds east of UTC.

    Returns
    -------
    first_offset : int
        Offset at the start of the span.
    transitions : tuple of (epoch second, offset from then on)
    """
    moment = dt.datetime.combine(FIRST_DATE, dt.time(), dt.UTC) - dt.timedelta(days=2)
    end = dt.datetime.combine(LAST_DATE, dt.time(), dt.UTC) + dt.timedelta(days=2)
    offset = first_offset = _offset_at(moment)
    transitions: list[tuple[int, int]] = []
    while moment < end:
        moment += dt.timedelta(hours=1)
        if (now := _offset_at(moment)) != offset:
            offset = now
            transitions.append((int(moment.timestamp()), offset))
    return first_offset, tuple(transitions)


def _offset_at(moment: dt.datetime) -> int:
    offset = moment.astimezone(STORE_ZONE).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
