"""PU-MANY: what is picked out of many findings stands when all that were looked at count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class PickedFindings:
    """Findings of which some were picked as significant.

    Attributes
    ----------
    p_values : float64 (n,)
        Of everything that was looked at: households, segments, campaigns, learners ...
    picked : bool (n,)
        What is reported as found.
    """

    p_values: FloatArray
    picked: BoolArray

    @classmethod
    def of(cls, *, estimate: FloatArray, se: FloatArray, picked: BoolArray) -> PickedFindings:
        """Two-sided normal p-values of estimates with their errors.

        Raises
        ------
        CheckError
            If an error is not above 0.
        """
        if not np.all(se > 0.0):
            raise CheckError(
                f"`se` must be above 0; {int(np.sum(~(se > 0.0)))} of {len(se)} are not."
            )
        return cls(2.0 * norm.sf(np.abs(estimate) / se), np.asarray(picked, dtype=np.bool_))


def adjusted(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p-values: whatever hangs together, no false one with that error.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    result = np.empty(len(p_values))
    result[order] = np.minimum(steps, 1.0)
    return result


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    limit = parameters.family_error
    rule = f"Holm-adjusted p-value of every picked finding < {limit:g}"
    fact = evidence.need(PickedFindings)
    if not fact.picked.any():
        return Finding.nothing(rule=rule, sentence="Nothing was picked out as found.")
    values = adjusted(fact.p_values)[fact.picked]
    kept, n, n_picked = int((values < limit).sum()), len(fact.p_values), len(values)
    return Finding(
        rule=rule,
        value=float(values.max()),
        threshold=limit,
        passed=kept == n_picked,
        sentence=(
            f"{n_picked:,} of {n:,} are reported as found; with all {n:,} counted, {kept:,} stand. "
            f"At {limit:.0%} each, chance alone finds about {limit * n:,.3g}."
        ),
    )


CHECK = Check(
    code="PU-MANY",
    title="Found among many, counted as many",
    family="report",
    needs=(PickedFindings,),
    look=_look,
)
