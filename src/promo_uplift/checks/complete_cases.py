"""PU-COMPLETE-CASES: rows with missing covariates stay in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers, treated
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects.estimate import clustered_influence


@dataclass(frozen=True, slots=True)
class DroppedRows:
    """Rows that were left out because a covariate is missing.

    Attributes
    ----------
    n_rows, n_dropped : int
        Rows before, and rows left out.
    treated_share_kept, treated_share_dropped : float
        Share of the treated among those kept and among those left out; NaN without any.
    p_value : float
        Of no difference between these shares, clustered by household; NaN without any.
    """

    n_rows: int
    n_dropped: int
    treated_share_kept: float
    treated_share_dropped: float
    p_value: float

    @classmethod
    def of(
        cls, *, treatment: ArrayLike, is_dropped: ArrayLike, groups: ArrayLike | None = None
    ) -> DroppedRows:
        """Compare who was left out with who was treated.

        Parameters
        ----------
        treatment : (n,)
            1 = treated, of all rows before any was left out.
        is_dropped : bool (n,)
            Which rows the analysis leaves out.
        groups : (n,), optional
            Household of each row; None: every row is its own.

        Raises
        ------
        CheckError
            If the lengths differ, or every row is left out.
        """
        is_treated = treated(treatment).astype(np.float64)
        out = numbers(is_dropped, name="is_dropped", n=len(is_treated)) > 0.0
        if out.all():
            raise CheckError("`is_dropped` must leave rows in, found all of them left out.")
        kept = float(is_treated[~out].mean())
        nan = float("nan")
        if not out.any():
            return cls(len(out), 0, kept, nan, nan)
        gone = float(is_treated[out].mean())
        parts = np.where(out, (is_treated - gone) / out.sum(), -(is_treated - kept) / (~out).sum())
        _, se = clustered_influence(
            contributions=parts,
            groups=np.arange(len(out)) if groups is None else np.asarray(groups),
        )
        gap = abs(gone - kept)
        p_value = float(2.0 * norm.sf(gap / se)) if se > 0.0 else float(gap == 0.0)
        return cls(len(out), int(out.sum()), kept, gone, p_value)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Few rows may be lost; losing them by who was treated is worst."""
    rows, words, most = evidence.need(DroppedRows), evidence.wording, parameters.max_dropped_share
    share = rows.n_dropped / rows.n_rows
    predicts = rows.p_value < parameters.min_dropped_p
    told = (
        f" {rows.treated_share_dropped:.0%} of them were {words.treated}, against "
        f"{rows.treated_share_kept:.0%} of those kept: being left out "
        + ("foretells the arm." if predicts else "does not foretell the arm.")
        if rows.n_dropped
        else ""
    )
    return Finding(
        rule=f"share of rows left out for missing covariates <= {most:g} (if above, and p of "
        f"unrelated to the arm < {parameters.min_dropped_p:g}: refuse)",
        value=share,
        threshold=most,
        passed=share <= most,
        sentence=f"{rows.n_dropped:,} of {rows.n_rows:,} rows ({share:.0%}) are left out because a "
        f"covariate is missing.{told}",
        at_best="refuse" if predicts else None,
    )


CHECK = Check(
    code="PU-COMPLETE-CASES",
    title="Missing covariates drop nobody",
    family="design",
    needs=(DroppedRows,),
    look=_look,
)
