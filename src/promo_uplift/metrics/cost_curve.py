r"""Multi-arm cost curves: the gain of the best use of every budget over several arms.

Each household has arms that cost something and promise something. For a budget, the assignment
that promises most buys, household by household, the steps along the upper-left convex hull of its
arms' (cost, promise), in the order of promise per cost. The value of what is bought is read off
doubly robust scores of the same held-out rows, never off the promises.

References
----------
Sverdrup, Wu, Athey & Wager (2023), *Qini Curves for Multi-Armed Treatment Rules*, Journal of
Computational and Graphical Statistics, arXiv:2306.11979 (and the package grf-labs/maq).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, Interval
from promo_uplift.metrics import cost_kernels
from promo_uplift.metrics.bootstrap import HouseholdDraws, household_draws, percentile_interval
from promo_uplift.metrics.folds import fold_rows

#: In place of an arm: nobody is treated.
NO_ARM = -1
#: Share of a budget by which sums of costs may miss it in floating point.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class CostPath:
    """Steps that a growing budget buys, the best first.

    Attributes
    ----------
    row, arm, before : int64 (m,)
        Whose step it is, the arm it moves to, and the arm it leaves (-1: nobody treated).
    cost, reward : float64 (m,)
        What the step adds to the cost and to the predicted reward.
    starts : int64 (b + 1,)
        Where each block of steps with one ratio of reward to cost starts, and ``m``. A block is
        bought little by little, each step alike, so that nothing depends on the order of rows.
    n_rows : int
        Rows that share the budget, bought or not.
    """

    row: IntArray
    arm: IntArray
    before: IntArray
    cost: FloatArray
    reward: FloatArray
    starts: IntArray
    n_rows: int

    @property
    def spend(self) -> FloatArray:
        """Spend per row once each step is bought, ``(m,)``."""
        return np.asarray(np.cumsum(self.cost) / self.n_rows)

    def predicted_reward(self, budgets: FloatArray) -> FloatArray:
        """Predicted reward per row at each budget per row, ``(len(budgets),)``."""
        spend = np.r_[0.0, self.spend]
        return np.interp(budgets, spend, np.r_[0.0, np.cumsum(self.reward) / self.n_rows])

    def assignment(self, *, budget: float) -> IntArray:
        """Arm of each row for a budget per row, -1 for none, ``(n,)``.

        Whole steps in order, those that no longer fit passed over; of equally good steps those of
        the first rows come first. Its reward is below the optimum by less than one step's.
        """
        arms = np.full(self.n_rows, NO_ARM, dtype=np.int64)
        limit = budget * self.n_rows * (1.0 + ROUNDING)
        cost_kernels.buy(self.row, self.arm, self.cost, limit, arms)
        return arms


def cost_path(*, rewards: FloatArray, costs: FloatArray) -> CostPath:
    """Order the steps along every household's hull by predicted reward per cost.

    Parameters
    ----------
    rewards : float64 (n, A)
        Predicted effect of each arm against no arm. Arms that promise nothing are never bought.
    costs : float64 (n, A) or (A,)
        Cost of each arm, above 0; infinite where the arm is not on offer to the household.

    Raises
    ------
    MetricError
        If shapes differ, a reward is not finite, or a cost is NaN or not above 0.
    """
    promised, price = _checked(rewards=rewards, costs=costs)
    row, arm, before, ratio = cost_kernels.steps(promised, price)
    order = np.argsort(-ratio, kind="stable")
    row, arm, before, ratio = row[order], arm[order], before[order], ratio[order]
    starts = np.flatnonzero(np.r_[True, ratio[1:] != ratio[:-1], True]).astype(np.int64)
    return CostPath(
        row=row,
        arm=arm,
        before=before,
        cost=_added(price, row, arm, before),
        reward=_added(promised, row, arm, before),
        starts=starts if len(ratio) else np.zeros(1, dtype=np.int64),
        n_rows=len(promised),
    )


def _added(values: FloatArray, row: IntArray, arm: IntArray, before: IntArray) -> FloatArray:
    left = np.where(before >= 0, values[row, np.maximum(before, 0)], 0.0)
    return np.asarray(values[row, arm] - left)


def _checked(*, rewards: FloatArray, costs: FloatArray) -> tuple[FloatArray, FloatArray]:
    promised = np.ascontiguousarray(rewards, dtype=np.float64)
    if promised.ndim != 2 or 0 in promised.shape:
        raise MetricError(
            f"`rewards` must have one row per household and one column per arm; got shape "
            f"{promised.shape}. One arm is a column: `rewards[:, None]`."
        )
    given = np.asarray(costs, dtype=np.float64)
    if given.shape not in (promised.shape, promised.shape[1:]):
        raise MetricError(
            f"`costs` must have shape {promised.shape}, or {promised.shape[1:]} for a cost per "
            f"arm; got {given.shape}."
        )
    if not np.isfinite(promised).all():
        raise MetricError(
            f"`rewards` must be finite; {int((~np.isfinite(promised)).sum())} are not. An arm that "
            "is not on offer to a household has an infinite cost."
        )
    n_odd = int((~(given > 0.0)).sum())
    if n_odd:
        raise MetricError(
            f"`costs` must be above 0 (infinite where an arm is not on offer); {n_odd} are not. "
            "An arm that costs nothing needs no budget: leave it out, or give all who gain it."
        )
    return promised, np.ascontiguousarray(np.broadcast_to(given, promised.shape))


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Gain over the budget, on the sample and on each bootstrap replicate.

    Attributes
    ----------
    budgets : float64 (S,)
        Per household, ascending.
    gain, area : float64 (S, 1 + B)
        Mean score gained per household at each budget, and the area under it up to there; column
        0 is the sample, the others are replicates.
    spend_all : float64 (1 + B,)
        Spend per household once every step that promises a gain is bought: where the curve ends.
    draws : HouseholdDraws
        Curves of the same draws can be compared.
    level : float
        Confidence level.
    """

    budgets: FloatArray
    gain: FloatArray
    area: FloatArray
    spend_all: FloatArray
    draws: HouseholdDraws
    level: float

    def gain_at(self, budget: float) -> Interval:
        """Gain per household at one of the budgets, with its interval."""
        return percentile_interval(values=self.gain[self._position(budget)], level=self.level)

    def area_to(self, budget: float) -> Interval:
        """Area under the gain up to one of the budgets: gain times cost, per household."""
        return percentile_interval(values=self.area[self._position(budget)], level=self.level)

    def minus(self, other: CostCurve) -> CostCurve:
        """Gain and area of this curve less those of another, with paired replicates.

        Raises
        ------
        MetricError
            If the curves have other budgets or other draws.
        """
        if other.draws is not self.draws or not np.array_equal(other.budgets, self.budgets):
            raise MetricError(
                "`other` must have the budgets and the household draws of this curve: build both "
                "with the same `budgets` and `draws`."
            )
        return CostCurve(
            budgets=self.budgets,
            gain=self.gain - other.gain,
            area=self.area - other.area,
            spend_all=np.maximum(self.spend_all, other.spend_all),
            draws=self.draws,
            level=self.level,
        )

    def table(self) -> pd.DataFrame:
        """One row per budget.

        Returns
        -------
        DataFrame
            ``budget, spend, gain, std_err, ci_low, ci_high, area, area_ci_low, area_ci_high``.
        """
        tails = [(1.0 - self.level) / 2.0, (1.0 + self.level) / 2.0]
        low, high, area_low, area_high = (
            bound
            for values in (self.gain, self.area)
            # ranks as those of :func:`percentile_interval`
            for bound in np.quantile(values[:, 1:], tails, axis=1, method="weibull")
        )
        return pd.DataFrame(
            {
                "budget": self.budgets,
                "spend": np.minimum(self.budgets, self.spend_all[0]),
                "gain": self.gain[:, 0],
                "std_err": self.gain[:, 1:].std(axis=1, ddof=1),
                "ci_low": low,
                "ci_high": high,
                "area": self.area[:, 0],
                "area_ci_low": area_low,
                "area_ci_high": area_high,
            }
        )

    def _position(self, budget: float) -> int:
        found = np.flatnonzero(np.isclose(self.budgets, budget, rtol=1e-9, atol=0.0))
        if not len(found):
            raise MetricError(
                f"`budget` must be one of the curve's {len(self.budgets)} budgets between "
                f"{self.budgets[0]:g} and {self.budgets[-1]:g}; got {budget:g}. Build the curve "
                "with it."
            )
        return int(found[0])


def cost_curve(  # noqa: PLR0913 - what a curve is a function of
    *,
    rewards: FloatArray,
    costs: FloatArray,
    scores: FloatArray,
    budgets: Sequence[float] | FloatArray,
    groups: IntArray,
    fold: IntArray | None = None,
    draws: HouseholdDraws | None = None,
    replicates: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> CostCurve:
    r"""Gain of the best use of each budget over several arms, with household intervals.

    For a budget :math:`B` per household the policy :math:`\pi_B` maximises the mean predicted
    reward under a mean cost of at most :math:`B`; its gain is
    :math:`\frac1n \sum_i \langle \pi_B(X_i), \Gamma_i\rangle`. Linear between steps, flat once
    nothing that promises a gain is left. A household lies in one replicate as often as it is drawn;
    the order of the steps, which takes the predictions as given, stays.

    Parameters
    ----------
    rewards : float64 (n, A)
        Held-out predicted effect of each arm against no arm.
    costs : float64 (n, A) or (A,)
        Cost of each arm, above 0; infinite where it is not on offer.
    scores : float64 (n, A)
        Doubly robust score of each arm against no arm
        (:func:`promo_uplift.nuisance.scores.multi_arm_scores`).
    budgets : (S,)
        Per household, ascending, 0 or more.
    groups : int64 (n,)
        Household of each row.
    fold : int64 (n,), optional
        Held-out folds: each spends the budget on its own rows, by its own models, and counts by
        its size. None: one fold.
    draws : HouseholdDraws, optional
        Draws of another curve of the same rows, to compare with it; None: drawn here.
    replicates : int
        Bootstrap replicates, where ``draws`` is None.
    level : float
        Confidence level.
    seed : int
        Of the draws.

    Raises
    ------
    MetricError
        As :func:`cost_path`; or scores, budgets, groups or folds do not fit.

    Notes
    -----
    Scope: valid as far as the scores are; the interval is conditional on predictions and
    nuisances. With one arm that costs 1 the curve is the gain curve :math:`Q(q)` at
    :math:`q = B`, up to the share that promises a gain.

    References
    ----------
    Sverdrup, Wu, Athey & Wager (2023), arXiv:2306.11979, section 2.
    """
    promised, price = _checked(rewards=rewards, costs=costs)
    value = np.ascontiguousarray(scores, dtype=np.float64)
    if value.shape != promised.shape or not np.isfinite(value).all():
        raise MetricError(
            f"`scores` must be finite, of shape {promised.shape}; got shape {value.shape} with "
            f"{int((~np.isfinite(value)).sum())} values that are not."
        )
    spendable = np.asarray(budgets, dtype=np.float64)
    if not len(spendable) or spendable[0] < 0.0 or (np.diff(spendable) <= 0.0).any():
        raise MetricError(f"`budgets` must ascend from 0 or more; got {spendable.tolist()}.")
    parts = np.zeros(len(value), dtype=np.int64) if fold is None else np.asarray(fold)
    for name, given in (("groups", groups), ("fold", parts)):
        if given.shape != (len(value),):
            raise MetricError(f"`{name}` must have shape {(len(value),)}, got {given.shape}.")
    drawn = draws or household_draws(
        groups=groups, replicates=replicates, rng=np.random.default_rng(seed)
    )
    n_replicates = drawn.counts.shape[1]
    gain = np.zeros((len(spendable), n_replicates))
    area, spend_all = np.zeros_like(gain), np.zeros(n_replicates)
    for part in fold_rows(fold=parts, draws=drawn):
        path = cost_path(rewards=promised[part.rows], costs=price[part.rows])
        gained, below, spent = cost_kernels.spend_and_gain(
            path.starts,
            part.weights.code[path.row],
            part.weights.counts,
            path.cost,
            _added(value[part.rows], path.row, path.arm, path.before),
            part.weights.divisor,
            spendable,
        )
        gain += part.part * gained
        area += part.part * below
        spend_all += part.part * spent
    return CostCurve(spendable, gain, area, spend_all, drawn, level)


def average_arms(values: FloatArray, *, fold: IntArray | None = None) -> FloatArray:
    """Mean of each arm for every row: what a rule that knows no covariates goes by, ``(n, A)``.

    With the mean rewards and mean costs, :func:`cost_curve` gives the straight lines that treating
    households at random can reach; the area between the curves is the multi-arm Qini.

    Parameters
    ----------
    values : float64 (n, A)
        Predicted rewards, or costs.
    fold : int64 (n,), optional
        Means are taken within each fold.
    """
    result = np.empty_like(np.asarray(values, dtype=np.float64))
    parts = np.zeros(len(result), dtype=np.int64) if fold is None else fold
    for number in np.unique(parts):
        rows: BoolArray = parts == number
        result[rows] = values[rows].mean(axis=0)
    return result
