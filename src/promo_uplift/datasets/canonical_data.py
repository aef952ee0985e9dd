"""The canonical tables as they lie in their folder, looked at only by who wants them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import ibis
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._utils.connection_mixin import ConnectionMixin

from promo_uplift.analysis import CanonicalData
from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.tables import CanonicalTables

VERSION_FILE = "data_version.txt"
#: No covariate reads it, and it is by far the largest.
UNREAD = "promotions"


class CanonicalDataDataset(ConnectionMixin, AbstractDataset[NoReturn, Callable[[], CanonicalData]]):
    """Loads a function that opens the tables: a table of the user's own is scored without them.

    Parameters
    ----------
    folder : str
        Where ``data_engineering`` left the tables and the version of the data.
    connection : dict
        The Ibis backend and its arguments.
    metadata : dict, optional
        For Kedro-Viz.
    """

    _CONNECTION_GROUP: ClassVar[str] = "ibis"

    def __init__(
        self, *, folder: str, connection: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._folder = Path(folder)
        self._connection_config = deepcopy(connection)
        self.metadata = metadata

    def _connect(self) -> Any:
        config = deepcopy(self._connection_config)
        return getattr(ibis, config.pop("backend")).connect(**config)

    def load(self) -> Callable[[], CanonicalData]:
        """Return what opens the tables, or says how they are made."""
        return self._open

    def _open(self) -> CanonicalData:
        names = [one.name for one in fields(CanonicalTables) if one.name != UNREAD]
        paths = {name: self._folder / f"{name}.parquet" for name in names}
        version = self._folder / VERSION_FILE
        absent = [path.name for path in (*paths.values(), version) if not path.is_file()]
        if absent:
            raise SourceError(
                f"The canonical tables must be in `{self._folder}`; missing: {', '.join(absent)}. "
                "Make them with `kedro run --pipelines data_engineering`, in the same environment."
            )
        return CanonicalData(
            tables=CanonicalTables(
                **{name: self._connection.read_parquet(path) for name, path in paths.items()}
            ),
            data_version=version.read_text(encoding="utf-8").strip(),
        )

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the tables are made by ``data_engineering``."""
        raise DatasetError("The canonical tables are made by `data_engineering`.")

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self._folder)}
