"""PU-POLICY: choosing whom to mail earns more than mailing all and than mailing none."""

from __future__ import annotations

from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.policy import PolicyEvaluation


@dataclass(frozen=True, slots=True)
class PolicyProfit:
    """Value of the chosen policy, and whether a cost was given, so that one can pay."""

    evaluation: PolicyEvaluation
    is_money_stated: bool


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Paired profit intervals of the chosen policy over both simple policies must lie above 0."""
    rule = "interval of profit minus none and minus all lies above 0, on data that chose nothing"
    policy = evidence.need(PolicyProfit)
    if not policy.is_money_stated:
        return Finding.nothing(rule=rule, sentence="No cost was stated, so nothing can pay.")
    baselines = policy.evaluation.baselines
    gains = {name: baselines[name].chosen_minus_this_usd for name in ("none", "all")}
    worst = min(gain.ci_low for gain in gains.values())
    found = ", ".join(
        f"{gain.estimate:+.2f} USD ({gain.ci_low:+.2f} to {gain.ci_high:+.2f}) over choosing {name}"
        for name, gain in gains.items()
    )
    return Finding(
        rule=rule,
        value=worst,
        threshold=0.0,
        passed=worst > 0.0,
        sentence=f"Targeting earns {found}; both must exceed 0.",
    )


CHECK = Check(
    code="PU-POLICY",
    title="Targeting pays",
    family="policy",
    needs=(PolicyProfit,),
    look=_look,
)
