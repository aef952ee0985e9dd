"""Results that travel between rooms: frozen, typed, with every array's shape stated.

Shapes: ``n`` rows (household x campaign), ``K`` folds, ``p`` covariates.

Cross-fitted quantities are matrices ``(n, K)``. Column ``k`` belongs to the analysis in which
fold ``k`` is held out, and is safe there: the value of a row in fold ``m`` comes from models that
were fitted on neither fold ``m`` nor fold ``k``. So the off-diagonal part of column ``k`` trains,
tunes and chooses for fold ``k`` without a look at it, and the diagonal part (``m == k``) evaluates.
Nothing in column ``k`` depends on treatments or outcomes of fold ``k``; an off-diagonal effect of a
row in fold ``m`` does depend on fold ``m`` through the hyperparameters and the propensities of its
training rows (with three folds, through all their nuisances), which is why it chooses and never
evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
#: In place of a column's position, where training saw every category of a row.
ALL_SEEN: Final = -1


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


class ColumnOfTable(Protocol):
    """A column of a user's table that becomes covariates."""

    @property
    def name(self) -> str:
        """Its name in the table."""
        ...

    @property
    def kind(self) -> str:
        """``number`` or ``category``."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels of a category, as training saw them."""
        ...


class CovariateEncoder(Protocol):
    """Turns rows of a user's table into the covariates that models were fitted on."""

    @property
    def columns(self) -> Sequence[ColumnOfTable]:
        """Columns of the table that it reads."""
        ...

    def encode(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
        """Covariates ``(m, p)``; ``(m,)`` first column of an unseen level, or ALL_SEEN."""
        ...

    def decode(self, covariates: pd.DataFrame) -> pd.DataFrame:
        """Rows of the user's table that have these covariates."""
        ...


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
    known_propensity : float64 (n,) or None
        P(mailed) by the design of an experiment, strictly between 0 and 1; None where the
        assignment was nobody's lottery and has to be modelled.
    row : int64 (n,) or None
        Position of each row in the table that the user brought; None for retail trials.
    encoder : CovariateEncoder or None
        How that table's columns became covariates; None for retail trials.
    comparison : str or None
        "<arm> against <control>" of that table; None for retail trials.
    time_zero : datetime64[D] (n,) or None
        Day from which the outcome of each row counts; None where no date is known.
    """

    covariates: pd.DataFrame
    treatment: IntArray
    outcome: FloatArray
    redeemed: FloatArray
    groups: IntArray
    campaign: IntArray
    known_propensity: FloatArray | None = None
    row: IntArray | None = None
    encoder: CovariateEncoder | None = None
    comparison: str | None = None
    time_zero: NDArray[np.datetime64] | None = None


@dataclass(frozen=True, slots=True)
class TrialTruth:
    """What a simulated or published world knows of each row of a trial table, each ``(n,)``.

    Never read by an analysis: only what judges it may see it.

    Attributes
    ----------
    cate : float64 (n,)
        True expected effect of the treatment on the outcome, in the outcome's unit.
    propensity : float64 (n,)
        True P(treated); NaN where the world does not publish it.
    mu0, mu1 : float64 (n,)
        True expected outcome if not treated / if treated; ``cate`` is their difference.
    """

    cate: FloatArray
    propensity: FloatArray
    mu0: FloatArray
    mu1: FloatArray


@dataclass(frozen=True, slots=True)
class NuisanceValues:
    """Out-of-fold nuisances of the rows of one analysis, each ``(n,)``.

    Attributes
    ----------
    propensity : float64 (n,)
        P(mailed | covariates), clipped to the configured bounds.
    mu0, mu1 : float64 (n,)
        Expected outcome in USD if not mailed / if mailed.
    given_outcome_mean : float64 (n,) or None
        Expected outcome under the treatment as it was assigned, where it does not follow from the
        others; None: it does.
    """

    propensity: FloatArray
    mu0: FloatArray
    mu1: FloatArray
    given_outcome_mean: FloatArray | None = None

    @classmethod
    def of_dose(cls, *, dose_mean: FloatArray, outcome_mean: FloatArray) -> NuisanceValues:
        """Nuisances of a continuous dose: E[dose | x] and E[outcome | x], each ``(n,)``.

        ``propensity`` holds the expected dose; there are no two arms, so ``mu0`` and ``mu1`` are
        NaN.
        """
        no_arm = np.full(len(dose_mean), np.nan)
        return cls(dose_mean, no_arm, no_arm, outcome_mean)

    @property
    def outcome_mean(self) -> FloatArray:
        """Expected outcome under the treatment as it was assigned, USD, ``(n,)``."""
        if self.given_outcome_mean is not None:
            return self.given_outcome_mean
        return self.propensity * self.mu1 + (1.0 - self.propensity) * self.mu0

    def take(self, rows: BoolArray | IntArray) -> NuisanceValues:
        """Return the same nuisances of the chosen rows."""
        given = self.given_outcome_mean
        return NuisanceValues(
            self.propensity[rows],
            self.mu0[rows],
            self.mu1[rows],
            None if given is None else given[rows],
        )


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
        Held-out propensities as the covariates predict them, calibrated where that was asked for
        and before clipping, for the checks of overlap or, in an experiment, of the lottery.
    n_clipped : int
        Rows whose held-out propensity was moved by clipping.
    clip : float
        The bound: propensities live in ``[clip, 1 - clip]``.
    tuned : DataFrame
        One row per tuned nuisance and held-out fold: model, fold, loss, n_trials, parameters.
    is_propensity_known : bool
        Whether ``propensity`` is the experiment's own (unclipped) instead of an estimate.
    calibration : DataFrame or None
        One row per held-out fold: what the test of calibration found there, and what was chosen.
    uncalibrated_held_out : float64 (n,) or None
        Held-out propensities of the model before calibration and clipping; None where nothing
        was calibrated.
    is_reused : bool
        Whether an earlier run computed them, for the same data, folds, settings and code.
    pair_outcomes : mapping of (int, int) to float64 (2, rows)
        By ``(m, k)``, ``mu0`` and ``mu1`` of the rows outside both folds, in their order, from
        models that saw neither fold nor the row's own; empty with three folds.
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
    is_propensity_known: bool = False
    calibration: pd.DataFrame | None = None
    uncalibrated_held_out: FloatArray | None = None
    is_reused: bool = False
    pair_outcomes: Mapping[tuple[int, int], FloatArray] = field(default_factory=dict)

    @property
    def n_folds(self) -> int:
        """Number of folds ``K``."""
        return int(self.propensity.shape[1])

    def excluding(self, fold: int) -> NuisanceValues:
        """Nuisances for the analysis that holds ``fold`` out."""
        return NuisanceValues(self.propensity[:, fold], self.mu0[:, fold], self.mu1[:, fold])

    def training(self, *, held_out: int, fold: int) -> NuisanceValues:
        """Nuisances of the rows outside both folds, in order: they train what predicts ``fold``.

        Outcomes come from models that did not see ``fold`` either, where there are folds enough;
        the propensity may have seen who of ``fold`` was treated.
        """
        rows = ~np.isin(self.fold, (held_out, fold))
        values = self.excluding(held_out).take(rows)
        outcomes = self.pair_outcomes.get((fold, held_out))
        if outcomes is None:
            return values
        return NuisanceValues(values.propensity, outcomes[0], outcomes[1])

    def held_out(self) -> NuisanceValues:
        """Nuisances of each row from models that saw the other folds only (the diagonal)."""
        rows = np.arange(len(self.fold))
        return NuisanceValues(
            self.propensity[rows, self.fold], self.mu0[rows, self.fold], self.mu1[rows, self.fold]
        )

    def assignment_propensity(self) -> FloatArray:
        """P(treated) before clipping, ``(n,)``: the design's where it is known, else modelled."""
        return (
            self.held_out().propensity
            if self.is_propensity_known
            else (self.raw_propensity_held_out)
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
    default_cate : float64 (n,) or None
        Held-out CATE with the defaults; None where nothing was tuned.
    seconds_tuning, seconds_fitting : float
        Its parts: the search with the fits that value it; the fits that predict.
    studies : DataFrame or None
        One row per held-out fold of a tuned learner: trials, pruned, stopped_by, gain (inner loss
        of the defaults minus that of the best trial) with interval, used (``defaults`` or
        ``best``), warm_start_moved, seconds.
    tuning_loss : str or None
        Loss that the studies minimised.
    """

    learner: str
    cate: FloatArray
    fold: IntArray
    tuning: pd.DataFrame
    parameters: tuple[dict[str, float | int | str | bool], ...]
    seconds: float
    default_cate: FloatArray | None = None
    seconds_tuning: float = 0.0
    seconds_fitting: float = 0.0
    studies: pd.DataFrame | None = None
    tuning_loss: str | None = None

    def held_out(self) -> FloatArray:
        """CATE of each row from a model that never saw its fold, ``(n,)``."""
        return self.cate[np.arange(len(self.fold)), self.fold]
