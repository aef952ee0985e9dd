"""One row per learner, every figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.metrics.ranking import RankingMetrics
from promo_uplift.metrics.selection import SELECTED, Selection


def leaderboard(
    *,
    metrics: RankingMetrics,
    selection: Selection,
    dr_loss: Mapping[str, float],
    r_loss: Mapping[str, float],
    seconds: Mapping[str, float],
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Table of learners, best AUUC first.

    Parameters
    ----------
    metrics : RankingMetrics
        Ranking figures of every learner.
    selection : Selection
        Who competed for champion, and who became it.
    dr_loss, r_loss : mapping of str to float
        Held-out orthogonal losses, USD squared; lower is better.
    seconds : mapping of str to float
        Wall time of tuning, fitting and predicting.
    left_out : mapping of str to str, optional
        Learners that could not run, and why.

    Returns
    -------
    DataFrame
        ``learner``, each figure followed by its ``_ci_low`` and ``_ci_high`` (a paired difference
        also by ``_sim_low`` and ``_sim_high``, which hold for all learners at once), ``dr_loss``,
        ``r_loss``, ``seconds``, ``is_champion``, ``folds_won`` (folds for which the others chose
        it; missing for those that did not compete), and ``note``: empty, or why the learner was
        left out. Such a learner stands last and has no figures.

    Raises
    ------
    MetricError
        If a learner has no loss or time.
    """
    learners = {name: one for name, one in metrics.figures.items() if name != SELECTED}
    for name, given in (("dr_loss", dr_loss), ("r_loss", r_loss), ("seconds", seconds)):
        missing = sorted(set(learners) - set(given))
        if missing:
            raise MetricError(f"`{name}` must hold every learner; missing: {missing}.")
    rows = []
    won = selection.table.set_index("learner")["folds_won"].to_dict()
    for learner, figures in learners.items():
        row: dict[str, str | float | None] = {"learner": learner}
        for figure, interval in figures.items():
            row[figure] = interval.estimate
            row[f"{figure}_ci_low"] = interval.ci_low
            row[f"{figure}_ci_high"] = interval.ci_high
            at_once = metrics.simultaneous.get(learner, {}).get(figure)
            if at_once is not None:
                row[f"{figure}_sim_low"] = at_once.ci_low
                row[f"{figure}_sim_high"] = at_once.ci_high
        row |= {
            "dr_loss": dr_loss[learner],
            "r_loss": r_loss[learner],
            "seconds": seconds[learner],
            "is_champion": learner == selection.champion,
            "folds_won": won.get(learner),
            "note": "",
        }
        rows.append(row)
    rows += [{"learner": learner, "note": why} for learner, why in (left_out or {}).items()]
    table = pd.DataFrame(rows).astype({"folds_won": "Int64"})
    return table.sort_values("auuc", ascending=False, kind="stable").reset_index(drop=True)
