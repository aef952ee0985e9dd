"""PU-PLACEBO: the mailing has no effect on what happened before it."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-PLACEBO"


def check_placebo(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Hold the interval of the effect on earlier spend against 0; not having looked fails."""
    title = "No effect before the mailing"
    rule = "interval of the effect on spend before the mailing holds 0"
    placebo = evidence.placebo
    if placebo is None or placebo.n_rows == 0:
        return CheckResult(
            code=CODE,
            title=title,
            rule=rule,
            value=float("nan"),
            threshold=0.0,
            passed=False,
            sentence="No campaign has the data for a placebo, so nothing is known about it.",
            allows=allowed(code=CODE, passed=False, on_fail=parameters.on_fail),
        )
    effect = placebo.effect
    passed = effect.ci_low <= 0.0 <= effect.ci_high
    return CheckResult(
        code=CODE,
        title=title,
        rule=rule,
        value=effect.estimate,
        threshold=0.0,
        passed=passed,
        sentence=(
            f"On the {placebo.days} days before it the mailing seems to do {effect.estimate:+.2f} "
            f"USD ({effect.ci_low:+.2f} to {effect.ci_high:+.2f}), where nothing is the truth; "
            f"this test would notice {placebo.mde_usd:.2f} USD or more."
        ),
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
