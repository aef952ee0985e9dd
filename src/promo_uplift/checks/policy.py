"""PU-POLICY: choosing whom to mail earns more than mailing all and than mailing none."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed, not_applicable
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-POLICY"


def check_policy(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Paired profit intervals of the chosen policy over both simple policies must lie above 0."""
    title = "Targeting pays"
    rule = "interval of profit minus none and minus all lies above 0, on data that chose nothing"
    if not evidence.is_money_stated:
        return not_applicable(
            code=CODE, title=title, rule=rule, sentence="No cost was stated, so nothing can pay."
        )
    baselines = evidence.policy.baselines
    gains = {name: baselines[name].chosen_minus_this_usd for name in ("none", "all")}
    worst = min(gain.ci_low for gain in gains.values())
    passed = worst > 0.0
    found = ", ".join(
        f"{gain.estimate:+.2f} USD ({gain.ci_low:+.2f} to {gain.ci_high:+.2f}) over choosing {name}"
        for name, gain in gains.items()
    )
    return CheckResult(
        code=CODE,
        title=title,
        rule=rule,
        value=worst,
        threshold=0.0,
        passed=passed,
        sentence=f"Targeting earns {found}; both must exceed 0.",
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
