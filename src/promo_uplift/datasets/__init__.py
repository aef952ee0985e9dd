"""Catalog datasets that kedro-datasets and kedro-mlflow lack: raw files by name, the MLflow run."""

from promo_uplift.datasets.canonical_data import CanonicalDataDataset
from promo_uplift.datasets.mlflow_run import MlflowRunDataset
from promo_uplift.datasets.raw_table import RawTableDataset
from promo_uplift.datasets.registered_model import (
    RegisteredModelDataset,
    RegisteredVersionsDataset,
    StandingChampionDataset,
)
from promo_uplift.datasets.returned_result import ReturnedResultDataset
from promo_uplift.datasets.table_stream import TableStreamDataset
from promo_uplift.datasets.tracked_partitions import TrackedPartitionsDataset

__all__ = [
    "CanonicalDataDataset",
    "MlflowRunDataset",
    "RawTableDataset",
    "RegisteredModelDataset",
    "RegisteredVersionsDataset",
    "ReturnedResultDataset",
    "StandingChampionDataset",
    "TableStreamDataset",
    "TrackedPartitionsDataset",
]
