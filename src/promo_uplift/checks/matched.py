"""PU-MATCHED: most of the treated found a match."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class MatchedTreated:
    """Treated rows with a control inside the caliper.

    Attributes
    ----------
    n_treated, n_matched : int
        Treated rows, and those matched.
    caliper : float
        Largest distance of a match, in standard deviations of the logit propensity.
    """

    n_treated: int
    n_matched: int
    caliper: float

    @classmethod
    def of(cls, *, is_matched: ArrayLike, caliper: float) -> MatchedTreated:
        """Count the treated rows ``(n_treated,)`` that found a match.

        Raises
        ------
        CheckError
            If there are none.
        """
        matched = numbers(is_matched, name="is_matched") > 0.0
        return cls(len(matched), int(matched.sum()), caliper)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the share matched against the least that is required."""
    matched, least, words = (
        evidence.need(MatchedTreated),
        parameters.min_matched_share,
        evidence.wording,
    )
    share = matched.n_matched / matched.n_treated
    return Finding(
        rule=f"share of the treated with a match inside the caliper >= {least:g}",
        value=share,
        threshold=least,
        passed=share >= least,
        sentence=(
            f"{matched.n_matched:,} of {matched.n_treated:,} {words.treated} {words.subjects} "
            f"({share:.0%}) have a match within {matched.caliper:g} standard deviations; the "
            "effect is of those alone."
        ),
    )


CHECK = Check(
    code="PU-MATCHED",
    title="The treated have matches",
    family="overlap",
    needs=(MatchedTreated,),
    look=_look,
)
