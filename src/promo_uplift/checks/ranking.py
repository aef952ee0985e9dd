"""PU-RANKING: the selected learner ranks better than chance and better than predicted spend."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.metrics import RANKING_BASELINES, SELECTED, RankingMetrics


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Paired intervals of the selected ranking's AUUC minus each baseline's must lie above 0.

    Each fold is ranked by the learner that the other folds chose: the champion's own figures are
    those of the best of many.
    """
    figures = evidence.need(RankingMetrics).figures
    if SELECTED not in figures:
        raise CheckError(f"`ranking` must hold {SELECTED!r}; found {sorted(figures)}.")
    gains = {name: figures[SELECTED][f"auuc_minus_{name}"] for name in RANKING_BASELINES}
    worst = min(gain.ci_low for gain in gains.values())
    found = ", ".join(
        f"{evidence.wording.interval(gain)} over {name}" for name, gain in gains.items()
    )
    return Finding(
        rule="interval of AUUC minus random and minus response lies above 0",
        value=worst,
        threshold=0.0,
        passed=worst > 0.0,
        sentence=f"The ranking that other folds selected gains {found}; both must exceed 0.",
    )


CHECK = Check(
    code="PU-RANKING",
    title="The ranking beats its baselines",
    family="ranking",
    needs=(RankingMetrics,),
    look=_look,
)
