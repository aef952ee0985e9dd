"""What a check is, what it looks at and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, VerdictName, WordingParameters

#: From the best verdict to the worst.
SEVERITY: tuple[VerdictName, ...] = ("publish", "bounds_only", "experiment_needed", "refuse")

Family = Literal["data", "design", "overlap", "placebo", "estimate", "ranking", "policy", "report"]
Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that checks may look at: facts, each found by its type.

    Attributes
    ----------
    facts : tuple
        Frozen results, at most one of each type: an ``OverlapSummary``, a ``PlaceboEffect``, a
        fact of a check's own file ...
    wording : WordingParameters
        Words of the sentences.
    """

    facts: tuple[object, ...]
    wording: WordingParameters

    def __post_init__(self) -> None:
        kinds = [type(fact) for fact in self.facts]
        if twice := sorted({kind.__name__ for kind in kinds if kinds.count(kind) > 1}):
            raise CheckError(
                f"`facts` must hold one of each type, found several of {twice}. Check each subject "
                "(campaign, model) by a call of its own."
            )

    def get(self, kind: type[Fact]) -> Fact | None:
        """Return the fact of this type; None if nobody gave one."""
        return next((fact for fact in self.facts if isinstance(fact, kind)), None)

    def need(self, kind: type[Fact]) -> Fact:
        """Return the fact of this type.

        Raises
        ------
        CheckError
            If nobody gave one.
        """
        fact = self.get(kind)
        if fact is None:
            raise CheckError(f"`facts` must hold a {kind.__name__}, found {self.names()}.")
        return fact

    def names(self) -> list[str]:
        """Types of the facts, in order."""
        return [type(fact).__name__ for fact in self.facts]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    rule : str
        What must hold, with its threshold.
    value, threshold : float
        What was found and what it was held against.
    passed : bool
        Whether the rule holds.
    sentence : str
        The finding for a reader.
    at_best : str or None
        Best verdict that a failure this bad allows; None: as configured in ``on_fail``.
    applies : bool
        False: the check has nothing to look at here; it neither passed nor failed.
    """

    rule: str
    value: float
    threshold: float
    passed: bool
    sentence: str
    at_best: VerdictName | None = None
    applies: bool = True

    @classmethod
    def nothing(cls, *, rule: str, sentence: str) -> Finding:
        """Return the finding of a check that has nothing to look at, and why."""
        nan = float("nan")
        return cls(rule, nan, nan, False, sentence, applies=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a file of its own, a stable code, a page in ``docs/checks/``.

    Attributes
    ----------
    code, title : str
        Stable code ``PU-...`` and short name.
    family : str
        What it guards.
    needs : tuple of type
        Facts without which it has nothing to look at; it runs where all are given, or where a run
        expects it.
    look : callable
        ``(evidence, parameters) -> Finding``.
    """

    code: str
    title: str
    family: Family
    needs: tuple[type, ...]
    look: Callable[[Evidence, CheckParameters], Finding]

    def has_facts(self, evidence: Evidence) -> bool:
        """Whether every fact that it needs was given."""
        return all(evidence.get(kind) is not None for kind in self.needs)

    def run(
        self, *, evidence: Evidence, parameters: CheckParameters, subject: str = ""
    ) -> CheckResult:
        """Look, and say what the finding allows."""
        found = self.look(evidence, parameters)
        is_fine = found.passed or not found.applies
        configured = allowed(code=self.code, passed=is_fine, on_fail=parameters.on_fail)
        return CheckResult(
            code=self.code,
            title=self.title,
            family=self.family,
            rule=found.rule,
            value=found.value,
            threshold=found.threshold,
            passed=found.passed and found.applies,
            sentence=found.sentence,
            allows=found.at_best if found.at_best is not None and not is_fine else configured,
            applies=found.applies,
            subject=subject,
        )


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome.

    Attributes
    ----------
    code, title, family : str
        The check's own.
    rule : str
        What must hold.
    value, threshold : float
        What was found and what it was held against.
    passed : bool
        Whether the rule holds.
    sentence : str
        The finding for a reader.
    allows : str
        Best verdict that this outcome allows.
    applies : bool
        False: the check has nothing to look at here; it neither passed nor failed.
    subject : str
        What was checked where a run checks several things, e.g. ``campaign 8``; else empty.
    """

    code: str
    title: str
    family: Family
    rule: str
    value: float
    threshold: float
    passed: bool
    sentence: str
    allows: VerdictName
    applies: bool = True
    subject: str = ""

    @property
    def failed(self) -> bool:
        """Whether the rule was looked at and does not hold."""
        return self.applies and not self.passed


def allowed(*, code: str, passed: bool, on_fail: Mapping[str, VerdictName]) -> VerdictName:
    """Best verdict after this outcome: ``publish`` if it passed, else as configured.

    Raises
    ------
    CheckError
        If the configuration has no verdict for a failure of this check.
    """
    if code not in on_fail:
        raise CheckError(
            f"`on_fail` must say what a failure of {code} allows at best; found "
            f"{sorted(on_fail)}. Add `{code}: <one of {', '.join(SEVERITY)}>`."
        )
    return "publish" if passed else on_fail[code]
