"""PU-CLIPPED: few weights had to be cut."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-CLIPPED"


def check_clipping(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Share of rows whose propensity was moved by clipping must stay small."""
    share = evidence.overlap.clipped_share
    passed = share <= parameters.max_clipped_share
    return CheckResult(
        code=CODE,
        title="Few extreme weights",
        rule=f"share of rows with a clipped propensity <= {parameters.max_clipped_share:g}",
        value=share,
        threshold=parameters.max_clipped_share,
        passed=passed,
        sentence=(
            f"{share:.1%} of rows had so extreme a chance that it was cut; at most "
            f"{parameters.max_clipped_share:.1%} is accepted."
        ),
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
