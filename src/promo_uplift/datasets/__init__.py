"""Catalog datasets that kedro-datasets and kedro-mlflow lack: raw files by name, the MLflow run."""

from promo_uplift.datasets.mlflow_run import MlflowRunDataset
from promo_uplift.datasets.raw_table import RawTableDataset
from promo_uplift.datasets.registered_model import RegisteredModelDataset, StandingChampionDataset
from promo_uplift.datasets.tracked_partitions import TrackedPartitionsDataset

__all__ = [
    "MlflowRunDataset",
    "RawTableDataset",
    "RegisteredModelDataset",
    "StandingChampionDataset",
    "TrackedPartitionsDataset",
]
