"""PU-RANK: the regression has one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

#: Relative size under which a column adds nothing to those before it: far above rounding of double
#: precision, far below any variation that a regression could use.
_NOTHING: Final = 1e-10


@dataclass(frozen=True, slots=True)
class DesignRank:
    """What the columns of a design span.

    Attributes
    ----------
    rank, n_columns : int
        Independent columns, and all columns.
    redundant : tuple of str
        Columns that the ones before them make up.
    """

    rank: int
    n_columns: int
    redundant: tuple[str, ...]

    @classmethod
    def of(cls, design: pd.DataFrame) -> DesignRank:
        """Rank of the design of a regression, its constant and dummies included.

        Raises
        ------
        CheckError
            If it is empty or holds a value that is not finite.
        """
        values = design.to_numpy(dtype=np.float64)
        if not values.size or not np.isfinite(values).all():
            raise CheckError(
                f"`design` must hold finite numbers, found shape {values.shape} with "
                f"{int((~np.isfinite(values)).sum())} that are not."
            )
        length = np.sqrt(np.square(values).sum(axis=0))
        scaled = values / np.where(length > 0.0, length, 1.0)
        span = np.empty((len(values), 0))
        redundant = []
        for at, name in enumerate(design.columns):
            rest = scaled[:, at]
            for _ in range(2):  # twice is enough (Giraud et al. 2005) against rounding
                rest = rest - span @ (span.T @ rest)
            if (size := float(np.linalg.norm(rest))) <= _NOTHING:
                redundant.append(str(name))
            else:
                span = np.column_stack([span, rest / size])
        n_columns = len(design.columns)
        return cls(n_columns - len(redundant), n_columns, tuple(redundant))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """No column may be made up by the others."""
    design = evidence.need(DesignRank)
    lacking = design.n_columns - design.rank
    named = ", ".join(f"`{name}`" for name in design.redundant[:5])
    return Finding(
        rule="the design has full column rank",
        value=float(lacking),
        threshold=0.0,
        passed=lacking == 0,
        sentence=(
            f"{lacking} of {design.n_columns} columns repeat others ({named}): any coefficient "
            "fits as well as any other."
            if lacking
            else f"All {design.n_columns} columns of the regression say something of their own."
        ),
    )


CHECK = Check(
    code="PU-RANK",
    title="The regression has one answer",
    family="estimate",
    needs=(DesignRank,),
    look=_look,
)
