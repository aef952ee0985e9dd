"""`promo_uplift.checks.run`: the checks on anybody's estimate, table or policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from textwrap import wrap
from typing import Final

import pandas as pd

from promo_uplift.checks.evidence import SEVERITY, CheckResult, Evidence
from promo_uplift.checks.registry import checks_table, not_looked_at, run_checks
from promo_uplift.contracts.configuration import base_parameters
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, VerdictName, WordingParameters

#: Characters per line of the text.
WIDTH: Final = 96
#: Words for whoever brings a result of their own.
WORDS: Final = WordingParameters(
    unit="units",
    decimals=None,
    treatment="treatment",
    treated="treated",
    subject="household",
    subjects="households",
    horizon="",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks say of a result.

    Attributes
    ----------
    results : tuple of CheckResult
        Every check that had something to look at.
    verdict : str
        Worst verdict that they allow: ``publish``, ``bounds_only``, ``experiment_needed``,
        ``refuse``. It covers what was looked at, and nothing else.
    not_looked_at : dict
        Checks without their facts: code -> names of the facts to give.
    """

    results: tuple[CheckResult, ...]
    verdict: VerdictName
    not_looked_at: dict[str, tuple[str, ...]]

    @property
    def table(self) -> pd.DataFrame:
        """One row per check."""
        return checks_table(self.results)

    @property
    def failed(self) -> tuple[str, ...]:
        """Codes of the checks that failed."""
        return tuple(result.code for result in self.results if result.failed)

    def record(self) -> dict[str, object]:
        """Verdict and findings as plain values, for a JSON file or tags."""
        return {
            "verdict": self.verdict,
            "failed": list(self.failed),
            "passed": [result.code for result in self.results if result.passed],
            "not_applicable": [result.code for result in self.results if not result.applies],
            "not_looked_at": {code: list(names) for code, names in self.not_looked_at.items()},
            "findings": [
                {
                    "subject": result.subject,
                    "code": result.code,
                    "value": None if isnan(result.value) else result.value,
                    "threshold": None if isnan(result.threshold) else result.threshold,
                    "allows": result.allows,
                    "sentence": result.sentence,
                }
                for result in self.results
            ],
        }

    @property
    def text(self) -> str:
        """Verdict and findings as plain text, failures first."""
        lines = wrap(
            f"VERDICT {self.verdict}: {len(self.failed)} of {len(self.results)} checks fail; "
            f"{len(self.not_looked_at)} had nothing to look at.",
            WIDTH,
        )
        for result in sorted(self.results, key=lambda one: not one.failed):
            outcome = "FAILED" if result.failed else "passed" if result.passed else "nothing"
            subject = f" {result.subject}" if result.subject else ""
            lines += wrap(
                f"{outcome:8}{result.code}{subject}: {result.sentence}",
                WIDTH,
                subsequent_indent=" " * 10,
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return :attr:`text`."""
        return self.text


def default_check_parameters() -> CheckParameters:
    """Thresholds of ``conf/base/parameters/checks.yml``."""
    return CheckParameters.model_validate(base_parameters(file="checks", key="checks"))


def run(
    *facts: object,
    parameters: CheckParameters | None = None,
    wording: WordingParameters | None = None,
    subject: str = "",
) -> Report:
    """Check a result: every check whose facts are given looks at them.

    Parameters
    ----------
    *facts
        What is known of the result, one object of each type: ``OverlapSummary``,
        ``PlaceboEffect``, ``HistoryLengths`` ... ``docs/checks.md`` names the fact of each check
        and how it is made from a table.
    parameters : CheckParameters, optional
        Thresholds; those of ``conf/base`` by default.
    wording : WordingParameters, optional
        Words of the sentences.
    subject : str
        Name of what is checked.

    Raises
    ------
    CheckError
        If no check has anything to look at: silence allows nothing.
    """
    evidence = Evidence(facts=facts, wording=WORDS if wording is None else wording)
    results = run_checks(
        evidence=evidence,
        parameters=default_check_parameters() if parameters is None else parameters,
        subject=subject,
    )
    return report_of(results=results, missing=not_looked_at(evidence))


def report_of(*, results: Sequence[CheckResult], missing: dict[str, tuple[str, ...]]) -> Report:
    """Return the report of these results: the verdict is the worst that they allow.

    Raises
    ------
    CheckError
        If there are no results: silence allows nothing.
    """
    if not results:
        raise CheckError(
            "`facts` must let at least one check look, found none that does. Give one of "
            f"{sorted({name for names in missing.values() for name in names})}."
        )
    return Report(
        results=tuple(results),
        verdict=max((result.allows for result in results), key=SEVERITY.index),
        not_looked_at=missing,
    )
