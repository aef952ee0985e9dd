"""Missing covariates for rules that take none: the training median, counted and said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import FloatArray


@dataclass(frozen=True, slots=True)
class Medians:
    """Training medians, and how much of the training rows they fill in.

    Attributes
    ----------
    names : tuple of str
        Covariates, in order.
    values : float64 (p,)
        Median of each; 0 where nothing is known.
    n_missing : tuple of int
        Training values that are missing, by covariate.
    n_rows : int
        Training rows.
    """

    names: tuple[str, ...]
    values: FloatArray
    n_missing: tuple[int, ...]
    n_rows: int

    @classmethod
    def of(cls, covariates: pd.DataFrame) -> Medians:
        """Medians of the training rows."""
        known = covariates.median().fillna(0.0)
        missing = covariates.isna().sum()
        return cls(
            tuple(str(name) for name in covariates.columns),
            known.to_numpy(dtype=np.float64),
            tuple(int(count) for count in missing),
            len(covariates),
        )

    def filled(self, covariates: pd.DataFrame) -> FloatArray:
        """Covariates ``(m, p)`` with medians where they are missing.

        Raises
        ------
        PolicyError
            If a covariate of the training rows is absent.
        """
        absent = [name for name in self.names if name not in covariates.columns]
        if absent:
            raise PolicyError(
                f"`covariates` must hold what the policy was fitted on; {absent} are missing. "
                "Build the table with the same features."
            )
        values = covariates[list(self.names)].to_numpy(dtype=np.float64)
        return np.where(np.isnan(values), self.values, values)

    def describe(self, used: list[str]) -> str:
        """Say how many training values of the covariates that a rule uses were filled in."""
        gaps = {
            name: count
            for name, count in zip(self.names, self.n_missing, strict=True)
            if count and name in used
        }
        if not gaps:
            return ""
        counted = ", ".join(f"{name} {count:,}" for name, count in gaps.items())
        return f" Missing values count as the training median ({counted} of {self.n_rows:,} rows)."
