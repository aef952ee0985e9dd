from __future__ import annotations

import hashlib
from pathlib import Path

import ibis
import pytest
from tiny_raw import as_tables, frames

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources import (
    locate_raw_file,
    package_file,
    require_columns,
    source_files,
    source_report,
)


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("product.csv", "product"),
        ("PRODUCT.CSV", "product"),
        ("Campaign_Table.parquet", "campaign_table"),
        ("transaction_data_DAY285_649.parquet", "transaction_data"),
        ("transaction_data.csv", "transaction_data"),
    ],
)
def test_a_raw_file_is_found_by_its_stem(tmp_path: Path, file: str, stem: str) -> None:
    (tmp_path / file).touch()
    (tmp_path / "coupon_redempt.csv").touch()
    (tmp_path / f"{stem}.txt").touch()
    assert locate_raw_file(tmp_path, stem) == tmp_path / file


def test_only_transactions_may_carry_a_longer_name(tmp_path: Path) -> None:
    (tmp_path / "coupon_redempt.csv").touch()
    with pytest.raises(SourceError, match=r"`coupon` must be in .*holds: coupon_redempt\.csv"):
        locate_raw_file(tmp_path, "coupon")


def test_a_missing_file_may_be_optional(tmp_path: Path) -> None:
    assert locate_raw_file(tmp_path, "causal_data", optional=True) is None
    with pytest.raises(SourceError, match=r"causal_data\.csv; the folder holds: nothing"):
        locate_raw_file(tmp_path, "causal_data")


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "transaction_data.csv").touch()
    (tmp_path / "transaction_data_DAY285_649.parquet").touch()
    with pytest.raises(SourceError, match=r"one file .*transaction_data\.csv.*Keep the one"):
        locate_raw_file(tmp_path, "transaction_data")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere` must be a folder"):
        locate_raw_file(tmp_path / "nowhere", "product")


def test_the_packages_files_are_found_and_an_unknown_table_is_refused() -> None:
    assert package_file("campaign_descriptions").is_file()
    assert all(
        path is not None and path.is_file() for path in source_files(form="package").values()
    )
    with pytest.raises(SourceError, match=r"got 'receipts'"):
        package_file("receipts")


def test_the_original_needs_a_folder() -> None:
    with pytest.raises(SourceError, match="`folder` must be given"):
        source_files(form="original")


def write_original(folder: Path, **changed) -> dict[str, Path | None]:
    stems = {
        "transactions": "transaction_data",
        "products": "product",
        "demographics": "hh_demographic",
        "campaigns": "campaign_desc",
        "campaign_targets": "campaign_table",
        "coupons": "coupon",
        "redemptions": "coupon_redempt",
    }
    for name, frame in {**frames("original"), **changed}.items():
        if name in stems:
            frame.to_csv(folder / f"{stems[name]}.csv", index=False)
    return source_files(form="original", folder=folder)


def test_the_source_report_compares_digest_and_rows_and_refuses_nothing(tmp_path: Path) -> None:
    files = write_original(tmp_path)
    connection = ibis.duckdb.connect()
    raw = {name: path and connection.read_csv(path) for name, path in files.items()}
    report = source_report(form="original", raw=raw, files=files).set_index("table")
    content = (tmp_path / "product.csv").read_bytes()
    assert report.loc["products", "sha256"] == hashlib.sha256(content).hexdigest()
    assert report.loc["products", "bytes"] == len(content)
    assert report.loc["products", ["rows", "rows_known"]].tolist() == [4, 92_353]
    assert not report.loc["products", "rows_match"]
    assert not report.loc["products", "sha256_matches"]
    assert "a cut of the file" in report.loc["products", "note"]
    assert report.loc["promotions", "note"] == "optional and absent"


def test_no_rows_at_all_are_fatal_in_the_source_report(tmp_path: Path) -> None:
    files = write_original(tmp_path)
    raw = as_tables({**frames("original"), "coupons": frames("original")["coupons"].iloc[:0]})
    with pytest.raises(SourceError, match=r"`coupon` must have at least one row; coupon\.csv"):
        source_report(form="original", raw=raw, files=files)


def test_require_columns_returns_what_it_ignores() -> None:
    table = ibis.table({"a": "int64", "b": "int64", "c": "int64"})
    assert require_columns(table, ["c", "a"], name="t") == ("b",)
    with pytest.raises(SourceError, match=r"`t` must have the columns `a`, `z`; missing: `z`"):
        require_columns(table, ["a", "z"], name="t")
