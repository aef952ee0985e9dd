"""A raw table of the simulated world: written by the simulation, read as raw data is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
from kedro.io import DatasetError

from promo_uplift.contracts.errors import SourceError
from promo_uplift.datasets.raw_table import RawTableDataset
from promo_uplift.simulation import TableStream, write_stream


class SimulatedTableDataset(RawTableDataset):
    """Loads ``<folder>/<stem>.parquet`` as a raw table, and writes it block by block.

    Parameters
    ----------
    stem, folder, connection, metadata
        As for :class:`RawTableDataset`; ``folder`` is required.

    Raises
    ------
    SourceError
        If the file is not there yet.
    """

    def __init__(
        self,
        *,
        stem: str,
        connection: dict[str, Any],
        folder: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(stem=stem, connection=connection, folder=folder, metadata=metadata)
        self._file = Path(folder) / f"{stem}.parquet"

    def path(self) -> Path:
        """Return the file that ``load`` reads and ``save`` writes."""
        return self._file

    def load(self) -> ibis.Table:
        """Return the table, or say how it is made."""
        if not self._file.is_file():
            raise SourceError(
                f"`{self._stem}` of the simulated world must be in `{self._file.parent}`; it is "
                "not. Run `kedro run --env simulated --pipelines simulation` first."
            )
        return super().load()

    def save(self, data: TableStream) -> None:  # type: ignore[override]
        """Write the table, a row group per block."""
        if not isinstance(data, TableStream):
            raise DatasetError(f"`{self._stem}` must be saved as a TableStream, got {type(data)}.")
        write_stream(path=self._file, stream=data)

    def _exists(self) -> bool:
        return self._file.is_file()
