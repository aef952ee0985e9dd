"""What holds an effect model back where the outcome is heavy-tailed: shrinkage and winsorising."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from promo_uplift.contracts.parameters import LightGBMParameters, Share
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import TrainingSet
from promo_uplift.nuisance.scores import dr_scores


class RegularisedTreesParameters(LightGBMParameters):
    """Size of the effect model, and how far it is held back.

    ``shrinkage`` is the weight of the constant effect in every prediction: 0 is the model alone,
    1 the constant alone. ``winsor_share`` of the targets in each tail, counted among the rows
    whose outcome is not 0, are moved to that tail's quantile before the fit; 0 moves none. It
    trades the level of the effect of the largest outcomes for a calmer fit.
    """

    shrinkage: Share = 0.0
    winsor_share: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0


def constant_effect(*, training: TrainingSet) -> float:
    r"""One effect for all, in the outcome's unit (per unit of dose).

    The mean of the doubly robust scores of the training rows. A continuous dose has none: there
    it is the slope of the outcome's residual on the dose's,
    :math:`\sum \tilde T \tilde Y / \sum \tilde T^2`, which weighs rows by their dose's variance.

    References
    ----------
    Robinson (1988), *Econometrica* 56(4), 931-954, doi:10.2307/1912705 (residual on residual).
    """
    if training.is_dose:
        residual = training.dose_residual
        return float(residual @ training.outcome_residual / (residual @ residual))
    scores = dr_scores(
        treatment=training.treatment, outcome=training.outcome, nuisances=training.nuisances
    )
    return float(np.mean(scores))


def tail_share(*, training: TrainingSet, winsor_share: float) -> float:
    """Share of all rows that a tail of ``winsor_share`` of the outcomes other than 0 holds.

    Where 1 % of the rows buy at all, the top 5 % of the targets would be all that there is to see.
    """
    return winsor_share * float(np.mean(training.outcome != 0.0))


def winsorised(*, target: FloatArray, share: float) -> tuple[FloatArray, int]:
    """Move the lowest and the highest ``share`` of the targets to that share's quantile.

    Returns
    -------
    moved : float64 (n,)
        A new array in the target's unit.
    n_moved : int
        How many entries changed.

    Examples
    --------
    >>> winsorised(target=np.array([-90.0, 1.0, 2.0, 3.0, 90.0]), share=0.25)
    (array([1., 1., 2., 3., 3.]), 2)
    """
    if share == 0.0:
        return target.copy(), 0
    low, high = np.quantile(target, [share, 1.0 - share])
    moved = np.clip(target, low, high)
    return moved, int(np.sum(moved != target))


def shrunk(*, cate: FloatArray, constant: float, shrinkage: float) -> FloatArray:
    """Weighted mean of the model's effects and one effect for all, ``(m,)``."""
    return np.asarray((1.0 - shrinkage) * cate + shrinkage * constant, dtype=np.float64)
