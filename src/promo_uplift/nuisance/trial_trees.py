"""One model's probability in every trial at once: trees that ask for no trial are walked once.

A deployed nuisance has household covariates and one indicator per trial as features. LightGBM
would be asked trial by trial, though few trees split on an indicator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import FloatArray, IntArray

#: Bits of LightGBM's `decision_type`.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_IS_NAN = 1, 2, 8
_BINARY = "objective=binary sigmoid:"


@dataclass(frozen=True, slots=True)
class TrialTrees:
    """A booster's trees as arrays, all splits of all trees one after the other.

    Attributes
    ----------
    splits : int64 (s, 4)
        Feature asked for; next split on the left and on the right, or ``-1 - leaf``; where a
        missing value goes: 1 left, 0 right, -1 nowhere of its own, it counts as 0.
    threshold : float64 (s,)
        Values up to it go left.
    trees : int64 (t, 2)
        First split, or ``-1 - leaf`` of a tree without one; 1 where it splits on an indicator.
    leaf : float64 (l,)
        Values of the leaves.
    sigmoid : float
        Slope of the link.
    """

    splits: IntArray
    threshold: FloatArray
    trees: IntArray
    leaf: FloatArray
    sigmoid: float

    def predict(self, *, values: FloatArray, n_trials: int) -> FloatArray:
        """Probability of 1 in each trial, ``(m, C)``; the bits of LightGBM's own.

        Parameters
        ----------
        values : float64 (m, p)
            Household covariates, row by row in memory, NaN where missing; the indicators follow
            them in the model.
        n_trials : int
            Number of trials, C.
        """
        return np.asarray(
            _rates(
                values, n_trials, self.splits, self.threshold, self.trees, self.leaf, self.sigmoid
            )
        )


def trial_trees(*, booster: Any, n_covariates: int) -> TrialTrees:
    """Read a binary LightGBM model, whose features from ``n_covariates`` on are indicators.

    Raises
    ------
    LearnerError
        If it is no such model.
    """
    header, *texts = booster.model_to_string().split("end of trees")[0].split("\nTree=")
    objective = next(line for line in header.splitlines() if line.startswith("objective="))
    if not objective.startswith(_BINARY):
        raise LearnerError(f"The model of a rate must be binary; found `{objective}`.")
    splits, thresholds = [np.zeros((0, 4), dtype=np.int64)], [np.zeros(0)]
    trees, leaves = [], []
    n_splits = n_leaves = 0
    for text in texts:
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        leaf = _numbers(fields["leaf_value"])
        asks = False
        if len(leaf) > 1:
            split = _splits_of(fields, first_split=n_splits, first_leaf=n_leaves)
            asks = bool((split[:, 0] >= n_covariates).any())
            splits.append(split)
            thresholds.append(_numbers(fields["threshold"]))
        trees.append((n_splits if len(leaf) > 1 else -1 - n_leaves, int(asks)))
        leaves.append(leaf)
        n_splits, n_leaves = n_splits + len(leaf) - 1, n_leaves + len(leaf)
    return TrialTrees(
        splits=np.concatenate(splits),
        threshold=np.concatenate(thresholds),
        trees=np.array(trees, dtype=np.int64),
        leaf=np.concatenate(leaves),
        sigmoid=float(objective.removeprefix(_BINARY).split()[0]),
    )


def _splits_of(fields: dict[str, str], *, first_split: int, first_leaf: int) -> IntArray:
    kind = _numbers(fields["decision_type"]).astype(np.int64)
    if (kind & _CATEGORICAL).any():
        raise LearnerError("The model of a rate must have numeric splits only.")
    goes_left = (kind & _DEFAULT_LEFT) > 0
    sides = [_numbers(fields[name]).astype(np.int64) for name in ("left_child", "right_child")]
    return np.column_stack(
        [
            _numbers(fields["split_feature"]).astype(np.int64),
            *(np.where(side >= 0, side + first_split, side - first_leaf) for side in sides),
            np.where((kind & _MISSING_IS_NAN) > 0, goes_left, -1),
        ]
    )


def _numbers(text: str) -> FloatArray:
    return np.array([float(part) for part in text.split()])


@njit(cache=True, nogil=True)
def _leaf_of(
    row: FloatArray, trial: int, node: int, splits: IntArray, threshold: FloatArray
) -> int:
    """Position of the leaf that a row reaches in one trial, from a split on."""
    while node >= 0:
        column = splits[node, 0]
        value = row[column] if column < len(row) else 1.0 * (column - len(row) == trial)
        side = 1 if value <= threshold[node] else 2
        if math.isnan(value):
            missing = splits[node, 3]
            side = 2 - missing if missing >= 0 else (1 if threshold[node] >= 0.0 else 2)
        node = splits[node, side]
    return -1 - node


@njit(cache=True, nogil=True)
def _rates(
    values: FloatArray,
    n_trials: int,
    splits: IntArray,
    threshold: FloatArray,
    trees: IntArray,
    leaf: FloatArray,
    sigmoid: float,
) -> FloatArray:
    """Add up the leaves in the order of the trees, as LightGBM does, so that the bits agree."""
    rates = np.zeros((len(values), n_trials))
    for row in range(len(values)):
        sums = rates[row]
        for tree in range(len(trees)):
            if trees[tree, 1]:
                for trial in range(n_trials):
                    sums[trial] += leaf[
                        _leaf_of(values[row], trial, trees[tree, 0], splits, threshold)
                    ]
            else:
                sums += leaf[_leaf_of(values[row], 0, trees[tree, 0], splits, threshold)]
        for trial in range(n_trials):
            sums[trial] = 1.0 / (1.0 + math.exp(-sigmoid * sums[trial]))
    return rates
