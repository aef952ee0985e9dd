"""PU-OVERLAP: most households could have been mailed or left out."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects import OverlapSummary


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Share of rows with a propensity inside the overlap; far too few refuse everything."""
    words, overlap = evidence.wording, evidence.need(OverlapSummary)
    share = overlap.overlap_share
    return Finding(
        rule=(
            f"share with a chance of the treatment in [{overlap.low:g}, {overlap.high:g}] >= "
            f"{parameters.min_overlap_share:g} "
            f"(below {parameters.refuse_overlap_share:g}: refuse)"
        ),
        value=share,
        threshold=parameters.min_overlap_share,
        passed=share >= parameters.min_overlap_share,
        sentence=(
            f"{share:.0%} of {words.subjects} could as well have been {words.treated} as left "
            f"out; {parameters.min_overlap_share:.0%} are required."
        ),
        at_best="refuse" if share < parameters.refuse_overlap_share else None,
    )


CHECK = Check(
    code="PU-OVERLAP",
    title="The arms are comparable",
    family="overlap",
    needs=(OverlapSummary,),
    look=_look,
)
