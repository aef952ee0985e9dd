"""Scores of any number of households, chunk by chunk, and what became of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from promo_uplift.analysis.units import in_outcome_unit
from promo_uplift.contracts.columns import HOUSEHOLD_ID
from promo_uplift.contracts.errors import ScoringError, TrialError
from promo_uplift.contracts.parameters import ScoringParameters, TrialParameters, WordingParameters
from promo_uplift.contracts.streams import TableStream
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.policy import (
    DataContract,
    Difference,
    LoadedModel,
    RegisteredVersion,
    ScoringModel,
    definition_differences,
    package_differences,
    refuse_columns,
    refuse_other_cut,
)
from promo_uplift.policy.contract import DATA_VERSION, Value
from promo_uplift.policy.money import assumption_columns
from promo_uplift.sources import WantedColumns, empty_chunk, open_household_file, read_chunks
from promo_uplift.trials import households_as_of

#: Position of a row in a table without an identifier.
ROW: Final = "row"


@dataclass(frozen=True, slots=True)
class Households:
    """Households to be scored, chunk by chunk.

    Attributes
    ----------
    what : dict
        Where they come from, for the record.
    identifier : str
        Column that names a household; ``row`` where the table has none.
    empty : pyarrow.Table
        A chunk without rows: the types of those to come.
    chunks : callable
        Reads them, anew at each call.
    """

    what: dict[str, Any]
    identifier: str
    empty: pa.Table
    chunks: Callable[[], Iterator[pa.Table]]


@dataclass(frozen=True, slots=True)
class CanonicalData:
    """The canonical tables and the version of the data that they hold."""

    tables: CanonicalTables
    data_version: str


def households_of_a_table(*, model: ScoringModel, scoring: ScoringParameters) -> Households:
    """Read the columns of the model, and an identifier, from the user's file or folder.

    Raises
    ------
    SourceError
        If there is no such file, or it is no table.
    ScoringError
        Naming the columns that are missing or occur twice, and the nearest names.
    """
    source = open_household_file(path=Path(str(scoring.table)))
    columns = model.columns
    refuse_columns(needed=columns, found=source.schema.names)
    identifier = _identifier(scoring=scoring, names=source.schema.names, columns=columns)
    wanted = WantedColumns(
        numbers=tuple(name for name in columns if name not in model.categories),
        categories=model.categories,
        identifier=identifier,
    )
    return Households(
        what={"table": str(scoring.table), "files": [file.name for file in source.files]},
        identifier=ROW if identifier is None else identifier,
        empty=empty_chunk(source=source, wanted=wanted),
        chunks=lambda: read_chunks(source=source, wanted=wanted, rows=scoring.chunk_rows),
    )


def _identifier(
    *, scoring: ScoringParameters, names: list[str], columns: tuple[str, ...]
) -> str | None:
    if scoring.id_column is not None:
        if names.count(scoring.id_column) != 1:
            near = get_close_matches(scoring.id_column, names, n=1)
            raise ScoringError(
                f"`scoring.id_column` must be one column of the table; `{scoring.id_column}` is "
                f"there {names.count(scoring.id_column)} times."
                + (f" Is it `{near[0]}`?" if near else "")
            )
        return scoring.id_column
    return HOUSEHOLD_ID if HOUSEHOLD_ID in names and HOUSEHOLD_ID not in columns else None


def households_of_a_cut(
    *,
    model: ScoringModel,
    definition: Mapping[str, Value],
    open_data: Callable[[], CanonicalData],
    scoring: ScoringParameters,
    trials: TrialParameters,
) -> Households:
    """Cut the canonical tables as of a date; nothing on or after it is read.

    Raises
    ------
    ScoringError
        If the model was made with other windows, treatment or outcome than ``definition`` has, or
        for a table of its own.
    SourceError
        If there are no canonical tables.
    TrialError
        If the data do not cover the windows.
    """
    refuse_other_cut(contract=model.contract, definition=definition)
    if scoring.as_of is None:
        raise ScoringError("`scoring.as_of` must be a date to cut the tables as of; it is not set.")
    as_of, pre_days, history_days = scoring.as_of, trials.pre_days, trials.history_days
    data = open_data()
    cut = households_as_of(
        tables=data.tables, as_of=as_of, pre_days=pre_days, history_days=history_days
    )
    wanted = cut.households.select(HOUSEHOLD_ID, *model.covariates)
    return Households(
        what={
            "as_of": as_of.isoformat(),
            "covariate_window": [(as_of - dt.timedelta(days=pre_days)).isoformat(), str(as_of)],
            "history_window": [(as_of - dt.timedelta(days=history_days)).isoformat(), str(as_of)],
            "data_covers": [cut.first_date.isoformat(), cut.last_date.isoformat()],
            DATA_VERSION: data.data_version,
        },
        identifier=HOUSEHOLD_ID,
        empty=wanted.schema().to_pyarrow().empty_table(),
        chunks=lambda: _tables_of(wanted, scoring.chunk_rows),
    )


def _tables_of(households: ir.Table, rows: int) -> Iterator[pa.Table]:
    for batch in households.to_pyarrow_batches(chunk_size=rows):
        yield pa.Table.from_batches([batch])


def scores_of(
    *,
    model: ScoringModel,
    households: Households,
    stamp: Mapping[str, str],
    wording: WordingParameters,
) -> TableStream:
    """Score every chunk when it is asked for; one row of scores for each household.

    Parameters
    ----------
    model : ScoringModel
        Registered model.
    households : Households
        What is scored.
    stamp : mapping of str to str
        Columns that are the same in every row: who scored.
    wording : WordingParameters
        Unit of the outcome; figures are named by it.

    Returns
    -------
    TableStream
        The identifier, the columns of ``ScoringModel.score``, ``n_missing`` (covariates without
        a value) and the stamp.

    Raises
    ------
    ScoringError
        Before the first chunk, if the columns are not the model's.
    """

    def scored(chunk: pa.Table, first_row: int) -> pa.Table:
        frame = chunk.to_pandas()
        try:
            figures = model.score(frame)
        except (ScoringError, TrialError) as error:
            rows = f"rows {first_row} to {first_row + len(frame) - 1}: " if len(frame) else ""
            raise ScoringError(f"{rows}{error}") from error
        table = in_outcome_unit(figures, policy=model.parameters, wording=wording)
        table["n_missing"] = frame[list(model.columns)].isna().to_numpy().sum(axis=1)
        for name, value in stamp.items():
            table[name] = pd.Series(value, index=table.index, dtype="str")
        ids = (
            pa.array(np.arange(first_row, first_row + len(frame)))
            if households.identifier == ROW and ROW not in chunk.column_names
            else chunk.column(households.identifier)
        )
        scores = pa.Table.from_pandas(table, preserve_index=False)
        return scores.replace_schema_metadata().add_column(0, households.identifier, ids)

    schema = scored(households.empty, 0).schema

    def blocks() -> Iterator[pa.Table]:
        first_row = 0
        for chunk in households.chunks():
            yield scored(chunk, first_row).cast(schema)
            first_row += chunk.num_rows

    return TableStream(schema, blocks)


def differences_now(
    *,
    version: RegisteredVersion,
    contract: DataContract | None,
    definition: Mapping[str, Value],
    what: Mapping[str, Any],
) -> tuple[Difference, ...]:
    """Parameters, data and packages that are not those that made the model.

    Data have a version only where they were cut (``what`` of :class:`Households`).
    """
    packages = package_differences(made_with=version.made_with, running=version.running)
    if contract is None:
        return packages
    found = definition_differences(contract=contract, definition=definition)
    data_version = what.get(DATA_VERSION)
    if data_version not in (None, contract.data_version):
        found += (Difference(DATA_VERSION, contract.data_version, data_version),)
    return found + packages


def scoring_subject(
    *,
    version: RegisteredVersion,
    loaded: LoadedModel,
    households: Households,
    differences: tuple[Difference, ...],
    standing: str,
    alias: str,
) -> dict[str, Any]:
    """Record of who scored what, and what differs from when the model was made."""
    model = loaded.model
    contract = model.contract
    return {
        "model": version.name,
        "alias": alias,
        "version": version.number,
        "run_id": version.run_id,
        "passed_gate": version.passed_gate,
        "gate": version.gate,
        "standing": standing,
        "verdict": model.verdict_name,
        "decides": model.policy,
        "rule": "" if model.rule is None else model.rule.describe(),
        "money": assumption_columns(model.parameters) if model.parameters.are_stated else {},
        "input": households.what,
        "identifier": households.identifier,
        "levels": model.levels,
        "contract": None
        if contract is None
        else {
            "covariates": list(contract.covariates),
            "columns": list(contract.columns),
            DATA_VERSION: contract.data_version,
            **contract.definition,
        },
        "made_with": dict(version.made_with),
        "differences": [
            {"name": one.name, "model": one.model, "now": one.now} for one in differences
        ],
        "warnings": warnings_of(
            contract=contract,
            made_with=version.made_with,
            differences=differences,
            filled=loaded.filled,
        ),
    }


def warnings_of(
    *,
    contract: DataContract | None,
    made_with: Mapping[str, str],
    differences: tuple[Difference, ...],
    filled: tuple[str, ...],
) -> list[str]:
    """Sentences on what differs, or cannot be compared."""
    said = []
    if filled:
        names = ", ".join(f"`{name}`" for name in filled)
        said.append(
            f"The model was made by an older version of this package. It has no {names}: each "
            "takes its default. Register a new one with `kedro run`."
        )
    if contract is None:
        said.append("The model keeps no data contract: it was registered before there was one.")
    if not made_with:
        said.append("The model keeps no package versions: they cannot be compared.")
    packages = [str(one) for one in differences if one.name in made_with]
    others = [str(one) for one in differences if one.name not in made_with]
    if others:
        said.append(f"The model was made with other data or settings: {'; '.join(others)}.")
    if packages:
        said.append(
            f"The model was made with other package versions: {'; '.join(packages)}. Its figures "
            "may differ from those of its run; its MLmodel lists the versions to install."
        )
    return said
