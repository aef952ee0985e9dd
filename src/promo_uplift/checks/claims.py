"""PU-CLAIM: a direction or a difference that a text claims is one that its interval supports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scipy.stats import norm

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import Interval

Direction = Literal["above", "below", "differs"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, and the figure that is to carry it.

    Attributes
    ----------
    text : str
        As claimed, e.g. ``stronger in urban stores``.
    says : {"above", "below", "differs"}
        That the figure lies above 0, below 0, or is not 0.
    figure : Interval
        Effect or difference of effects.
    """

    text: str
    says: Direction
    figure: Interval

    @classmethod
    def of_p_value(
        cls, *, text: str, says: Direction, estimate: float, p_value: float, level: float
    ) -> Claim:
        """Claim on a coefficient with a two-sided p-value and no interval.

        Raises
        ------
        CheckError
            If ``p_value`` is not strictly between 0 and 1.
        """
        if not 0.0 < p_value < 1.0:
            raise CheckError(f"`p_value` must lie strictly between 0 and 1, found {p_value}.")
        half = abs(estimate) * float(norm.ppf(0.5 + level / 2.0) / norm.isf(p_value / 2.0))
        return cls(text, says, Interval(estimate, estimate - half, estimate + half))

    @property
    def is_supported(self) -> bool:
        """Whether the whole interval lies where the claim says."""
        above, below = self.figure.ci_low > 0.0, self.figure.ci_high < 0.0
        return {"above": above, "below": below, "differs": above or below}[self.says]


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a text.

    Attributes
    ----------
    claims : tuple of Claim
        At least one.
    """

    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, *claims: Claim) -> Claims:
        """Claims of a text."""
        return cls(claims)


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    words, claims = evidence.wording, evidence.need(Claims).claims
    unsupported = [claim for claim in claims if not claim.is_supported]
    found = "; ".join(f'"{one.text}" rests on {words.interval(one.figure)}' for one in unsupported)
    return Finding(
        rule="a claimed direction or difference has an interval that lies where it says",
        value=float(len(unsupported)),
        threshold=0.0,
        passed=not unsupported,
        sentence=(
            f"{len(unsupported)} of {len(claims)} claims have no support: {found}."
            if unsupported
            else f"Intervals support all {len(claims)} claims."
        ),
    )


CHECK = Check(
    code="PU-CLAIM",
    title="Claims rest on intervals",
    family="report",
    needs=(Claims,),
    look=_look,
)
