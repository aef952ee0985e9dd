"""PU-BALANCE: after weighting, the arms have the same covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers, treated
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class WeightedBalance:
    """Differences between the arms that weighting leaves.

    Attributes
    ----------
    largest : float
        Largest absolute standardised mean difference.
    worst : str
        Covariate that shows it.
    n_covariates : int
        Covariates.
    """

    largest: float
    worst: str
    n_covariates: int

    @classmethod
    def of(
        cls,
        *,
        covariates: pd.DataFrame,
        treatment: ArrayLike,
        weights: ArrayLike | None = None,
    ) -> WeightedBalance:
        """Largest standardised difference of the weighted arms.

        Parameters
        ----------
        covariates : DataFrame (n, p)
            Numeric; missing values are left out of their column.
        treatment : (n,)
            1 = treated.
        weights : (n,), optional
            Weight of each row in its arm (0 leaves it out); None: all the same.

        Raises
        ------
        CheckError
            If there are no rows, an arm has no weight, or a weight is negative.

        References
        ----------
        Austin (2009), Statistics in Medicine 28(25): differences in standard deviations of the
        unweighted arms.
        """
        found = standardised_differences(
            covariates=covariates, treatment=treatment, weights=weights
        )
        worst = max(found, key=lambda name: found[name])
        return cls(found[worst], worst, len(found))


def standardised_differences(
    *, covariates: pd.DataFrame, treatment: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    r"""Absolute standardised mean difference of each covariate, without unit.

    :math:`|\bar x_1 - \bar x_0| / \sqrt{(s_1^2 + s_0^2) / 2}` with weighted means and the standard
    deviations of the unweighted arms. A covariate that is constant in both arms gives 0 if it is
    the same constant, else infinity.
    """
    is_treated = treated(treatment)
    n = len(is_treated)
    weight = np.ones(n) if weights is None else numbers(weights, name="weights", n=n)
    if covariates.empty or len(covariates) != n:
        raise CheckError(
            f"`covariates` must have {n} rows and at least one column, found {covariates.shape}."
        )
    if (weight < 0.0).any() or any(weight[arm].sum() == 0.0 for arm in (is_treated, ~is_treated)):
        raise CheckError("`weights` must not be negative, and not all 0 in an arm.")
    found = {}
    for name in covariates.columns:
        values = covariates[name].to_numpy(dtype=np.float64)
        observed = np.isfinite(values)
        arms = [observed & arm for arm in (is_treated, ~is_treated)]
        if any(weight[arm].sum() == 0.0 for arm in arms):
            raise CheckError(f"`covariates` must be observed in both arms, `{name}` is not.")
        gap = abs(
            float(np.subtract(*(np.average(values[arm], weights=weight[arm]) for arm in arms)))
        )
        spread = float(np.sqrt(np.mean([values[arm].var() for arm in arms])))
        found[str(name)] = gap / spread if spread > 0.0 else (float("inf") if gap else 0.0)
    return found


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the largest difference against its bound."""
    balance, most = evidence.need(WeightedBalance), parameters.max_weighted_smd
    return Finding(
        rule=f"largest standardised mean difference after weighting < {most:g}",
        value=balance.largest,
        threshold=most,
        passed=balance.largest < most,
        sentence=(
            f"After weighting, `{balance.worst}` of {balance.n_covariates} covariates differs most "
            f"between the arms: by {balance.largest:.2f} standard deviations; less than {most:g} "
            "counts as balanced."
        ),
    )


CHECK = Check(
    code="PU-BALANCE",
    title="Weighting balances the arms",
    family="overlap",
    needs=(WeightedBalance,),
    look=_look,
)
