"""Tables of households in files: read in chunks of any size, the same rows; refused by name."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources import WantedColumns, empty_chunk, open_household_file, read_chunks

N = 23
FRAME = pd.DataFrame(
    {
        "note": ["not wanted"] * N,
        "spend": np.where(np.arange(N) % 5 == 0, np.nan, np.arange(N) / 4),
        "visits": np.arange(N),
        "is_member": np.arange(N) % 2 == 0,
        "region": np.where(np.arange(N) % 7 == 0, None, "north"),
        "household_id": np.arange(100, 100 + N),
    }
)
WANTED = WantedColumns(
    numbers=("visits", "spend", "is_member"), categories=("region",), identifier="household_id"
)


def written(folder, kind, frame=FRAME):
    path = folder / f"households.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


def chunks_of(path, rows, wanted=WANTED):
    return list(read_chunks(source=open_household_file(path=path), wanted=wanted, rows=rows))


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
@pytest.mark.parametrize("rows", [1, 5, 23, 1000])
def test_chunks_of_any_size_are_the_rows_of_the_file(tmp_path, kind, rows):
    chunks = chunks_of(written(tmp_path, kind), rows)
    assert [chunk.num_rows for chunk in chunks] == [rows] * (N // rows) + [N % rows] * (
        N % rows > 0
    )
    found = pa.concat_tables(chunks).to_pandas()
    assert list(found.columns) == ["household_id", "visits", "spend", "is_member", "region"]
    for name in ("visits", "spend", "is_member"):
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], FRAME[name].astype(float))
    assert found["household_id"].tolist() == FRAME["household_id"].tolist()
    assert found["region"].isna().tolist() == FRAME["region"].isna().tolist()


def test_a_folder_is_one_table_in_the_order_of_its_names(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME.iloc[:9].to_parquet(folder / "part-0.parquet")
    # another width of integers is still a number
    FRAME.iloc[9:].astype({"household_id": "int32", "visits": "int16"}).to_parquet(
        folder / "part-1.parquet"
    )
    (folder / "_SUCCESS").touch()
    chunks = chunks_of(folder, 10)
    assert [chunk.num_rows for chunk in chunks] == [10, 10, 3]
    found = pa.concat_tables(chunks).to_pandas()
    assert found["household_id"].tolist() == FRAME["household_id"].tolist()


def test_decimals_are_numbers_and_dictionaries_categories(tmp_path):
    table = pa.table(
        {
            "visits": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "region": pa.array(["north", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (chunk,) = chunks_of(
        tmp_path / "a.parquet", 10, WantedColumns(numbers=("visits",), categories=("region",))
    )
    assert chunk.column("visits").to_pylist() == [1.5, None]
    assert chunk.column("region").type == pa.string()


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_chunk_without_rows_has_the_types_of_the_others(tmp_path, kind):
    source = open_household_file(path=written(tmp_path, kind))
    (chunk,) = read_chunks(source=source, wanted=WANTED, rows=100)
    empty = empty_chunk(source=source, wanted=WANTED)
    assert empty.num_rows == 0
    assert empty.schema.types[:4] == chunk.schema.types[:4]


def test_a_value_of_another_kind_far_down_a_csv_is_named_with_its_column(tmp_path):
    """The first block, from which a type could be guessed, ends long before it."""
    long = pd.concat([FRAME] * 6000, ignore_index=True).astype({"visits": object})
    long.loc[len(long) - 2, "visits"] = "many"
    path = written(tmp_path, "csv", long)
    assert path.stat().st_size > 2 * 2**20
    source = open_household_file(path=path)
    assert pa.types.is_integer(source.schema.field("visits").type)
    chunks = read_chunks(source=source, wanted=WANTED, rows=1000)
    next(chunks)
    with pytest.raises(
        SourceError, match=r"`visits` of `households.csv` must hold numbers; .*'many'"
    ):
        list(chunks)


def test_integers_at_first_may_be_fractions_and_categories_words_further_down(tmp_path):
    long = pd.concat([FRAME.assign(region="1")] * 6000, ignore_index=True)
    long = long.astype({"visits": float})
    path = tmp_path / "a.csv"
    path.write_text(long.to_csv(index=False) + "not wanted,1.5,0.25,True,elsewhere,7\n")
    last = chunks_of(path, 10_000)[-1].to_pandas().iloc[-1]
    assert (last["visits"], last["region"], last["household_id"]) == (0.25, "elsewhere", 7)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"visits": "x"}, r"`visits` is .*string \(was a number\)"),
        ({"spend": None}, ""),
    ],
)
def test_files_of_a_folder_must_agree_but_for_columns_without_values(tmp_path, change, said):
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME.to_parquet(folder / "part-0.parquet")
    FRAME.assign(**change).to_parquet(folder / "part-1.parquet")
    if not said:
        assert len(chunks_of(folder, 100)) == 1
        return
    with pytest.raises(SourceError, match=said):
        open_household_file(path=folder)


def test_a_file_that_lacks_a_column_of_the_first_is_named(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME.to_parquet(folder / "part-0.parquet")
    FRAME.drop(columns="spend").to_parquet(folder / "part-1.parquet")
    with pytest.raises(SourceError, match=r"in `part-1.parquet` `spend` is absent"):
        open_household_file(path=folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.parquet", None, "must be a file, or a folder of files"),
        ("a.xlsx", b"PK", "must end in .parquet, .csv or .csv.gz; got `a.xlsx`"),
        ("a.parquet", b"PAR1", "`a.parquet` is not"),
        ("a.csv", b"", "`a.csv` is not: Empty CSV file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=said):
        open_household_file(path=tmp_path / name)


def test_an_empty_folder_and_one_of_both_kinds_are_refused(tmp_path):
    with pytest.raises(SourceError, match="must be a file, or a folder of files"):
        open_household_file(path=tmp_path)
    written(tmp_path, "csv")
    written(tmp_path, "parquet")
    with pytest.raises(SourceError, match="files of one kind"):
        open_household_file(path=tmp_path)
