"""An outside data set: one table, what each column is, and what is known of the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import BoolArray, IntArray, TrialData, TrialTruth

Design = Literal["randomised", "observational"]


@dataclass(frozen=True, slots=True)
class BenchmarkSet:
    """One replicate of an outside data set.

    Attributes
    ----------
    name : str
        Its name in the registry.
    replicate : int
        Number of the replicate, from 1; a set with one table has replicate 1.
    frame : DataFrame (n, ...)
        Covariates, treatment, outcome and group, and no other column of the file.
    treatment, outcome : str
        Columns: the treatment (0 = control, 1 = treated) and the outcome.
    covariates : tuple of str
        Columns known before the treatment; text where the file has text.
    groups : str or None
        Column of the cluster (a household); None where each row is its own.
    known_propensity : float or None
        P(treated) by the experiment's design; None where nobody published one.
    outcome_range : tuple of float, or None
        Smallest and largest value that the outcome can take, for bounds.
    truth : TrialTruth or None
        True effects of the rows, where the outcome was simulated.
    """

    name: str
    replicate: int
    frame: pd.DataFrame
    treatment: str
    outcome: str
    covariates: tuple[str, ...]
    groups: str | None
    known_propensity: float | None
    outcome_range: tuple[float, float] | None
    truth: TrialTruth | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.frame)

    def is_binary(self) -> bool:
        """Whether the outcome takes the values 0 and 1 only."""
        return set(self.frame[self.outcome].unique()) <= {0, 1}

    def group_codes(self) -> IntArray:
        """Cluster of each row as a number, ``(n,)``."""
        if self.groups is None:
            return np.arange(self.n_rows, dtype=np.int64)
        return self.frame[self.groups].to_numpy(dtype=np.int64)

    def take(self, rows: IntArray | BoolArray) -> BenchmarkSet:
        """Return the same set with some of its rows."""
        truth = self.truth
        return BenchmarkSet(
            name=self.name,
            replicate=self.replicate,
            frame=self.frame.iloc[
                np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
            ].reset_index(drop=True),
            treatment=self.treatment,
            outcome=self.outcome,
            covariates=self.covariates,
            groups=self.groups,
            known_propensity=self.known_propensity,
            outcome_range=self.outcome_range,
            truth=None
            if truth is None
            else TrialTruth(
                cate=truth.cate[rows],
                propensity=truth.propensity[rows],
                mu0=truth.mu0[rows],
                mu1=truth.mu1[rows],
            ),
        )


@dataclass(frozen=True, slots=True)
class SkippedSet:
    """A set that was not run, and why.

    Attributes
    ----------
    name : str
    reason : str
        What was missing and where it was looked for.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetSpec:
    """One entry of the registry.

    Attributes
    ----------
    name : str
    folder : str
        Folder below the benchmark's root.
    files : callable
        ``replicate -> file names`` that the replicate needs.
    replicates : tuple of int
    design : {"randomised", "observational"}
    load : callable
        ``(folder, replicate) -> BenchmarkSet``.
    summary, licence : str
        For the documentation.
    """

    name: str
    folder: str
    files: Callable[[int], tuple[str, ...]]
    replicates: tuple[int, ...]
    design: Design
    load: Callable[[Path, int], BenchmarkSet]
    summary: str
    licence: str


def numeric_covariates(*, bench: BenchmarkSet) -> pd.DataFrame:
    """Covariates as numbers, ``(n, p)``: text becomes an indicator for each of its levels.

    Levels are named ``<column>=<level>``, in sorted order; missing values stay NaN. Ours and the
    peers are given the same matrix.
    """
    columns: dict[str, pd.Series] = {}
    for name in bench.covariates:
        column = bench.frame[name]
        if pd.api.types.is_numeric_dtype(column):
            columns[name] = column.astype("float64")
            continue
        for level in sorted(column.dropna().unique()):
            columns[f"{name}={level}"] = (column == level).astype("float64")
    return pd.DataFrame(columns)


def to_trial_data(*, bench: BenchmarkSet, covariates: pd.DataFrame) -> TrialData:
    """Arrays of one trial; nobody redeems a coupon in these sets.

    Parameters
    ----------
    bench : BenchmarkSet
        ``n`` rows.
    covariates : DataFrame (n, p)
        Of :func:`numeric_covariates`.
    """
    n = bench.n_rows
    known = bench.known_propensity
    return TrialData(
        covariates=covariates,
        treatment=bench.frame[bench.treatment].to_numpy(dtype=np.int64),
        outcome=bench.frame[bench.outcome].to_numpy(dtype=np.float64),
        redeemed=np.zeros(n),
        groups=bench.group_codes(),
        campaign=np.ones(n, dtype=np.int64),
        known_propensity=None if known is None else np.full(n, known),
    )
