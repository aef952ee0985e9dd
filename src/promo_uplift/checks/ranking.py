"""PU-RANKING: the selected learner ranks better than chance and better than predicted spend."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.metrics import RANKING_BASELINES, SELECTED

CODE = "PU-RANKING"


def check_ranking(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Paired intervals of the selected ranking's AUUC minus each baseline's must lie above 0.

    Each fold is ranked by the learner that the other folds chose: the champion's own figures are
    those of the best of many.

    Raises
    ------
    CheckError
        If the selected ranking is not among those judged.
    """
    figures = evidence.ranking.figures
    if SELECTED not in figures:
        raise CheckError(f"`ranking` must hold {SELECTED!r}; found {sorted(figures)}.")
    gains = {name: figures[SELECTED][f"auuc_minus_{name}"] for name in RANKING_BASELINES}
    worst = min(gain.ci_low for gain in gains.values())
    passed = worst > 0.0
    found = ", ".join(
        f"{evidence.wording.interval(gain)} over {name}" for name, gain in gains.items()
    )
    return CheckResult(
        code=CODE,
        title="The ranking beats its baselines",
        rule="interval of AUUC minus random and minus response lies above 0",
        value=worst,
        threshold=0.0,
        passed=passed,
        sentence=f"The ranking that other folds selected gains {found}; both must exceed 0.",
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
