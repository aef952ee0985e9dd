"""Windows relative to time zero, as small tables that the big ones are joined with.

Days are whole numbers (days since 1970-01-01), so that every bound is integer arithmetic on any
backend. A campaign is also a bit: the windows that hold a day are one bit mask, and a distinct
count over many overlapping windows becomes one ``bit_or`` instead of one ``COUNT(DISTINCT)`` each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from promo_uplift.contracts.errors import TrialError

#: Bits of a signed 64-bit integer that a mask may use.
MASK_BITS: Final = 62
EPOCH: Final = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class TimeZero:
    """The date that a campaign's windows are counted from.

    Attributes
    ----------
    campaign_id : int
        The campaign, unique within a list of time zeros.
    date : date
        Its start in store-local time, or an earlier date for a placebo.
    """

    campaign_id: int
    date: dt.date


def day_number(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - EPOCH).days


def refuse_unusable(*, time_zeros: Sequence[TimeZero]) -> None:
    """Refuse a list of time zeros that is empty or names a campaign twice.

    Raises
    ------
    TrialError
        If it is, naming the campaigns.
    """
    ids = [zero.campaign_id for zero in time_zeros]
    if not ids:
        raise TrialError(
            "`time_zeros` must hold at least one campaign, found none. Choose campaigns whose "
            "windows the data covers."
        )
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise TrialError(f"`time_zeros` must name each campaign once, found {twice} repeated.")


def window_table(*, time_zeros: Sequence[TimeZero]) -> ir.Table:
    """One row per campaign: ``campaign_id``, ``time_zero`` (day number)."""
    refuse_unusable(time_zeros=time_zeros)
    return ibis.memtable(
        pa.table(
            {
                "campaign_id": pa.array([z.campaign_id for z in time_zeros], pa.int64()),
                "time_zero": pa.array([day_number(z.date) for z in time_zeros], pa.int64()),
            }
        )
    )


@dataclass(frozen=True, slots=True)
class MaskedWindows:
    """Up to 62 windows of one length, as bits.

    Attributes
    ----------
    calendar : Table
        ``date``, ``mask``: the windows that hold the date.
    bits : Table
        ``campaign_id``, ``bit``.
    first, end : date
        First date of the earliest window, and the date after the last one.
    """

    calendar: ir.Table
    bits: ir.Table
    first: dt.date
    end: dt.date


def masked_windows(
    *, time_zeros: Sequence[TimeZero], begin_days: int, end_days: int
) -> Iterator[MaskedWindows]:
    """Bit masks of the windows ``[t0 + begin_days, t0 + end_days)``, 62 campaigns at a time.

    Parameters
    ----------
    time_zeros : sequence of TimeZero
        The campaigns.
    begin_days, end_days : int
        Bounds relative to time zero in days (``begin_days`` is negative before it).

    Yields
    ------
    MaskedWindows
        Together they cover every campaign once.
    """
    refuse_unusable(time_zeros=time_zeros)
    for start in range(0, len(time_zeros), MASK_BITS):
        chunk = time_zeros[start : start + MASK_BITS]
        masks: dict[dt.date, int] = {}
        for position, zero in enumerate(chunk):
            for offset in range(begin_days, end_days):
                date = zero.date + dt.timedelta(days=offset)
                masks[date] = masks.get(date, 0) | 1 << position
        dates = sorted(masks)
        yield MaskedWindows(
            calendar=ibis.memtable(
                pa.table(
                    {
                        "date": pa.array(dates, pa.date32()),
                        "mask": pa.array([masks[d] for d in dates], pa.int64()),
                    }
                )
            ),
            bits=ibis.memtable(
                pa.table(
                    {
                        "campaign_id": pa.array([z.campaign_id for z in chunk], pa.int64()),
                        "bit": pa.array([1 << i for i in range(len(chunk))], pa.int64()),
                    }
                )
            ),
            first=dates[0],
            end=dates[-1] + dt.timedelta(days=1),
        )
