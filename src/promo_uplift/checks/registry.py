"""Every check by its code, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import pandas as pd

from promo_uplift.checks import (
    agree,
    arms,
    bacon,
    balance,
    baseline,
    calibration,
    claims,
    clipping,
    clock,
    clusters,
    complete_cases,
    contact_cost,
    controls,
    coverage,
    drift,
    e_value,
    effect_bounds,
    eligibility,
    funding,
    gain_end,
    held_out,
    history,
    honest,
    honesty,
    ids,
    influence,
    intervals,
    joins,
    loco,
    lottery,
    many,
    matched,
    outcome_model,
    overlap,
    placebo,
    placebo_date,
    policy,
    post_treatment,
    pretrend,
    rank,
    ranking,
    refuters,
    segments,
    separation,
    stated,
    timing,
    units,
    week,
    windows,
    winner,
    winsor,
)
from promo_uplift.checks.evidence import Check, CheckResult, Evidence
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

_MODULES = (
    windows,
    lottery,
    overlap,
    separation,
    clipping,
    placebo,
    ranking,
    policy,
    # of the data, the design and the estimate
    ids,
    joins,
    coverage,
    units,
    week,
    clock,
    arms,
    complete_cases,
    history,
    eligibility,
    controls,
    timing,
    post_treatment,
    balance,
    matched,
    pretrend,
    placebo_date,
    refuters,
    rank,
    clusters,
    honest,
    winsor,
    influence,
    loco,
    agree,
    bacon,
    # of rankings, policies and reports
    baseline,
    gain_end,
    calibration,
    outcome_model,
    honesty,
    held_out,
    winner,
    contact_cost,
    funding,
    e_value,
    effect_bounds,
    intervals,
    stated,
    segments,
    claims,
    many,
    drift,
)
CHECKS: Final[dict[str, Check]] = {module.CHECK.code: module.CHECK for module in _MODULES}

#: Checks of the comparison itself, of which a targeting run looks at every one.
DESIGN: Final = (
    "PU-WINDOW",
    "PU-LOTTERY",
    "PU-OVERLAP",
    "PU-SEPARATION",
    "PU-CLIPPED",
    "PU-PLACEBO",
)
#: Checks after whose failure not even an average is acted on.
COMPARISON: Final = (*DESIGN, "PU-TIMING")
#: What a targeting decision must have been held against, whatever else was.
TARGETING: Final = (*DESIGN, "PU-RANKING", "PU-POLICY")


def validate_check_parameters(parameters: CheckParameters) -> None:
    """Refuse a configuration whose ``on_fail`` names other codes than the registry.

    Raises
    ------
    CheckError
        If a code is missing or unknown.
    """
    missing = [code for code in CHECKS if code not in parameters.on_fail]
    unknown = sorted(set(parameters.on_fail) - set(CHECKS))
    if missing or unknown:
        raise CheckError(
            f"`on_fail` must name exactly the checks {list(CHECKS)}; missing: {missing}, "
            f"unknown: {unknown}."
        )


def run_checks(
    *,
    evidence: Evidence,
    parameters: CheckParameters,
    expected: Collection[str] = (),
    subject: str = "",
) -> tuple[CheckResult, ...]:
    """Run every check that has facts to look at, and those that are expected in any case.

    Parameters
    ----------
    evidence : Evidence
        The facts.
    parameters : CheckParameters
        Thresholds, and what a failure allows.
    expected : collection of str
        Codes that run even without their facts: they then say that there is nothing to look at,
        or fail where not having looked is a failure.
    subject : str
        What is checked, where a run checks several things.

    Raises
    ------
    CheckError
        If the configuration does not fit the registry, an expected code is unknown, or a check
        that cannot do without its facts is expected without them.
    """
    validate_check_parameters(parameters)
    if unknown := sorted(set(expected) - set(CHECKS)):
        raise CheckError(f"`expected` must name checks, found {unknown}; known: {list(CHECKS)}.")
    return tuple(
        check.run(evidence=evidence, parameters=parameters, subject=subject)
        for code, check in CHECKS.items()
        if code in expected or (check.needs and check.has_facts(evidence))
    )


def not_looked_at(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Return the checks that lack facts: code -> names of the facts that nobody gave."""
    return {
        code: tuple(kind.__name__ for kind in check.needs if evidence.get(kind) is None)
        for code, check in CHECKS.items()
        if not check.has_facts(evidence)
    }


def checks_table(results: Sequence[CheckResult]) -> pd.DataFrame:
    """One row per check, in order.

    ``subject, code, family, title, rule, value, threshold, outcome, allows, sentence``;
    ``outcome`` is ``passed``, ``failed`` or ``not applicable``.
    """
    columns = [
        "subject",
        "code",
        "family",
        "title",
        "rule",
        "value",
        "threshold",
        "outcome",
        "allows",
        "sentence",
    ]
    return pd.DataFrame([_row(result) for result in results], columns=columns)


def _row(result: CheckResult) -> dict[str, object]:
    outcome = "passed" if result.passed else "failed" if result.applies else "not applicable"
    return {
        "subject": result.subject,
        "code": result.code,
        "family": result.family,
        "title": result.title,
        "rule": result.rule,
        "value": result.value,
        "threshold": result.threshold,
        "outcome": outcome,
        "allows": result.allows,
        "sentence": result.sentence,
    }
