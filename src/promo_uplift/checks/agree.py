"""PU-AGREE: different lenses on the same households see the same effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class LensAgreement:
    """Joint test that lenses estimate the same number.

    Attributes
    ----------
    p_value : float
        Of all differences being 0; NaN with one lens.
    estimates : tuple of (str, float)
        Lenses and their estimates, in the outcome's unit.
    """

    p_value: float
    estimates: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, *, estimates: Mapping[str, float], covariance: ArrayLike) -> LensAgreement:
        """Wald test of equal effects.

        Parameters
        ----------
        estimates : mapping
            Lens -> estimate of the same estimand.
        covariance : (k, k)
            Joint covariance of the estimates, in their order; on the same households they are
            correlated, which is what makes the test sharp.

        Raises
        ------
        CheckError
            If the shapes differ or a value is not finite.
        """
        values = numbers(list(estimates.values()), name="estimates")
        matrix = np.atleast_2d(np.asarray(covariance, dtype=np.float64))
        k = len(values)
        if matrix.shape != (k, k) or not np.isfinite(matrix).all():
            raise CheckError(
                f"`covariance` must be finite with shape {(k, k)}, found {matrix.shape}."
            )
        named = tuple(zip(estimates, values.tolist(), strict=True))
        if k == 1:
            return cls(float("nan"), named)
        contrast = np.column_stack([-np.ones(k - 1), np.eye(k - 1)])
        gap, spread = contrast @ values, contrast @ matrix @ contrast.T
        statistic = gap @ np.linalg.pinv(spread, hermitian=True) @ gap
        rank = int(np.linalg.matrix_rank(spread, hermitian=True))
        p_value = float(chi2.sf(statistic, df=rank)) if rank else float(not gap.any())
        return cls(p_value, named)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the p-value of the joint difference against its bound."""
    found, least, words = (
        evidence.need(LensAgreement),
        parameters.min_agreement_p,
        evidence.wording,
    )
    rule = f"p of equal effects through all lenses >= {least:g}"
    if len(found.estimates) == 1:
        return Finding.nothing(rule=rule, sentence="There is one lens only, nothing to reconcile.")
    ordered = sorted(found.estimates, key=lambda one: one[1])
    (low_name, low), (high_name, high) = ordered[0], ordered[-1]
    return Finding(
        rule=rule,
        value=found.p_value,
        threshold=least,
        passed=found.p_value >= least,
        sentence=(
            f"{len(ordered)} lenses on the same {words.subjects} range from "
            f"{words.amount(low)} ({low_name}) to {words.amount(high)} ({high_name}); p of no "
            f"difference is {found.p_value:.3f}."
        ),
    )


CHECK = Check(
    code="PU-AGREE",
    title="Lenses agree",
    family="estimate",
    needs=(LensAgreement,),
    look=_look,
)
