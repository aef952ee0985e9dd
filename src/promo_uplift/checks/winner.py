"""PU-WINNER: the reported profit of a chosen policy is the honest one, with an honest width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, Interval
from promo_uplift.effects import clustered_mean
from promo_uplift.policy import PolicyEvaluation


@dataclass(frozen=True, slots=True)
class ReportedProfit:
    """Profit that is reported of a chosen policy, and what it is worth elsewhere; same unit.

    Attributes
    ----------
    reported : Interval
        What is reported; bounds are NaN where none are.
    honest : Interval
        Doubly robust value on rows that did not choose.
    """

    reported: Interval
    honest: Interval

    @classmethod
    def of(
        cls,
        *,
        reported: float | Interval,
        profit_scores: FloatArray,
        selected: BoolArray,
        groups: IntArray,
        level: float,
    ) -> ReportedProfit:
        """Value the selection by doubly robust scores; a total over all rows.

        Parameters
        ----------
        reported : float or Interval
            Reported total, USD.
        profit_scores : float64 (n,)
            Profit of contacting each row, USD: margin x doubly robust score of the effect - cost.
        selected : bool (n,)
            Whom the policy contacts, chosen without these rows.
        groups : int64 (n,)
            Household of each row.
        level : float
        """
        mean = clustered_mean(values=np.where(selected, profit_scores, 0.0), groups=groups)
        per_row, n = mean.interval(level=level), len(selected)
        honest = Interval(n * per_row.estimate, n * per_row.ci_low, n * per_row.ci_high)
        return cls(_interval(reported), honest)

    @classmethod
    def of_evaluation(
        cls, *, reported: float | Interval, evaluation: PolicyEvaluation
    ) -> ReportedProfit:
        """Hold a reported profit per household against that of :func:`evaluate_policy`."""
        return cls(_interval(reported), evaluation.chosen.profit_usd)


def _interval(reported: float | Interval) -> Interval:
    if isinstance(reported, Interval):
        return reported
    return Interval(float(reported), float("nan"), float("nan"))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the reported figure, and the width of its interval, against the honest interval."""
    least = parameters.min_profit_width_ratio
    profit = evidence.need(ReportedProfit)
    reported, honest = profit.reported, profit.honest
    inside = honest.ci_low <= reported.estimate <= honest.ci_high
    width = reported.ci_high - reported.ci_low
    ratio = width / (honest.ci_high - honest.ci_low) if honest.ci_high > honest.ci_low else np.inf
    is_narrow = bool(np.isfinite(ratio) and ratio < least)
    sentence = (
        f"{reported.estimate:,.2f} USD are reported; on rows that did not choose, the policy is "
        f"worth {honest.estimate:,.2f} ({honest.ci_low:,.2f} to {honest.ci_high:,.2f})."
    )
    if is_narrow:
        sentence += (
            f" The reported interval is {ratio:.0%} as wide: the noise of the outcomes is not in it"
            f" ({least:.0%} are required)."
        )
    return Finding(
        rule=(
            "the reported profit lies in the honest interval, and its own interval is at least "
            f"{least:.0%} as wide"
        ),
        value=ratio if inside and is_narrow else reported.estimate - honest.estimate,
        threshold=least if inside and is_narrow else honest.ci_high - honest.estimate,
        passed=bool(inside) and not is_narrow,
        sentence=sentence,
    )


CHECK = Check(
    code="PU-WINNER",
    title="Profit without the winner's curse",
    family="policy",
    needs=(ReportedProfit,),
    look=_look,
)
