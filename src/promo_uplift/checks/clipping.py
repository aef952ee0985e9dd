"""PU-CLIPPED: few weights had to be cut."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.parameters import CheckParameters, VerdictName

CODE = "PU-CLIPPED"


def check_clipping(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Share of rows with next to no counterpart must stay small; a region of them refuses."""
    share = evidence.overlap.clipped_share
    passed = share <= parameters.max_clipped_share
    allows: VerdictName = allowed(code=CODE, passed=passed, on_fail=parameters.on_fail)
    if share > parameters.refuse_clipped_share:
        allows = "refuse"
    return CheckResult(
        code=CODE,
        title="Few extreme weights",
        rule=(
            f"share of rows with a clipped propensity <= {parameters.max_clipped_share:g} "
            f"(above {parameters.refuse_clipped_share:g}: refuse)"
        ),
        value=share,
        threshold=parameters.max_clipped_share,
        passed=passed,
        sentence=(
            f"{share:.1%} of rows had so extreme a chance that it was cut; at most "
            f"{parameters.max_clipped_share:.1%} is accepted."
        ),
        allows=allows,
    )
