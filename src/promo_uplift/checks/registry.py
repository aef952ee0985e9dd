"""Every check of a run by its code, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from promo_uplift.checks import (
    clipping,
    lottery,
    overlap,
    placebo,
    policy,
    ranking,
    separation,
    windows,
)
from promo_uplift.checks.evidence import Check, CheckResult, Evidence
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

CHECKS: dict[str, Check] = {
    windows.CODE: windows.check_windows,
    lottery.CODE: lottery.check_lottery,
    overlap.CODE: overlap.check_overlap,
    separation.CODE: separation.check_separation,
    clipping.CODE: clipping.check_clipping,
    placebo.CODE: placebo.check_placebo,
    ranking.CODE: ranking.check_ranking,
    policy.CODE: policy.check_policy,
}

#: Checks of the comparison itself: without them not even an average effect is to be believed.
DESIGN = (windows.CODE, lottery.CODE, overlap.CODE, separation.CODE, clipping.CODE, placebo.CODE)


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


def run_checks(*, evidence: Evidence, parameters: CheckParameters) -> tuple[CheckResult, ...]:
    """Run every check of the registry.

    Raises
    ------
    CheckError
        If the configuration does not fit the registry.
    """
    validate_check_parameters(parameters)
    return tuple(check(evidence, parameters) for check in CHECKS.values())


def checks_table(results: Sequence[CheckResult]) -> pd.DataFrame:
    """One row per check: ``code, title, rule, value, threshold, outcome, allows, sentence``.

    ``outcome`` is ``passed``, ``failed`` or ``not applicable``.
    """
    columns = ["code", "title", "rule", "value", "threshold", "outcome", "allows", "sentence"]
    return pd.DataFrame([_row(result) for result in results], columns=columns)


def _row(result: CheckResult) -> dict[str, object]:
    outcome = "passed" if result.passed else "failed" if result.applies else "not applicable"
    return {
        "code": result.code,
        "title": result.title,
        "rule": result.rule,
        "value": result.value,
        "threshold": result.threshold,
        "outcome": outcome,
        "allows": result.allows,
        "sentence": result.sentence,
    }
