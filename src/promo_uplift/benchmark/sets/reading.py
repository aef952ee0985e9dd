"""Reading an outside file: a column that is not as it should be is named, with the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from promo_uplift.contracts.errors import SourceError


def read_csv(*, path: Path, columns: Sequence[str], header: bool = True) -> pd.DataFrame:
    """Read a CSV file and keep ``columns``.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        Columns that must be there; without a header, the names of all columns in order.
    header : bool
        Whether the first line holds names.

    Raises
    ------
    SourceError
        If the file is no table, empty, or lacks a column.
    """
    try:
        frame = pd.read_csv(path, header=0 if header else None)
    except (EmptyDataError, ParserError, UnicodeDecodeError) as error:
        raise SourceError(
            f"`{path.name}` must be a CSV file; reading it failed: {error}. Fetch it again."
        ) from error
    if not header:
        if frame.shape[1] != len(columns):
            raise SourceError(
                f"`{path.name}` must have {len(columns)} columns without a header; found "
                f"{frame.shape[1]}. Fetch it again."
            )
        frame.columns = pd.Index(columns)
    if missing := [name for name in columns if name not in frame.columns]:
        raise SourceError(
            f"`{path.name}` must have the columns {missing}; found "
            f"{list(frame.columns[:8])} and {max(len(frame.columns) - 8, 0)} more. "
            "Is it another file?"
        )
    if frame.empty:
        raise SourceError(f"`{path.name}` must have rows; found none. Fetch it again.")
    return frame[list(columns)]


def refuse_not_finite(*, path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse columns that are not numbers in every row.

    Raises
    ------
    SourceError
        Naming file, column, number of rows and the first of them.
    """
    for name in columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            found = frame[name].astype("str").iloc[0]
            raise SourceError(
                f"`{path.name}`: column `{name}` must hold numbers; found e.g. {found!r}."
            )
        bad = ~np.isfinite(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        if bad.any():
            raise SourceError(
                f"`{path.name}`: column `{name}` must be a finite number in every row; "
                f"{int(bad.sum())} of {len(frame)} are not, first in row {int(np.argmax(bad))}."
            )


def coded(*, path: Path, frame: pd.DataFrame, column: str, codes: Mapping[Any, int]) -> pd.Series:
    """Code a column by a table of its values.

    Raises
    ------
    SourceError
        Naming file, column and the values that the table does not hold.
    """
    strange = sorted({str(value) for value in frame[column].unique() if value not in codes})
    if strange:
        raise SourceError(
            f"`{path.name}`: column `{column}` must be one of {[str(code) for code in codes]}; "
            f"found {strange[:5]}."
        )
    return frame[column].map(dict(codes)).astype("int64")
