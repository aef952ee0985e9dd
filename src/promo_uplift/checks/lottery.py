"""PU-LOTTERY: an experiment's arms differ no more than its lottery allows."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed, not_applicable
from promo_uplift.contracts.parameters import CheckParameters

CODE = "PU-LOTTERY"
#: Names of departing covariates that a sentence lists.
NAMES_SHOWN = 5


def check_lottery(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Hold the arms of an experiment against its stated propensity, covariate by covariate."""
    title = "The arms are a lottery's"
    rule = "no covariate, missingness or propensity model departs from the stated propensity"
    test = evidence.lottery
    if test is None:
        return not_applicable(
            code=CODE,
            title=title,
            rule=rule,
            sentence="No propensity was stated: nobody drew lots.",
        )
    if test.passed:
        sentence = (
            f"None of {test.n_tests} comparisons with the stated propensity departs; the largest, "
            f"{test.largest_name}, by {test.largest_z:.1f} errors."
        )
    else:
        named = ", ".join(f"`{name}`" for name in test.departing[:NAMES_SHOWN])
        sentence = (
            f"{len(test.departing)} of {test.n_tests} comparisons with the stated propensity "
            f"depart, up to {test.largest_z:.1f} errors: {named}. It is wrong, rows were lost, or "
            f"these follow the {evidence.wording.treatment}."
        )
    return CheckResult(
        code=CODE,
        title=title,
        rule=rule,
        value=test.largest_z,
        threshold=test.threshold_z,
        passed=test.passed,
        sentence=sentence,
        allows=allowed(code=CODE, passed=test.passed, on_fail=parameters.on_fail),
    )
