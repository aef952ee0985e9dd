"""PU-PLACEBO-DATE: a campaign that starts before its start does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import norm

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import Interval


@dataclass(frozen=True, slots=True)
class PlaceboDate:
    """The same panel estimate with the start moved into the weeks before.

    Attributes
    ----------
    effect, placebo : Interval
        The estimate reported, and the one at the moved start (on weeks before the true one only).
    weeks_earlier : int
        Weeks by which the start was moved.
    """

    effect: Interval
    placebo: Interval
    weeks_earlier: int

    @classmethod
    def of(
        cls,
        *,
        effect: tuple[float, float],
        placebo: tuple[float, float],
        weeks_earlier: int,
        level: float = 0.95,
    ) -> PlaceboDate:
        """Of two estimates with their standard errors, ``(estimate, se)``, at a level."""
        z = float(norm.ppf(0.5 + level / 2.0))
        reported, moved = (
            Interval(estimate, estimate - z * se, estimate + z * se)
            for estimate, se in (effect, placebo)
        )
        return cls(reported, moved, weeks_earlier)


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Hold the interval of the placebo against 0."""
    found, words = evidence.need(PlaceboDate), evidence.wording
    share = (
        f", {abs(found.placebo.estimate / found.effect.estimate):.0%} of the effect of "
        f"{words.amount(found.effect.estimate)}"
        if found.effect.estimate
        else ""
    )
    return Finding(
        rule="interval of the effect at a start before the start holds 0",
        value=found.placebo.estimate,
        threshold=0.0,
        passed=found.placebo.ci_low <= 0.0 <= found.placebo.ci_high,
        sentence=(
            f"Had it started {found.weeks_earlier} weeks earlier, the {words.treatment} would seem "
            f"to do {words.interval(found.placebo)}{share}, where nothing is the truth."
        ),
    )


CHECK = Check(
    code="PU-PLACEBO-DATE",
    title="No effect at a false start",
    family="placebo",
    needs=(PlaceboDate,),
    look=_look,
)
