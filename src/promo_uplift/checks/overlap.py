"""PU-OVERLAP: most households could have been mailed or left out."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.parameters import CheckParameters, VerdictName

CODE = "PU-OVERLAP"


def check_overlap(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Share of rows with a propensity inside the overlap; far too few refuse everything."""
    words, share = evidence.wording, evidence.overlap.overlap_share
    passed = share >= parameters.min_overlap_share
    allows: VerdictName = allowed(code=CODE, passed=passed, on_fail=parameters.on_fail)
    if share < parameters.refuse_overlap_share:
        allows = "refuse"
    return CheckResult(
        code=CODE,
        title="The arms are comparable",
        rule=(
            f"share with a chance of the treatment in [{evidence.overlap.low:g}, "
            f"{evidence.overlap.high:g}] >= {parameters.min_overlap_share:g} "
            f"(below {parameters.refuse_overlap_share:g}: refuse)"
        ),
        value=share,
        threshold=parameters.min_overlap_share,
        passed=passed,
        sentence=(
            f"{share:.0%} of {words.subjects} could as well have been {words.treated} as left "
            "out; "
            f"{parameters.min_overlap_share:.0%} are required."
        ),
        allows=allows,
    )
