"""PU-SEPARATION: the targeting rule does not give the arms away."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-SEPARATION"


def check_separation(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Held-out AUC of the propensity must stay below a bound."""
    auc = evidence.overlap.propensity_auc
    passed = auc <= parameters.max_propensity_auc
    return CheckResult(
        code=CODE,
        title="Who was treated is not foretold",
        rule=f"held-out AUC of the propensity <= {parameters.max_propensity_auc:g}",
        value=auc,
        threshold=parameters.max_propensity_auc,
        passed=passed,
        sentence=(
            f"The covariates foretell who was {evidence.wording.treated} with an AUC of {auc:.2f} "
            "(0.5 is a coin); "
            f"at most {parameters.max_propensity_auc:.2f} is accepted."
        ),
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
