"""PU-POST-TREATMENT: no covariate of a lottery is itself moved by the treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.checks.balance import standardised_differences
from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class CovariateDepartures:
    """How far each covariate differs between the arms of a lottery.

    Attributes
    ----------
    differences : tuple of (str, float)
        Covariates and their absolute standardised mean differences, largest first.
    is_lottery : bool
        Whether lots were drawn; elsewhere the arms differ anyway.
    """

    differences: tuple[tuple[str, float], ...]
    is_lottery: bool

    @classmethod
    def of(
        cls, *, covariates: pd.DataFrame, treatment: ArrayLike, is_lottery: bool
    ) -> CovariateDepartures:
        """Standardised differences of every covariate.

        Parameters
        ----------
        covariates : DataFrame (n, p)
            Numeric; missing values are left out of their column.
        treatment : (n,)
            1 = treated.
        is_lottery : bool
            Whether lots were drawn.

        Raises
        ------
        CheckError
            If there are no rows or an arm is empty.
        """
        found = standardised_differences(covariates=covariates, treatment=treatment)
        ordered = sorted(found.items(), key=lambda one: -one[1])
        return cls(tuple(ordered), is_lottery)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the largest difference against the usual one."""
    ratio, least = parameters.max_outlying_smd_ratio, parameters.min_outlying_smd
    rule = (
        f"no covariate of a lottery differs by more than {ratio:g} x the median difference, and "
        f"by more than {least:g} standard deviations"
    )
    found = evidence.need(CovariateDepartures)
    if not found.is_lottery:
        return Finding.nothing(
            rule=rule, sentence="Nobody drew lots, so the arms differ in every covariate anyway."
        )
    median = float(np.median([size for _, size in found.differences]))
    bound = max(ratio * median, least)
    out = [name for name, size in found.differences if size > bound]
    name, largest = found.differences[0]
    named = f"; these follow the {evidence.wording.treatment}: {', '.join(out[:5])}" if out else ""
    return Finding(
        rule=rule,
        value=largest,
        threshold=bound,
        passed=not out,
        sentence=(
            f"Of {len(found.differences)} covariates `{name}` differs most between the arms, by "
            f"{largest:.3f} standard deviations; the usual one differs by {median:.3f}{named}."
        ),
    )


CHECK = Check(
    code="PU-POST-TREATMENT",
    title="No covariate follows the treatment",
    family="design",
    needs=(CovariateDepartures,),
    look=_look,
)
