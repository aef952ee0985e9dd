"""A regression whose columns repeat each other has no answer: said by name before the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.linalg import qr, solve_triangular

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray

#: Relative size under which a column counts as nothing beyond the others: far above rounding of
#: double precision (1e-16 x columns), far below any variation that a regression could use.
_NOTHING: Final = 1e-10
#: What it means when two columns of a difference in differences are the same.
_MEANING: Final[Mapping[frozenset[str], str]] = {
    frozenset({"post", "treatment"}): "there is no untreated group",
    frozenset({"post", "treatment_x_post"}): "there is no untreated group",
    frozenset({"constant", "treatment"}): "there is no untreated group",
    frozenset({"treatment", "treatment_x_post"}): "there is no week before the treatment",
    frozenset({"constant", "post"}): "there is no week before the treatment",
}


@dataclass(frozen=True, slots=True)
class RankReport:
    """What the columns of a design span.

    Attributes
    ----------
    rank, n_columns : int
        Columns that are linearly independent, and all columns.
    groups : tuple of tuple of str
        Columns that repeat each other: the redundant one first, then those that make it.
    sentences : tuple of str
        The same in words, one per group.
    condition_number : float
        Largest over smallest singular value of the columns scaled to length 1; infinite if one is
        redundant.
    """

    rank: int
    n_columns: int
    groups: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]
    condition_number: float

    @property
    def is_full(self) -> bool:
        """Whether no column is redundant."""
        return self.rank == self.n_columns


def rank_report(design: pd.DataFrame) -> RankReport:
    """Rank of a design by QR with column pivoting, with the columns that repeat each other.

    A constant column beside another constant one is redundant; so is one of zeros.

    Raises
    ------
    MetricError
        If the design is empty or holds a value that is not finite.

    References
    ----------
    Golub & Van Loan (2013), Matrix Computations, 5.4.2 (rank by QR with column pivoting).
    """
    names = [str(name) for name in design.columns]
    values = design.to_numpy(dtype=np.float64)
    if not values.size:
        raise MetricError(f"`design` must have rows and columns, found {values.shape}.")
    if broken := [
        name for name, x in zip(names, values.T, strict=True) if not np.isfinite(x).all()
    ]:
        raise MetricError(f"`design` must be finite; columns {broken} are not.")
    length = np.sqrt(np.square(values).sum(axis=0))
    scaled = values / np.where(length > 0.0, length, 1.0)
    r, order = qr(scaled, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int((diagonal > _NOTHING).sum())
    combinations = _combinations(r=r, order=order, rank=rank, length=length)
    singular = np.linalg.svd(scaled, compute_uv=False)
    return RankReport(
        rank=rank,
        n_columns=len(names),
        groups=tuple(
            (names[column], *(names[at] for at in parts)) for column, parts in combinations
        ),
        sentences=tuple(
            _sentence(values=values, names=names, column=column, parts=parts)
            for column, parts in combinations
        ),
        condition_number=float(singular[0] / singular[-1]) if rank == len(names) else float("inf"),
    )


def refuse_rank_deficient(design: pd.DataFrame) -> RankReport:
    """Return the report of a design of full column rank.

    Raises
    ------
    MetricError
        If columns repeat each other; the message names them and says how.
    """
    report = rank_report(design)
    if not report.is_full:
        raise MetricError(
            f"`design` must have independent columns: {report.n_columns} columns have rank "
            f"{report.rank}. {'; '.join(report.sentences)}. Drop a column, or add the rows that "
            "tell them apart."
        )
    return report


def _combinations(
    *, r: FloatArray, order: np.ndarray, rank: int, length: FloatArray
) -> list[tuple[int, dict[int, float]]]:
    """Return each redundant column with what makes it: positions and multiples of other columns."""
    found: list[tuple[int, dict[int, float]]] = []
    for redundant in range(rank, len(order)):
        column = int(order[redundant])
        if length[column] == 0.0:
            found.append((column, {}))
            continue
        weights = solve_triangular(r[:rank, :rank], r[:rank, redundant])
        parts = {
            int(order[at]): float(w * length[column] / length[order[at]])
            for at, w in enumerate(weights)
            if abs(w) > np.sqrt(_NOTHING)
        }
        if len(parts) == 1:
            other, times = next(iter(parts.items()))
            if other > column:
                column, parts = other, {column: 1.0 / times}
        found.append((column, dict(sorted(parts.items()))))
    return sorted(found, key=lambda one: one[0])


def _sentence(
    *, values: FloatArray, names: list[str], column: int, parts: Mapping[int, float]
) -> str:
    name = names[column]
    if not parts:
        return f"`{name}` is 0 in every row"
    if len(parts) == 1:
        other, times = next(iter(parts.items()))
        meaning = _MEANING.get(frozenset({name, names[other]}))
        if np.isclose(times, 1.0):
            first, second = sorted((name, names[other]))
            same = f"`{first}` and `{second}` are the same column"
            return f"{same}: {meaning}" if meaning else same
        if np.ptp(values[:, column]) == 0.0:
            return f"`{name}` is constant"
        return f"`{name}` is {times:.6g} x `{names[other]}`"
    terms = [
        ("- " if times < 0.0 else "+ ")
        + ("" if np.isclose(abs(times), 1.0) else f"{abs(times):.6g} x ")
        + f"`{names[at]}`"
        for at, times in parts.items()
    ]
    return f"`{name}` is " + " ".join(terms).removeprefix("+ ")
