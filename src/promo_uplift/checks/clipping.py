"""PU-CLIPPED: few weights had to be cut."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects import OverlapSummary


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Share of rows with next to no counterpart must stay small; a region of them refuses."""
    share = evidence.need(OverlapSummary).clipped_share
    return Finding(
        rule=(
            f"share of rows with a clipped propensity <= {parameters.max_clipped_share:g} "
            f"(above {parameters.refuse_clipped_share:g}: refuse)"
        ),
        value=share,
        threshold=parameters.max_clipped_share,
        passed=share <= parameters.max_clipped_share,
        sentence=(
            f"{share:.1%} of rows had so extreme a chance that it was cut; at most "
            f"{parameters.max_clipped_share:.1%} is accepted."
        ),
        at_best="refuse" if share > parameters.refuse_clipped_share else None,
    )


CHECK = Check(
    code="PU-CLIPPED",
    title="Few extreme weights",
    family="overlap",
    needs=(OverlapSummary,),
    look=_look,
)
