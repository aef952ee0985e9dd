"""PU-POLICY: choosing whom to mail earns more than mailing all and than mailing none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import Interval


@dataclass(frozen=True, slots=True)
class PolicyProfit:
    """What the policy that makes the list earns, and whether a cost was given, so that one can pay.

    ``gains_usd`` is its profit less that of contacting nobody (``none``) and everybody (``all``),
    USD per household, paired, on rows that it was not fitted on.
    """

    gains_usd: Mapping[str, Interval]
    is_money_stated: bool


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Paired profit intervals of the chosen policy over both simple policies must lie above 0."""
    rule = "interval of profit minus none and minus all lies above 0, on data that chose nothing"
    policy = evidence.need(PolicyProfit)
    if not policy.is_money_stated:
        return Finding.nothing(rule=rule, sentence="No cost was stated, so nothing can pay.")
    gains = {name: policy.gains_usd[name] for name in ("none", "all")}
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
