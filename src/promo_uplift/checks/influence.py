"""PU-INFLUENCE: no single household makes the effect."""

from __future__ import annotations

from dataclasses import dataclass, replace

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.left_out import LeftOut, move_finding
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class HouseholdsLeftOut(LeftOut):
    """Estimates without one household each."""


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the largest move against its bound; too few households fail in any case."""
    found, words = evidence.need(HouseholdsLeftOut), evidence.wording
    finding = move_finding(
        found=found,
        kind=words.subject,
        most=parameters.max_household_move_share,
        least=parameters.min_same_sign_share,
        words=words,
    )
    fewest = parameters.min_households
    rule = f"{finding.rule}; {words.subjects} >= {fewest}"
    if found.n_parts >= fewest:
        return replace(finding, rule=rule)
    return Finding(
        rule=rule,
        value=float(found.n_parts),
        threshold=float(fewest),
        passed=False,
        sentence=(
            f"The effect rests on {found.n_parts:,} {words.subjects}, too few for an error to mean "
            f"anything ({fewest} are required); without one of them it moves by up to "
            f"{found.move_share:.0%}."
        ),
    )


CHECK = Check(
    code="PU-INFLUENCE",
    title="No household makes the effect",
    family="estimate",
    needs=(HouseholdsLeftOut,),
    look=_look,
)
