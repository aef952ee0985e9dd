"""A cut as of a date: the trials' own covariates, and nothing on or after the date."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from tiny_retail import (
    CAMPAIGNS,
    LINES,
    REDEMPTIONS,
    T0,
    TARGETS,
    by_household,
    tiny_tables,
)

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.errors import TrialError
from promo_uplift.features import TimeZero, covariates
from promo_uplift.trials import households_as_of

WINDOWS = {"pre_days": 84, "history_days": 126}


def cut(tables, as_of=T0, **windows):
    found = households_as_of(tables=tables, as_of=as_of, **(WINDOWS | windows))
    return found.households.to_pyarrow().to_pandas()


def test_as_of_a_campaigns_start_it_is_the_trials_covariates():
    tables = tiny_tables()
    expected = covariates(tables=tables, time_zeros=[TimeZero(1, T0)], **WINDOWS)
    expected = by_household(expected.to_pyarrow().to_pandas().drop(columns="campaign_id"))
    found = cut(tables)
    assert list(found.columns) == ["household_id", *COVARIATES]
    assert found["household_id"].tolist() == [1, 2, 5, 7]
    pd.testing.assert_frame_equal(by_household(found), expected, check_exact=True)


def test_nothing_on_or_after_the_date_reaches_a_row():
    """Every later purchase, mailing and redemption is taken away, or made absurd."""
    before = [line for line in LINES if line[2] < T0]
    last = max(LINES, key=lambda line: line[2])  # keeps the data's last day where it was
    early = {row[0] for row in CAMPAIGNS if row[2] < T0}
    known = tiny_tables(
        transactions=[*before, last],
        campaigns=[row for row in CAMPAIGNS if row[0] in early],
        campaign_targets=[row for row in TARGETS if row[0] in early],
        redemptions=[row for row in REDEMPTIONS if row[3] < T0],
    )
    absurd = tiny_tables(
        transactions=[
            line if line[2] < T0 else (2, *line[1:6], 999, 9_999.0, *line[8:]) for line in LINES
        ]
    )
    expected = cut(tiny_tables())
    pd.testing.assert_frame_equal(cut(known), expected, check_exact=True)
    pd.testing.assert_frame_equal(cut(absurd), expected, check_exact=True)


def test_a_day_later_the_purchases_of_the_day_count():
    later = by_household(cut(tiny_tables(), as_of=T0 + dt.timedelta(days=1)))
    assert 3 in later.index
    assert later.loc[1, "pre_recency_days"] == 1.0


@pytest.mark.parametrize(
    ("as_of", "windows", "said"),
    [
        (dt.date(2017, 3, 1), {}, r"covariate window \[2016-12-07, 2017-03-01\) starts before"),
        (dt.date(2017, 4, 1), {}, r"the history window \[2016-11-26, .* on 2017-01-01\."),
        (dt.date(2018, 1, 2), {}, r"ends after the data does, on 2017-12-31"),
        (T0, {"history_days": 200}, r"Choose a date from 2017-07-20 to 2018-01-01"),
    ],
)
def test_windows_that_the_data_do_not_cover_are_refused(as_of, windows, said):
    with pytest.raises(TrialError, match=said):
        cut(tiny_tables(), as_of=as_of, **windows)


def test_the_day_after_the_last_is_the_latest_date():
    assert cut(tiny_tables(), as_of=dt.date(2018, 1, 1))["household_id"].tolist() == [6]
