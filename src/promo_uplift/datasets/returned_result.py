"""The result of an experiment as somebody brought it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from promo_uplift.experiments import read_result


class ReturnedResultDataset(AbstractDataset[NoReturn, pd.DataFrame]):
    """Loads a CSV file that people write by hand; read-only.

    ``kedro_datasets.pandas.CSVDataset`` ends a missing or empty file in a traceback.

    Parameters
    ----------
    filepath : str
        The file.
    metadata : dict, optional
        For Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return the table as it came."""
        return read_result(self._path)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: raw data is never written."""
        raise DatasetError(f"`{self._path}` is raw data and is never written.")

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
