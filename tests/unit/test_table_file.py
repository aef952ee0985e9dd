"""A user's table from its file, and the digest that names its version."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources import read_table_file, table_version

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, np.nan, 1.5]})


@pytest.mark.parametrize("name", ["t.csv", "t.CSV", "t.csv.gz", "t.parquet"])
def test_each_kind_of_file_gives_the_table(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_table_file(path=path), FRAME)


def test_a_file_that_nobody_named_is_asked_for():
    with pytest.raises(SourceError, match=r"`table.path` must name a CSV or Parquet file"):
        read_table_file(path=None)


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_does_not_exist_is_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(SourceError, match=r"`table.path` must be a file; there is none at"):
        read_table_file(path=path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(SourceError, match=r"must end in .csv, .csv.gz or .parquet; got `t.xlsx`"):
        read_table_file(path=path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"no parquet"),
        ("t.csv", b""),
        ("t.csv", b'a,b\n1,2\n"3'),
        ("t.csv", b"a\n\xff\xfe\n"),
        ("t.csv.gz", b"no gzip"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"readable table; `{name}` is not: "):
        read_table_file(path=Path(path))


def test_the_digest_is_of_columns_and_values():
    digest = table_version(FRAME)
    assert digest == table_version(FRAME.copy())
    assert re.fullmatch("table-[0-9a-f]{12}", digest)
    assert digest == table_version(FRAME.set_axis([5, 6, 7]))
    for other in (FRAME.rename(columns={"a": "d"}), FRAME.fillna({"c": 0.0}), FRAME.iloc[::-1]):
        assert table_version(other) != digest


def test_columns_of_lists_have_a_digest_too():
    lists = [pd.DataFrame({"a": [[1], value]}) for value in ([2], [3])]
    assert table_version(lists[0]) != table_version(lists[1])
