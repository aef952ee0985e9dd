"""PU-TIMING: who is treated was decided by the time the outcome starts to count."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class TreatmentTiming:
    """When the treatment of the treated was decided.

    Attributes
    ----------
    late_share : float
        Share of the treated that were decided after time zero.
    last_day : float
        Day of the last decision, counted from time zero; 0 is time zero itself.
    """

    late_share: float
    last_day: float

    @classmethod
    def of(cls, decision_day: ArrayLike) -> TreatmentTiming:
        """Sum up the days, relative to time zero, on which the treated became treated.

        Parameters
        ----------
        decision_day : (n,)
            One per treated row: the campaign's start is 0; a purchase, redemption or visit that
            makes a household count as treated has the day on which it happens.

        Raises
        ------
        CheckError
            If there are none or one is missing.
        """
        days = numbers(decision_day, name="decision_day")
        return cls(float((days > 0.0).mean()), float(days.max()))

    @classmethod
    def stated(cls, *, is_decided_before: bool, last_day: int) -> TreatmentTiming:
        """Return what a treatment's definition says of itself; ``last_day`` as in ``of``."""
        return cls(0.0 if is_decided_before else 1.0, float(last_day))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Nobody may become treated inside the outcome window; if so, it is never to be published."""
    timing, words = evidence.need(TreatmentTiming), evidence.wording
    configured = parameters.on_fail["PU-TIMING"]
    return Finding(
        rule="no treated row became treated after time zero",
        value=timing.late_share,
        threshold=0.0,
        passed=timing.late_share == 0.0,
        sentence=(
            f"{timing.late_share:.0%} of the {words.treated} became so after the start, the last "
            f"on day {timing.last_day:.0f}"
            + (
                f": the {words.treatment} follows from what was bought, so the comparison is an "
                "association."
                if timing.late_share
                else "."
            )
        ),
        at_best="experiment_needed" if configured == "publish" else None,
    )


CHECK = Check(
    code="PU-TIMING",
    title="The treatment is decided before the outcome",
    family="design",
    needs=(TreatmentTiming,),
    look=_look,
)
