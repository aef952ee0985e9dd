"""A store study's files: read as they are, or refused by file, column and rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources.store_tables import STORE_STUDY_COLUMNS, read_store_study, store_tables


def frames():
    def sales(first):
        dates = pd.date_range(first, periods=4).repeat(3).astype(str)
        columns = {"date": dates, "store_id": [1, 2, 3] * 4, "customer_id": [10, 20, 30] * 4}
        return pd.DataFrame(columns | {"sales_usd": np.arange(12.0)})

    return {
        "sales_before": sales("2020-01-01"),
        "sales_after": sales("2020-01-05"),
        "store_characteristics": pd.DataFrame(
            {
                "store_id": [1, 2, 3],
                "store_size_sqm": [500, 900, 700],
                "location": ["urban", None, "rural"],
                "campaign_start": ["2020-01-05", None, None],
            }
        ),
        "customer_demographics": pd.DataFrame(
            {"customer_id": [10, 20, 30], "income_usd": [1e4, None, 3e4], "age_years": 40}
        ),
    }


def write(folder, tables):
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_files_are_read(tmp_path):
    found = read_store_study(write(tmp_path, frames()))
    assert found.sales["is_after"].tolist() == [False] * 12 + [True] * 12
    assert found.sales["date"].max() == pd.Timestamp("2020-01-08")
    assert found.stores["campaign_start"].isna().tolist() == [False, True, True]
    assert found.stores["location"].tolist() == ["urban", "missing", "rural"]
    assert found.customers["income_usd"].isna().tolist() == [False, True, False]


def test_frames_are_not_changed():
    given, copies = frames(), frames()
    store_tables(given)
    for name, table in given.items():
        pd.testing.assert_frame_equal(table, copies[name])


@pytest.mark.parametrize("name", STORE_STUDY_COLUMNS)
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    write(tmp_path, {one: table for one, table in frames().items() if one != name})
    with pytest.raises(SourceError, match=f"`{name}.csv` must lie in the folder"):
        read_store_study(tmp_path)


def test_an_empty_file_is_named(tmp_path):
    (write(tmp_path, frames()) / "sales_after.csv").write_text("")
    with pytest.raises(SourceError, match=r"`sales_after\.csv` must be a CSV file"):
        read_store_study(tmp_path)


def edit(table, column, value, row=0):
    changed = table.astype({column: "object"})
    changed.loc[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("sales_before", lambda t: t.rename(columns={"sales_usd": "sales"}), r"\['sales_usd'\]"),
        ("store_characteristics", lambda t: t.drop(columns="campaign_start"), "first day with the"),
        ("sales_after", lambda t: edit(t, "date", "5th of May"), "must be dates .* '5th of May'"),
        ("sales_after", lambda t: edit(t, "date", None), "`date` of .* 1 of 12 are missing"),
        ("sales_before", lambda t: edit(t, "sales_usd", "9,50"), "must be numbers; 1 .* '9,50'"),
        ("sales_before", lambda t: edit(t, "sales_usd", np.inf), "must be numbers; 1"),
        ("sales_before", lambda t: edit(t, "store_id", 4), r"1 are not, e.g. \[4\]"),
        ("sales_before", lambda t: t.head(0), "must have rows"),
        ("sales_before", lambda t: t.assign(date="2020-01-05"), "must end before"),
        ("store_characteristics", lambda t: pd.concat([t, t.head(1)]), "1 repeat"),
        ("customer_demographics", lambda t: pd.concat([t, t.head(1)]), "1 repeat"),
        ("customer_demographics", lambda t: edit(t, "income_usd", "much"), "'much'"),
        ("store_characteristics", lambda t: edit(t, "store_size_sqm", None), "1 of 3 are missing"),
        (
            "store_characteristics",
            lambda t: edit(t, "campaign_start", "2021-01-01"),
            "within the days of sales, 2020-01-01 to 2020-01-08",
        ),
        (
            "store_characteristics",
            lambda t: edit(t, "campaign_start", "2020-01-01"),
            "with a day before it",
        ),
    ],
)
def test_what_breaks_a_rule_is_named(file, change, message):
    tables = frames()
    with pytest.raises(SourceError, match=message) as refusal:
        store_tables(tables | {file: change(tables[file])})
    assert file in str(refusal.value)
