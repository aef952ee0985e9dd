"""PU-WINDOW: covariates rest on nothing at or after the treatment."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.features import WindowAudit


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Disturbing all data at or after time zero must leave every covariate as it was."""
    rule = "no covariate changes when all data at or after the treatment are disturbed"
    audit = evidence.get(WindowAudit)
    if audit is None:
        return Finding.nothing(
            rule=rule,
            sentence=(
                "The covariates came ready-made: that they were known before the treatment is "
                "the user's word."
            ),
        )
    names = [str(name) for name in audit.changed]
    found = f"{len(names)} changed, e.g. {names[0]}" if names else "none changed"
    return Finding(
        rule=rule,
        value=float(len(names)),
        threshold=0.0,
        passed=audit.passed,
        sentence=(
            f"{audit.n_covariates} features of {audit.n_rows:,} rows, rebuilt without data after "
            f"the {evidence.wording.treatment}: {found}."
        ),
    )


CHECK = Check(
    code="PU-WINDOW",
    title="Covariates end before the treatment",
    family="design",
    needs=(WindowAudit,),
    look=_look,
)
