"""Each form of the raw data becomes the same canonical tables, as Ibis expressions."""

from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.sources.canonical import canonical_tables
from promo_uplift.sources.cleaning import cleaning_report
from promo_uplift.sources.files import (
    locate_raw_file,
    package_file,
    source_files,
    source_report,
)
from promo_uplift.sources.household_file import (
    HouseholdFile,
    WantedColumns,
    empty_chunk,
    open_household_file,
    read_chunks,
)
from promo_uplift.sources.raw import RAW_TABLES, RawTables, require_columns
from promo_uplift.sources.registry import SOURCES
from promo_uplift.sources.table_file import read_table_file, table_version

__all__ = [
    "RAW_TABLES",
    "SOURCES",
    "CanonicalTables",
    "HouseholdFile",
    "RawTables",
    "WantedColumns",
    "canonical_tables",
    "cleaning_report",
    "empty_chunk",
    "locate_raw_file",
    "open_household_file",
    "package_file",
    "read_chunks",
    "read_table_file",
    "require_columns",
    "source_files",
    "source_report",
    "table_version",
]
