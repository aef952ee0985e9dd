"""PU-WINSOR: a few extreme receipts do not make the effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import NOTHING_CLAIMED, claims_nothing
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import Interval


@dataclass(frozen=True, slots=True)
class Winsorised:
    """The effect, and the same with the outcome's tails cut.

    Attributes
    ----------
    effect : Interval
        As reported.
    estimates : tuple of (float, float)
        Share cut at each end and the estimate then.
    """

    effect: Interval
    estimates: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, *, effect: Interval, estimates: Mapping[float, float]) -> Winsorised:
        """Pair the effect with ``{share cut at each end: estimate}``.

        Raises
        ------
        CheckError
            If nothing was cut.
        """
        if not estimates:
            raise CheckError("`estimates` must hold at least one share, found none.")
        return cls(effect, tuple(sorted(estimates.items())))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Each winsorised estimate must keep its sign and a share of the size."""
    found, least, words = (
        evidence.need(Winsorised),
        parameters.min_winsor_share,
        evidence.wording,
    )
    rule = f"winsorised, the effect keeps its sign and a share of its size >= {least:g}"
    if claims_nothing(found.effect):
        return Finding.nothing(rule=rule, sentence=NOTHING_CLAIMED)
    kept = min(value / found.effect.estimate for _, value in found.estimates)
    steps = ", ".join(f"{words.number(value)} at {share:.0%}" for share, value in found.estimates)
    return Finding(
        rule=rule,
        value=kept,
        threshold=least,
        passed=kept >= least,
        sentence=(
            f"With the outcome's tails cut, {words.amount(found.effect.estimate)} becomes {steps}: "
            f"{kept:.0%} of it is left at worst; {least:.0%} is required."
        ),
    )


CHECK = Check(
    code="PU-WINSOR",
    title="No few receipts make the effect",
    family="estimate",
    needs=(Winsorised,),
    look=_look,
)
