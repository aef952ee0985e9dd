"""PU-PRETREND: the arms moved alike before, and a test would have noticed if not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2, ncx2

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class PreTrend:
    """Joint test that every lead of an event study is 0, and what it could have noticed.

    Attributes
    ----------
    p_value : float
        Of all leads being 0.
    power : float
        Chance that the test rejects if the arms drift apart by ``slope`` a week.
    slope : float
        That drift, in the outcome's unit per week.
    n_leads : int
        Weeks tested.
    """

    p_value: float
    power: float
    slope: float
    n_leads: int

    @classmethod
    def of(
        cls,
        *,
        leads: ArrayLike,
        covariance: ArrayLike,
        weeks: ArrayLike,
        slope: float,
        level: float = 0.95,
    ) -> PreTrend:
        """Wald test of the leads, and its power against a linear drift.

        Parameters
        ----------
        leads : (k,)
            Differences of the arms in the weeks before, against the last week before time zero.
        covariance : (k, k)
            Their covariance.
        weeks : (k,)
            Weeks from that last week, e.g. ``[-4, -3, -2, -1]``.
        slope : float
            Drift a week that must not be missed: the one that alone would make the effect found.
        level : float
            Confidence level at which power is counted.

        Raises
        ------
        CheckError
            If the shapes differ.

        References
        ----------
        Roth (2022), American Economic Review: Insights 4(3) (power of tests for pre-trends).
        """
        values = numbers(leads, name="leads")
        at = numbers(weeks, name="weeks", n=len(values))
        matrix = np.atleast_2d(np.asarray(covariance, dtype=np.float64))
        if matrix.shape != (len(values), len(values)):
            raise CheckError(
                f"`covariance` must have shape {(len(values),) * 2}, found {matrix.shape}."
            )
        inverse = np.linalg.pinv(matrix, hermitian=True)
        drift = slope * at
        bound = chi2.isf(1.0 - level, df=len(values))
        return cls(
            p_value=float(chi2.sf(values @ inverse @ values, df=len(values))),
            power=float(ncx2.sf(bound, df=len(values), nc=drift @ inverse @ drift)),
            slope=slope,
            n_leads=len(values),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Look whether the test rejects; if it could have noticed no drift, its pass gives bounds."""
    trend, words = evidence.need(PreTrend), evidence.wording
    level, power = parameters.min_pretrend_p, parameters.min_pretrend_power
    is_flat, is_sharp = trend.p_value >= level, trend.power >= power
    return Finding(
        rule=f"joint pre-trend test has p >= {level:g} and power >= {power:g} (too little power "
        "alone: bounds_only)",
        value=trend.p_value,
        threshold=level,
        passed=is_flat and is_sharp,
        sentence=(
            f"In {trend.n_leads} weeks before the start the arms "
            + ("move alike" if is_flat else "already drift apart")
            + f" (p {trend.p_value:.3f}); a drift of {words.size(trend.slope)} a week would be "
            f"noticed with a chance of {trend.power:.0%}"
            + ("." if is_sharp or not is_flat else ", too little to lean on.")
        ),
        at_best="bounds_only" if is_flat else None,
    )


CHECK = Check(
    code="PU-PRETREND",
    title="Parallel before the start, and the test has power",
    family="placebo",
    needs=(PreTrend,),
    look=_look,
)
