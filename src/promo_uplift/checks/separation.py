"""PU-SEPARATION: the targeting rule does not give the arms away."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects import OverlapSummary


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Held-out AUC of the propensity must stay below a bound."""
    auc = evidence.need(OverlapSummary).propensity_auc
    return Finding(
        rule=f"held-out AUC of the propensity <= {parameters.max_propensity_auc:g}",
        value=auc,
        threshold=parameters.max_propensity_auc,
        passed=auc <= parameters.max_propensity_auc,
        sentence=(
            f"The covariates foretell who was {evidence.wording.treated} with an AUC of {auc:.3f} "
            f"(0.5 is a coin); at most {parameters.max_propensity_auc:.3f} is accepted."
        ),
    )


CHECK = Check(
    code="PU-SEPARATION",
    title="Who was treated is not foretold",
    family="overlap",
    needs=(OverlapSummary,),
    look=_look,
)
