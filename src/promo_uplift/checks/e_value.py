"""PU-EVALUE: a reported E-value is that of the standardised effect, its limit included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.effects.adjusted.e_value import LOG_RISK_RATIO_PER_SD, e_value_of_risk_ratio


@dataclass(frozen=True, slots=True)
class StatedEValue:
    """A reported E-value and the one that the effect has.

    Attributes
    ----------
    stated, stated_limit : float
        As reported: of the estimate, and of the end of its interval nearer to nothing; NaN where
        no limit is reported.
    computed, computed_limit : float
        Of the standardised effect.
    """

    stated: float
    stated_limit: float
    computed: float
    computed_limit: float

    @classmethod
    def of(
        cls, *, stated: float, effect: Interval, outcome_sd: float, stated_limit: float | None
    ) -> StatedEValue:
        r"""Compute the E-value through :math:`RR = \exp(0.91\, d)`, d = effect / outcome_sd.

        Parameters
        ----------
        stated, stated_limit : float
            As reported; None: no limit was.
        effect : Interval
            The effect with its interval, in the outcome's unit.
        outcome_sd : float
            Standard deviation of the outcome.

        Raises
        ------
        CheckError
            If ``outcome_sd`` is not above 0.

        References
        ----------
        VanderWeele & Ding (2017), Annals of Internal Medicine 167(4).
        """
        if not (np.isfinite(outcome_sd) and outcome_sd > 0.0):
            raise CheckError(f"`outcome_sd` must be finite and above 0, found {outcome_sd}.")
        crosses = effect.ci_low <= 0.0 <= effect.ci_high
        near = 0.0 if crosses else min(abs(effect.ci_low), abs(effect.ci_high))
        return cls(
            stated,
            float("nan") if stated_limit is None else stated_limit,
            _e_value(abs(effect.estimate) / outcome_sd),
            _e_value(near / outcome_sd),
        )


def _e_value(standardised: float) -> float:
    return e_value_of_risk_ratio(float(np.exp(LOG_RISK_RATIO_PER_SD * standardised)))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Largest relative departure of the stated E-values; an unstated limit fails."""
    limit = parameters.max_e_value_departure
    fact = evidence.need(StatedEValue)
    gaps = [
        abs(fact.stated / fact.computed - 1.0),
        abs(fact.stated_limit / fact.computed_limit - 1.0),
    ]
    is_stated = bool(np.isfinite(fact.stated_limit))
    worst = max(gaps) if is_stated else gaps[0]
    said = f"limit {fact.stated_limit:.2f}" if is_stated else "no limit"
    return Finding(
        rule=f"E-value and limit depart from those of RR = exp(.91 d) by <= {limit:.0%}",
        value=worst,
        threshold=limit,
        passed=is_stated and worst <= limit,
        sentence=(
            f"An E-value of {fact.stated:.2f} ({said}) is stated; the standardised effect has "
            f"{fact.computed:.2f} (limit {fact.computed_limit:.2f})."
        ),
    )


CHECK = Check(
    code="PU-EVALUE",
    title="The E-value is that of the effect",
    family="report",
    needs=(StatedEValue,),
    look=_look,
)
