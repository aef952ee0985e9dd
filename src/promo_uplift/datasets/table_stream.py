"""A Parquet file that is written block by block, so that the table never is in memory."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import ibis
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._utils.connection_mixin import ConnectionMixin

from promo_uplift.contracts.streams import TableStream, write_stream


class TableStreamDataset(ConnectionMixin, AbstractDataset[TableStream, ibis.Table]):
    """Saves a :class:`TableStream`, a row group per block; loads an Ibis table.

    ``kedro_datasets`` appends block by block to CSV, but writes Parquet at once.

    Parameters
    ----------
    filepath : str
        The file; it appears when it is complete.
    connection : dict
        The Ibis backend and its arguments.
    metadata : dict, optional
        For Kedro-Viz.
    """

    _CONNECTION_GROUP: ClassVar[str] = "ibis"

    def __init__(
        self, *, filepath: str, connection: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = PurePosixPath(filepath)
        self._connection_config = deepcopy(connection)
        self.metadata = metadata

    def _connect(self) -> Any:
        config = deepcopy(self._connection_config)
        return getattr(ibis, config.pop("backend")).connect(**config)

    def load(self) -> ibis.Table:
        """Return the table, its columns as the file has them."""
        return self._connection.read_parquet(Path(self._filepath))

    def save(self, data: TableStream) -> None:
        """Make the blocks and write them."""
        if not isinstance(data, TableStream):
            raise DatasetError(f"`{self._filepath}` must be saved as a TableStream.")
        write_stream(path=Path(self._filepath), stream=data)

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
