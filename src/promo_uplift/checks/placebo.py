"""PU-PLACEBO: the treatment has no effect on what happened before it."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed, not_applicable
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-PLACEBO"


def _when(days: int) -> str:
    return f"the {days} days before it" if days else "the earlier outcome"


def check_placebo(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Hold the interval of the effect on an earlier outcome against 0; not having looked fails."""
    title = "No effect before the treatment"
    rule = "interval of the effect on an outcome before the treatment holds 0"
    words, placebo = evidence.wording, evidence.placebo
    if evidence.lottery is not None and (placebo is None or placebo.n_rows == 0):
        return not_applicable(
            code=CODE,
            title=title,
            rule=rule,
            sentence="Lots were drawn: PU-LOTTERY stands in for an earlier outcome.",
        )
    if placebo is None or placebo.n_rows == 0:
        return CheckResult(
            code=CODE,
            title=title,
            rule=rule,
            value=float("nan"),
            threshold=0.0,
            passed=False,
            sentence=(
                f"There is no outcome from before the {words.treatment} to test on, so nothing "
                "speaks against hidden differences."
            ),
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
            f"On {_when(placebo.days)} the {words.treatment} seems to do "
            f"{words.interval(effect)}, where nothing is the truth; this test would notice "
            f"{words.size(placebo.mde_usd)} or more."
        ),
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
