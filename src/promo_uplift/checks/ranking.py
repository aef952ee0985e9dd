"""PU-RANKING: the champion ranks better than chance and better than predicted spend."""

from __future__ import annotations

from promo_uplift.checks.evidence import CheckResult, Evidence, allowed
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.metrics import RANKING_BASELINES

CODE = "PU-RANKING"


def check_ranking(evidence: Evidence, parameters: CheckParameters) -> CheckResult:
    """Paired intervals of the champion's AUUC minus each baseline's must lie above 0.

    Raises
    ------
    CheckError
        If the champion is not among the ranked learners.
    """
    champion = evidence.policy.champion
    figures = evidence.ranking.figures
    if champion not in figures:
        raise CheckError(f"`ranking` must hold the champion {champion!r}; found {sorted(figures)}.")
    gains = {name: figures[champion][f"auuc_minus_{name}"] for name in RANKING_BASELINES}
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
        sentence=f"Ranking by {champion} gains {found}; both must exceed 0.",
        allows=allowed(code=CODE, passed=passed, on_fail=parameters.on_fail),
    )
