"""A folder of files of one kind, which is also in the MLflow run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
from kedro_datasets.partitions import PartitionedDataset


class TrackedPartitionsDataset(PartitionedDataset):
    """Partitions by name; what is saved while a run is open becomes its artifact folder."""

    def save(self, data: dict[str, Any]) -> None:
        """Write every partition, then log the folder under its own name."""
        super().save(data)
        if mlflow.active_run() is not None:
            mlflow.log_artifacts(self._path, artifact_path=Path(self._path).name)
