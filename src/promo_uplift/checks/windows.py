"""PU-WINDOW: covariates rest on nothing at or after the treatment."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed, not_applicable
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-WINDOW"


def check_windows(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Disturbing all data at or after time zero must leave every covariate as it was."""
    title = "Covariates end before the treatment"
    rule = "no covariate changes when all data at or after the treatment are disturbed"
    audit = evidence.windows
    if audit is None:
        return not_applicable(
            code=CODE,
            title=title,
            rule=rule,
            sentence=(
                "The covariates came ready-made: that they were known before the treatment is "
                "the user's word."
            ),
        )
    names = [str(name) for name in audit.changed]
    found = f"{len(names)} changed, e.g. {names[0]}" if names else "none changed"
    return CheckResult(
        code=CODE,
        title=title,
        rule=rule,
        value=float(len(names)),
        threshold=0.0,
        passed=audit.passed,
        sentence=(
            f"{audit.n_covariates} features of {audit.n_rows:,} rows, rebuilt without data after "
            f"the {evidence.wording.treatment}: {found}."
        ),
        allows=allowed(code=CODE, passed=audit.passed, on_fail=parameters.on_fail),
    )
