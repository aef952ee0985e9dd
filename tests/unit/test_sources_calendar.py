from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest

from promo_uplift.sources.calendar import (
    date_of_day,
    local_day_of_utc,
    week_no_of_day,
    zone_transitions,
)


@pytest.mark.parametrize(
    ("day", "date", "week_no"),
    [
        (1, "2016-03-23", 1),
        (5, "2016-03-27", 1),
        (6, "2016-03-28", 2),
        (285, "2017-01-01", 41),
        (286, "2017-01-02", 42),
        (412, "2017-05-08", 60),  # campaign 8 of the publisher
        (649, "2017-12-31", 93),
        (711, "2018-03-03", 102),  # last day of the full file
    ],
)
def test_days_dates_and_weeks_are_the_publishers(day: int, date: str, week_no: int) -> None:
    value = ibis.literal(day, type="int64")
    assert date_of_day(value).to_pyarrow().as_py() == dt.date.fromisoformat(date)
    assert week_no_of_day(value).to_pyarrow().as_py() == week_no


def test_local_days_equal_pandas_time_zone_arithmetic_around_every_transition() -> None:
    _, transitions = zone_transitions()
    assert len(transitions) == 4
    around = [
        pd.Timestamp(second, unit="s") + pd.Timedelta(minutes=minutes)
        for second, _ in transitions
        for minutes in range(-36 * 60, 36 * 60, 7)
    ]
    around += [
        pd.Timestamp(second, unit="s") + pd.Timedelta(seconds=k)
        for second, _ in transitions
        for k in (-1, 0, 1)
    ]
    moments = pd.Series(around, dtype="datetime64[us]")
    expected = (
        moments.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    ).dt.normalize()
    connection = ibis.duckdb.connect()
    table = connection.create_table(
        "moments", pd.DataFrame({"i": range(len(moments)), "t": moments})
    )
    found = table.select("i", date=date_of_day(local_day_of_utc(table.t))).order_by("i").to_pandas()
    assert pd.to_datetime(found["date"]).tolist() == expected.tolist()
    assert pd.to_datetime(found["date"]).tolist() != moments.dt.normalize().tolist()
