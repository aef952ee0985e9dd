"""What the checks look at and what each of them returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, VerdictName, WordingParameters
from promo_uplift.effects import LotteryTest, OverlapSummary, PlaceboEffect
from promo_uplift.metrics import RankingMetrics
from promo_uplift.policy import PolicyEvaluation

#: From the best verdict to the worst.
SEVERITY: tuple[VerdictName, ...] = ("publish", "bounds_only", "experiment_needed", "refuse")


class WindowAudit(Protocol):
    """Proof that covariates rest on nothing at or after time zero."""

    @property
    def n_covariates(self) -> int:
        """Covariates that were compared."""
        ...

    @property
    def n_rows(self) -> int:
        """Rows on which they were compared."""
        ...

    @property
    def changed(self) -> Any:
        """Names of covariates that changed when data at or after time zero were disturbed."""
        ...

    @property
    def passed(self) -> bool:
        """Whether nothing changed."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a run's checks look at.

    Attributes
    ----------
    windows : WindowAudit or None
        Audit of the covariate windows; None where covariates came as they are.
    lottery : LotteryTest or None
        Arms against the stated propensity of an experiment; None where nobody drew lots.
    overlap : OverlapSummary
        Overlap of the arms.
    placebo : PlaceboEffect or None
        Effect before the mailing; None where the placebo was switched off.
    ranking : RankingMetrics
        Ranking figures of all learners.
    policy : PolicyEvaluation
        Value of the chosen policy; names the champion.
    is_money_stated : bool
        Whether costs were given, so that a policy can pay.
    wording : WordingParameters
        Words of the sentences.
    """

    windows: WindowAudit | None
    lottery: LotteryTest | None
    overlap: OverlapSummary
    placebo: PlaceboEffect | None
    ranking: RankingMetrics
    policy: PolicyEvaluation
    is_money_stated: bool
    wording: WordingParameters


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome.

    Attributes
    ----------
    code : str
        Stable code.
    title : str
        Short name.
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
    """

    code: str
    title: str
    rule: str
    value: float
    threshold: float
    passed: bool
    sentence: str
    allows: VerdictName
    applies: bool = True

    @property
    def failed(self) -> bool:
        """Whether the rule was looked at and does not hold."""
        return self.applies and not self.passed


Check = Callable[[Evidence, CheckParameters], CheckResult]


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


def not_applicable(*, code: str, title: str, rule: str, sentence: str) -> CheckResult:
    """Outcome of a check that has nothing to look at: it allows everything and is said aloud."""
    return CheckResult(
        code=code,
        title=title,
        rule=rule,
        value=float("nan"),
        threshold=float("nan"),
        passed=False,
        sentence=sentence,
        allows="publish",
        applies=False,
    )
