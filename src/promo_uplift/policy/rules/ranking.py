"""Best first until something is used up, and the share that training rows would choose."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.metrics.bootstrap import HouseholdDraws
from promo_uplift.metrics.folds import fold_rows
from promo_uplift.metrics.order import best_first, tie_starts
from promo_uplift.policy.choice import profit_curves
from promo_uplift.policy.rules.base import PolicyTraining


def fill_best_first(
    *, ranking: FloatArray, amount: FloatArray, capacity: float, eligible: BoolArray | None = None
) -> FloatArray:
    """Share of each row's amount that is taken, best first, until the capacity is used up.

    Tied rows are taken alike, so the result does not depend on the rows' order. For amounts that
    are costs and a ranking that is value over cost it solves the linear programme of the budget.

    Parameters
    ----------
    ranking : float64 (m,)
        Highest first.
    amount : float64 (m,)
        What each row uses of the capacity, at least 0.
    capacity : float
        In the unit of ``amount``.
    eligible : bool (m,), optional
        Rows that may be taken; the others use nothing.

    References
    ----------
    Dantzig (1957), *Operations Research* 5(2) (the relaxed knapsack).

    Examples
    --------
    >>> fill_best_first(ranking=np.array([1., 3., 2.]), amount=np.ones(3), capacity=1.5)
    array([0. , 1. , 0.5])
    """
    taken = np.zeros(len(ranking))
    rows = np.arange(len(ranking)) if eligible is None else np.flatnonzero(eligible)
    if len(rows) == 0:
        return taken
    order, ordered = best_first(ranking[rows])
    starts = tie_starts(ordered)
    used = np.concatenate([[0.0], np.cumsum(amount[rows][order])])[starts]
    size = np.diff(used)
    left = np.clip(capacity - used[:-1], 0.0, size)
    # a row that uses nothing of the capacity is always taken
    part = np.divide(left, size, out=np.ones_like(size), where=size > 0.0)
    taken[rows[order]] = np.repeat(part, np.diff(starts))
    return taken


def top_share(*, ranking: FloatArray, share: float) -> FloatArray:
    """Contact the top ``share`` of the rows, tied rows at its edge alike, ``(m,)``.

    Examples
    --------
    >>> top_share(ranking=np.array([1.0, 3.0, 1.0, 0.0]), share=0.5).tolist()
    [0.5, 1.0, 0.5, 0.0]
    """
    return fill_best_first(
        ranking=ranking, amount=np.ones(len(ranking)), capacity=share * len(ranking)
    )


def most_profitable_share(*, training: PolicyTraining, ranking: FloatArray) -> float:
    """Share with the highest doubly robust profit on the training rows; 0 = contact nobody.

    Ranked within each fold, folds averaged by size, on the grid of ``money.grid_points`` shares,
    as :func:`promo_uplift.policy.evaluate_policy` does.
    """
    n = len(ranking)
    sample = HouseholdDraws(np.arange(n), np.ones((n, 1), dtype=np.uint8))
    shares = np.linspace(0.0, 1.0, training.money.grid_points)
    curve = profit_curves(
        profit=training.profit,
        ranking=ranking,
        folds=fold_rows(fold=training.fold, draws=sample),
        shares=shares,
        replicates=np.array([0]),
    )
    return float(shares[np.argmax(curve[:, 0])])
