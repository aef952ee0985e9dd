"""Results that travel between rooms: frozen, typed, with every array's shape stated.

Shapes: ``n`` rows (household x campaign), ``K`` folds, ``p`` covariates.

Cross-fitted quantities are matrices ``(n, K)``. Column ``k`` belongs to the analysis in which
fold ``k`` is held out, and is safe there: the value of a row in fold ``m`` comes from models that
were fitted on neither fold ``m`` nor fold ``k``. So the off-diagonal part of column ``k`` trains,
tunes and chooses for fold ``k`` without a look at it, and the diagonal part (``m == k``) evaluates.
Nothing in column ``k`` depends on treatments or outcomes of fold ``k``; an off-diagonal effect of a
row in fold ``m`` does depend on fold ``m`` through the nuisances of its training rows and through
the hyperparameters, which is why it chooses and never evaluates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval, all in the figure's unit.

    Attributes
    ----------
    estimate, ci_low, ci_high : float
        Point estimate and the bounds of its confidence interval.
    """

    estimate: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class TrialData:
    """The stacked trials as arrays, one row per household and campaign.

    Attributes
    ----------
    covariates : DataFrame (n, p), float64
        Household covariates known before time zero; missing values are NaN.
    treatment : int64 (n,)
        1 = mailed, 0 = eligible and not mailed by this campaign.
    outcome : float64 (n,)
        Outcome in USD per household over the outcome window.
    redeemed : float64 (n,)
        1.0 where the household redeemed a coupon of this campaign, else 0.0.
    groups : int64 (n,)
        Household id: the cluster of every interval and the unit of every fold.
    campaign : int64 (n,)
        Campaign id: the trial.
    """

    covariates: pd.DataFrame
    treatment: IntArray
    outcome: FloatArray
    redeemed: FloatArray
    groups: IntArray
    campaign: IntArray


@dataclass(frozen=True, slots=True)
class NuisanceValues:
    """Out-of-fold nuisances of the rows of one analysis, each ``(n,)``.

    Attributes
    ----------
    propensity : float64 (n,)
        P(mailed | covariates), clipped to the configured bounds.
    mu0, mu1 : float64 (n,)
        Expected outcome in USD if not mailed / if mailed.
    """

    propensity: FloatArray
    mu0: FloatArray
    mu1: FloatArray

    @property
    def outcome_mean(self) -> FloatArray:
        """Expected outcome under the treatment as it was assigned, USD, ``(n,)``."""
        return self.propensity * self.mu1 + (1.0 - self.propensity) * self.mu0

    def take(self, rows: BoolArray | IntArray) -> NuisanceValues:
        """Return the same nuisances of the chosen rows."""
        return NuisanceValues(self.propensity[rows], self.mu0[rows], self.mu1[rows])


@dataclass(frozen=True, slots=True)
class CrossFittedNuisances:
    """Cross-fitted nuisances, computed once and shared by all that follow.

    Attributes
    ----------
    fold : int64 (n,)
        Fold of each row, constant within a household.
    propensity, mu0, mu1, redemption : float64 (n, K)
        See the module's note on columns. ``redemption`` is P(redeems | covariates, mailed).
    raw_propensity_held_out : float64 (n,)
        Held-out propensities before clipping, for the overlap checks.
    n_clipped : int
        Rows whose held-out propensity was moved by clipping.
    clip : float
        The bound: propensities live in ``[clip, 1 - clip]``.
    tuned : DataFrame
        One row per tuned nuisance and held-out fold: model, fold, loss, n_trials, parameters.
    """

    fold: IntArray
    propensity: FloatArray
    mu0: FloatArray
    mu1: FloatArray
    redemption: FloatArray
    raw_propensity_held_out: FloatArray
    n_clipped: int
    clip: float
    tuned: pd.DataFrame

    @property
    def n_folds(self) -> int:
        """Number of folds ``K``."""
        return int(self.propensity.shape[1])

    def excluding(self, fold: int) -> NuisanceValues:
        """Nuisances for the analysis that holds ``fold`` out."""
        return NuisanceValues(self.propensity[:, fold], self.mu0[:, fold], self.mu1[:, fold])

    def held_out(self) -> NuisanceValues:
        """Nuisances of each row from models that saw the other folds only (the diagonal)."""
        rows = np.arange(len(self.fold))
        return NuisanceValues(
            self.propensity[rows, self.fold], self.mu0[rows, self.fold], self.mu1[rows, self.fold]
        )

    def redemption_held_out(self) -> FloatArray:
        """P(redeems | mailed) of each row from models that saw the other folds only."""
        return self.redemption[np.arange(len(self.fold)), self.fold]


@dataclass(frozen=True, slots=True)
class CrossFittedCate:
    """One learner's CATE, cross-fitted like the nuisances.

    Attributes
    ----------
    learner : str
        Its name in the registry.
    cate : float64 (n, K)
        Predicted effect of the mailing, USD per household (for a ranking-only baseline: its score).
    fold : int64 (n,)
        Fold of each row.
    tuning : DataFrame
        One row per Optuna trial: fold, number, state, loss, seconds, and a column per parameter.
    parameters : tuple of dict
        Chosen hyperparameters, one per held-out fold.
    seconds : float
        Wall time of tuning, fitting and predicting.
    """

    learner: str
    cate: FloatArray
    fold: IntArray
    tuning: pd.DataFrame
    parameters: tuple[dict[str, float | int | str | bool], ...]
    seconds: float

    def held_out(self) -> FloatArray:
        """CATE of each row from a model that never saw its fold, ``(n,)``."""
        return self.cate[np.arange(len(self.fold)), self.fold]
