"""Raw tables by name: CSV and Parquet alike, optional ones, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DatasetError

from promo_uplift.contracts.errors import SourceError
from promo_uplift.datasets import RawTableDataset

CONNECTION = {"backend": "duckdb", "database": ":memory:"}
FRAME = pd.DataFrame({"CAMPAIGN": [8, 30], "DESCRIPTION": ["TypeA", "TypeB"]})


def dataset(folder, **options):
    return RawTableDataset(
        stem="campaign_desc", folder=str(folder), connection=CONNECTION, **options
    )


@pytest.fixture(params=["csv", "parquet"])
def folder(request, tmp_path):
    if request.param == "csv":
        FRAME.to_csv(tmp_path / "campaign_desc.csv", index=False)
    else:
        FRAME.to_parquet(tmp_path / "CAMPAIGN_DESC.parquet")
    return tmp_path


def test_both_formats_give_the_same_table(folder):
    loaded = dataset(folder).load().to_pandas()
    pd.testing.assert_frame_equal(loaded, FRAME, check_dtype=False)
    assert dataset(folder).exists()


def test_datasets_of_one_connection_can_be_joined(folder):
    left, right = dataset(folder).load(), dataset(folder).load()
    assert left.join(right, "CAMPAIGN").count().to_pyarrow().as_py() == 2


def test_an_optional_table_may_be_absent(tmp_path):
    absent = dataset(tmp_path, optional=True)
    assert absent.load() is None
    assert not absent.exists()


def test_a_missing_table_is_refused_with_the_name_and_what_is_there(tmp_path):
    (tmp_path / "campaign_description.csv").write_text("CAMPAIGN\n8\n")
    with pytest.raises(
        DatasetError, match=r"`campaign_desc` must be in .* holds: campaign_description\.csv"
    ) as error:
        dataset(tmp_path).load()
    assert isinstance(error.value.__cause__, SourceError)


def test_two_files_of_one_name_are_refused(folder):
    FRAME.to_csv(folder / "campaign_desc.csv", index=False)
    FRAME.to_parquet(folder / "campaign_desc.parquet")
    with pytest.raises(DatasetError, match="must be one file"):
        dataset(folder).load()


def test_without_a_folder_it_reads_the_installed_package():
    table = RawTableDataset(stem="campaign_descriptions", connection=CONNECTION).load()
    assert table.count().to_pyarrow().as_py() == 27


def test_raw_data_is_never_written(folder):
    with pytest.raises(DatasetError, match="raw data and is never written"):
        dataset(folder).save(FRAME)
