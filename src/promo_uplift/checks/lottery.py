"""PU-LOTTERY: an experiment's arms differ no more than its lottery allows."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects import LotteryTest

#: Names of departing covariates that a sentence lists.
NAMES_SHOWN = 5


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Hold the arms of an experiment against its stated propensity, covariate by covariate."""
    rule = "no covariate, missingness or propensity model departs from the stated propensity"
    test = evidence.get(LotteryTest)
    if test is None:
        return Finding.nothing(rule=rule, sentence="No propensity was stated: nobody drew lots.")
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
    return Finding(
        rule=rule,
        value=test.largest_z,
        threshold=test.threshold_z,
        passed=test.passed,
        sentence=sentence,
    )


CHECK = Check(
    code="PU-LOTTERY",
    title="The arms are a lottery's",
    family="design",
    needs=(LotteryTest,),
    look=_look,
)
