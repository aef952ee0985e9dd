"""The four tables of a store-and-customer campaign study, from a user's folder or from frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import SourceError

#: Columns that each file must have; more are let be.
STORE_STUDY_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "sales_before": ("date", "store_id", "customer_id", "sales_usd"),
    "sales_after": ("date", "store_id", "customer_id", "sales_usd"),
    "store_characteristics": ("store_id", "store_size_sqm", "location", "campaign_start"),
    "customer_demographics": ("customer_id", "income_usd"),
}


@dataclass(frozen=True, slots=True)
class StoreTables:
    """A store study as it is analysed.

    Attributes
    ----------
    sales : DataFrame
        ``date``, ``store_id``, ``customer_id``, ``sales_usd``, ``is_after`` (row of
        ``sales_after``): a row per visit.
    stores : DataFrame
        ``store_id``, ``store_size_sqm``, ``location``, ``campaign_start`` (missing: never).
    customers : DataFrame
        ``customer_id``, ``income_usd`` (may be missing).
    """

    sales: pd.DataFrame
    stores: pd.DataFrame
    customers: pd.DataFrame


def read_store_study(folder: Path) -> StoreTables:
    """Read a store study from its four CSV files.

    Parameters
    ----------
    folder : Path
        Holds ``sales_before.csv``, ``sales_after.csv``, ``store_characteristics.csv`` and
        ``customer_demographics.csv``, with the columns of ``STORE_STUDY_COLUMNS``.

    Raises
    ------
    SourceError
        If a file is missing or unreadable, or breaks a rule of :func:`store_tables`.
    """
    frames = {}
    for name in STORE_STUDY_COLUMNS:
        path = Path(folder) / f"{name}.csv"
        if not path.is_file():
            raise SourceError(
                f"`{path.name}` must lie in the folder of the store study; there is none in "
                f"`{folder}`. The four files are {[f'{one}.csv' for one in STORE_STUDY_COLUMNS]}."
            )
        try:
            frames[name] = pd.read_csv(path)
        except (ValueError, OSError) as error:
            raise SourceError(f"`{path.name}` must be a CSV file; it is not: {error}.") from error
    return store_tables(frames)


def store_tables(frames: Mapping[str, pd.DataFrame]) -> StoreTables:
    """Check the four tables of a store study and bring them into the form of the analysis.

    Parameters
    ----------
    frames : Mapping
        By file name without ``.csv``; a simulated study is one too, by its attributes.

    Raises
    ------
    SourceError
        Naming file, column and rule: if a column is missing, a date, number or key is missing or
        unreadable, a store or customer has two rows, sales are of an unknown store, or
        ``sales_before`` reaches into ``sales_after``.
    """
    for name, wanted in STORE_STUDY_COLUMNS.items():
        if lacking := [one for one in wanted if one not in frames[name].columns]:
            raise SourceError(
                f"`{name}.csv` must have the columns {list(wanted)}; {lacking} are not among "
                f"{list(frames[name].columns)}. Rename what is called otherwise"
                + (
                    "; `campaign_start` is the store's first day with the campaign, empty where it "
                    "never runs it."
                    if "campaign_start" in lacking
                    else "."
                )
            )
    stores, customers = _stores(frames["store_characteristics"]), _customers(frames)
    before = _sales(frames["sales_before"], "sales_before", stores).assign(is_after=False)
    after = _sales(frames["sales_after"], "sales_after", stores).assign(is_after=True)
    if before["date"].max() >= after["date"].min():
        raise SourceError(
            "`date` of `sales_before.csv` must end before `sales_after.csv` begins; the one ends "
            f"{before['date'].max():%Y-%m-%d}, the other begins {after['date'].min():%Y-%m-%d}."
        )
    sales = pd.concat([before, after], ignore_index=True)
    _starts_are_covered(stores["campaign_start"], sales["date"])
    return StoreTables(sales, stores, customers)


def _stores(table: pd.DataFrame) -> pd.DataFrame:
    file = "store_characteristics"
    _unique(table, "store_id", file)
    starts = _dates(table["campaign_start"], "campaign_start", file)
    size = _numbers(table["store_size_sqm"], "store_size_sqm", file)
    if missing := int(size.isna().sum()):
        raise SourceError(
            f"`store_size_sqm` of `{file}.csv` must be known for every store; {missing} of "
            f"{len(size)} are missing."
        )
    location = table["location"].astype("object")
    return pd.DataFrame(
        {
            "store_id": table["store_id"],
            "store_size_sqm": size,
            "location": location.where(location.notna(), "missing").astype(str),
            "campaign_start": starts,
        }
    )


def _customers(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    file = "customer_demographics"
    table = frames[file]
    _unique(table, "customer_id", file)
    income = _numbers(table["income_usd"], "income_usd", file)
    return pd.DataFrame({"customer_id": table["customer_id"], "income_usd": income})


def _sales(table: pd.DataFrame, file: str, stores: pd.DataFrame) -> pd.DataFrame:
    date = _dates(table["date"], "date", file)
    amount = _numbers(table["sales_usd"], "sales_usd", file)
    for name, values in {"date": date, "sales_usd": amount, "store_id": table["store_id"]}.items():
        if missing := int(values.isna().sum()):
            raise SourceError(
                f"`{name}` of `{file}.csv` must be there in every row; {missing} of {len(table)} "
                "are missing."
            )
    if table.empty:
        raise SourceError(f"`{file}.csv` must have rows; it has none.")
    unknown = sorted(set(table["store_id"]) - set(stores["store_id"]))
    if unknown:
        raise SourceError(
            f"`store_id` of `{file}.csv` must be in `store_characteristics.csv`; {len(unknown)} "
            f"are not, e.g. {unknown[:3]}."
        )
    kept = table[["store_id", "customer_id"]]
    return kept.assign(date=date, sales_usd=amount)


def _unique(table: pd.DataFrame, key: str, file: str) -> None:
    missing, repeated = int(table[key].isna().sum()), int(table[key].duplicated().sum())
    if missing or repeated:
        raise SourceError(
            f"`{key}` of `{file}.csv` must name each row once; {missing} are missing, {repeated} "
            "repeat."
        )


def _dates(values: pd.Series, name: str, file: str) -> pd.Series:
    found = pd.to_datetime(values, errors="coerce", format="ISO8601")
    if broken := int((found.isna() & values.notna()).sum()):
        example = values[found.isna() & values.notna()].iloc[0]
        raise SourceError(
            f"`{name}` of `{file}.csv` must be dates such as 2020-01-31; {broken} are not, e.g. "
            f"{example!r}."
        )
    return found.dt.normalize()


def _numbers(values: pd.Series, name: str, file: str) -> pd.Series:
    found = pd.to_numeric(values, errors="coerce").astype(np.float64)
    broken = (found.isna() & values.notna()) | np.isinf(found)
    if broken.any():
        raise SourceError(
            f"`{name}` of `{file}.csv` must be numbers; {int(broken.sum())} are not, e.g. "
            f"{values[broken].iloc[0]!r}."
        )
    return found


def _starts_are_covered(starts: pd.Series, dates: pd.Series) -> None:
    outside = starts.notna() & ((starts <= dates.min()) | (starts > dates.max()))
    if outside.any():
        raise SourceError(
            "`campaign_start` of `store_characteristics.csv` must lie within the days of sales, "
            f"{dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}, with a day before it; "
            f"{int(outside.sum())} do not, e.g. {starts[outside].iloc[0]:%Y-%m-%d}."
        )
