"""PU-HISTORY: both arms are described by a history of the same length."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy.stats import wasserstein_distance

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers, treated
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class HistoryLengths:
    """Days of the window that each row's covariates are computed in.

    Attributes
    ----------
    treated_days, control_days : float
        Mean of each arm.
    gap_days : float
        Mean distance between the arms' windows, rank by rank (Wasserstein).
    n_rows : int
        Rows.
    """

    treated_days: float
    control_days: float
    gap_days: float
    n_rows: int

    @classmethod
    def of(cls, *, days: ArrayLike, treatment: ArrayLike) -> HistoryLengths:
        """Compare the windows of the arms.

        Parameters
        ----------
        days : (n,)
            Days between the first day that a row's covariates may use and its time zero.
        treatment : (n,)
            1 = treated.

        Raises
        ------
        CheckError
            If the lengths differ, a value is missing or an arm is empty.
        """
        is_treated = treated(treatment)
        lengths = numbers(days, name="days", n=len(is_treated))
        one, other = lengths[is_treated], lengths[~is_treated]
        return cls(
            float(one.mean()),
            float(other.mean()),
            float(wasserstein_distance(one, other)),
            len(lengths),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the distance of the windows, as a share of the longer mean, against its bound."""
    history, most = evidence.need(HistoryLengths), parameters.max_history_gap_share
    longer = max(history.treated_days, history.control_days)
    share = history.gap_days / longer if longer > 0.0 else 0.0
    words = evidence.wording
    return Finding(
        rule=f"mean distance of the arms' covariate windows <= {most:g} of the longer mean",
        value=share,
        threshold=most,
        passed=share <= most,
        sentence=(
            f"The {words.treated} are described by {history.treated_days:.0f} days of history, "
            f"the others by {history.control_days:.0f}: a gap of {share:.0%}. A count over a "
            f"longer window is larger whatever the {words.subject} is like."
        ),
    )


CHECK = Check(
    code="PU-HISTORY",
    title="Both arms have the same history",
    family="design",
    needs=(HistoryLengths,),
    look=_look,
)
