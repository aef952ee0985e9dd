"""The file in which a result comes back: refused in words where it is no table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from promo_uplift.contracts.errors import ExperimentError

#: What to write, for whoever brought something else.
ADVICE: Final = (
    "Write a row for each household that was drawn, separated by commas, below the names "
    "`household_id,outcome` (and `wave` where there are several)."
)


def read_result(path: Path) -> pd.DataFrame:
    """Read a result as it came back; what its columns hold is :func:`join_result`'s business.

    Parameters
    ----------
    path : Path
        CSV file, UTF-8.

    Raises
    ------
    ExperimentError
        If it is missing, empty, no text, or not separated by commas.
    """
    if not path.is_file():
        raise ExperimentError(f"The experiment's result must be `{path}`; found no file. {ADVICE}")
    try:
        found = pd.read_csv(path, encoding="utf-8-sig")
    except (EmptyDataError, ParserError, UnicodeDecodeError) as error:
        raise ExperimentError(
            f"`{path}` must be a CSV file in UTF-8; reading it failed: {str(error).strip()}. "
            f"{ADVICE}"
        ) from error
    names = [str(name) for name in found.columns]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise ExperimentError(
            f"`{path}` must be separated by commas; found one column, `{names[0]}`. {ADVICE}"
        )
    return found
