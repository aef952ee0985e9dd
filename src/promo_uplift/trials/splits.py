"""Folds by household: nobody is in training and held-out data at once."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.results import IntArray


def household_folds(*, groups: IntArray, n_folds: int, seed: int) -> IntArray:
    """Fold of each row, the same for all rows of a household.

    Households are shuffled and dealt out in turn, so the folds' numbers of households differ by at
    most one; a household's fold depends on the set of households and the seed only, not on the
    order or number of its rows.

    Parameters
    ----------
    groups : int64 (n,)
        Household id of each row.
    n_folds : int
        Number of folds, at least 2.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    int64 (n,)
        Fold from 0 to ``n_folds - 1``.

    Raises
    ------
    TrialError
        If ``n_folds`` is below 2 or there are fewer households than folds.
    """
    households, position = np.unique(np.asarray(groups), return_inverse=True)
    if n_folds < 2:
        raise TrialError(f"`n_folds` must be at least 2, got {n_folds}.")
    if len(households) < n_folds:
        raise TrialError(
            f"`n_folds` must not exceed the number of households; got {n_folds} folds for "
            f"{len(households)} households. Lower it or use more data."
        )
    fold = np.empty(len(households), dtype=np.int64)
    fold[np.random.default_rng(seed).permutation(len(households))] = (
        np.arange(len(households), dtype=np.int64) % n_folds
    )
    result: IntArray = fold[position]
    return result
