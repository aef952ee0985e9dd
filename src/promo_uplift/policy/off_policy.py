r"""Value of a policy from a log of another one: weighting, modelling, and both at once.

A log holds, row by row, the action that was taken, its probability :math:`p_i` under the policy
that took it, and the reward. A policy :math:`\pi` that gives the actions other probabilities is
valued by the importance weights :math:`w_i = \pi(A_i \mid X_i) / p_i`, by a reward model
:math:`\hat q(X_i, a)`, or by both. With :math:`\hat q(X_i, \pi) = \sum_a \pi(a \mid X_i)\,
\hat q(X_i, a)` the estimators are means of

=========================  =================================================================
``ipw``                    :math:`w_i Y_i` (Horvitz & Thompson)
``self_normalised_ipw``    :math:`w_i Y_i / \bar w` (Hájek)
``direct``                 :math:`\hat q(X_i, \pi)`
``doubly_robust``          :math:`\hat q(X_i, \pi) + w_i (Y_i - \hat q(X_i, A_i))`
``self_normalised_dr``     the same with :math:`w_i / \bar w`
``switch_dr``              the same with :math:`w_i\, 1[w_i \le \tau]`
=========================  =================================================================

References
----------
Horvitz & Thompson (1952), *JASA* 47; Hájek (1971); Dudik, Erhan, Langford & Li (2014),
*Statistical Science* 29(4), 485-511; Swaminathan & Joachims (2015), *NeurIPS*; Wang, Agarwal &
Dudik (2017), *ICML*, arXiv:1612.01205 (switch); Saito, Aihara, Matsutani & Narita (2021),
*NeurIPS*, arXiv:2008.07146 (Open Bandit, whose library ``obp`` these agree with).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.effects.clustered import ClusteredMean, clustered_mean

#: By how much the probabilities of a row may miss 1 in floating point.
ROUNDING = 1e-8


@dataclass(frozen=True, slots=True)
class LoggedActions:
    """What was done, with which probability, and what it brought.

    Attributes
    ----------
    action : int64 (n,)
        Action taken, 0 to A - 1; "none" is an action.
    probability : float64 (n,)
        Probability of the action taken under the policy that took it, known or estimated.
    reward : float64 (n,)
        USD, or another unit that every value then has.
    groups : int64 (n,)
        Household of each row: the cluster.
    """

    action: IntArray
    probability: FloatArray
    reward: FloatArray
    groups: IntArray


@dataclass(frozen=True, slots=True)
class ImportanceWeights:
    """How much of the log speaks of the policy.

    Attributes
    ----------
    mean : float
        1 in expectation, where every action that the policy takes could be taken in the log.
    largest : float
        Largest weight.
    effective_rows : float
        Rows that would carry as much if all weighed the same (Kish).
    n_used : int
        Rows with a weight above 0.
    n_switched : int
        Rows whose weight is above the switch; 0 where there is none.
    """

    mean: float
    largest: float
    effective_rows: float
    n_used: int
    n_switched: int


@dataclass(frozen=True, slots=True)
class OffPolicyValues:
    """Value of a policy under every estimator, per row of the log, in the reward's unit.

    Attributes
    ----------
    by_estimator : dict of ClusteredMean
        The value, with a standard error clustered by household.
    minus_baseline : dict of ClusteredMean
        Value of the policy less the baseline's, paired; empty where there is no baseline.
    weights : ImportanceWeights
    level : float
        Confidence level.
    """

    by_estimator: dict[str, ClusteredMean]
    minus_baseline: dict[str, ClusteredMean]
    weights: ImportanceWeights
    level: float

    def interval(self, estimator: str) -> Interval:
        """Value under one estimator, with its interval."""
        return self.by_estimator[estimator].interval(level=self.level)

    def table(self) -> pd.DataFrame:
        """One row per estimator and figure.

        Returns
        -------
        DataFrame
            ``estimator, figure (value, minus_baseline), estimate, std_err, ci_low, ci_high``.
        """
        rows = []
        for figure in ("value", "minus_baseline"):
            found = self.by_estimator if figure == "value" else self.minus_baseline
            for name, one in found.items():
                bounds = one.interval(level=self.level)
                rows.append((name, figure, one.estimate, one.se, bounds.ci_low, bounds.ci_high))
        columns = ["estimator", "figure", "estimate", "std_err", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the estimators are made of, ``(n,)`` each; the model's parts are 0 without a model."""

    weight: FloatArray
    reward: FloatArray
    expected: FloatArray
    residual: FloatArray
    switch_at: float


def _ipw(terms: _Terms) -> FloatArray:
    return terms.weight * terms.reward


def _self_normalised_ipw(terms: _Terms) -> FloatArray:
    return _ratio(terms.weight * terms.reward, terms.weight)


def _direct(terms: _Terms) -> FloatArray:
    return terms.expected


def _doubly_robust(terms: _Terms) -> FloatArray:
    return terms.expected + terms.weight * terms.residual


def _self_normalised_dr(terms: _Terms) -> FloatArray:
    return terms.expected + _ratio(terms.weight * terms.residual, terms.weight)


def _switch_dr(terms: _Terms) -> FloatArray:
    kept = np.where(terms.weight <= terms.switch_at, terms.weight, 0.0)
    return terms.expected + kept * terms.residual


def _ratio(numerator: FloatArray, weight: FloatArray) -> FloatArray:
    """Terms whose mean is the ratio of the sums, and whose spread is its linearisation's."""
    value = numerator.sum() / weight.sum()
    return np.asarray(value + (numerator - value * weight) / weight.mean())


_WEIGHTING: dict[str, Callable[[_Terms], FloatArray]] = {
    "ipw": _ipw,
    "self_normalised_ipw": _self_normalised_ipw,
}
_MODELLING: dict[str, Callable[[_Terms], FloatArray]] = {
    "direct": _direct,
    "doubly_robust": _doubly_robust,
    "self_normalised_dr": _self_normalised_dr,
}
_SWITCHING: dict[str, Callable[[_Terms], FloatArray]] = {"switch_dr": _switch_dr}


def off_policy_values(
    *,
    logged: LoggedActions,
    policy: FloatArray,
    level: float,
    reward_model: FloatArray | None = None,
    baseline: FloatArray | None = None,
    switch_at: float | None = None,
) -> OffPolicyValues:
    r"""Value a policy from logged data, per row, in the reward's unit, by every estimator.

    Parameters
    ----------
    logged : LoggedActions
    policy : float64 (n, A)
        Probability that the valued policy gives each action in each row; rows add up to 1. One 1
        per row where it is deterministic. It must not have been chosen on these rewards.
    level : float
        Confidence level.
    reward_model : float64 (n, A), optional
        Expected reward of each action in each row, from models that did not see the row. None:
        only the two weighting estimators.
    baseline : float64 (n, A), optional
        A policy to compare with: differences are paired row by row.
    switch_at : float, optional
        Weight above which ``switch_dr`` relies on the model alone, which trades bias for
        variance; None: that estimator is left out.

    Raises
    ------
    PolicyError
        If shapes differ, a value is not finite, a probability is not in (0, 1], a policy's rows do
        not add up to 1, an action is none of 0 to A - 1, or a policy takes no logged action at
        all.

    Notes
    -----
    Scope: valid where what drove the logged choice is in the probabilities, and every action that
    the policy takes had a chance. ``ipw`` and ``self_normalised_ipw`` need right probabilities,
    ``direct`` a right model, the doubly robust ones either. Errors are sandwich errors over
    household sums (of the linearised ratio, where weights are normalised), conditional on
    probabilities and model: that of ``direct`` knows nothing of the model's own error.

    Examples
    --------
    >>> log = LoggedActions(
    ...     action=np.array([0, 1, 1, 0]), probability=np.full(4, 0.5),
    ...     reward=np.array([1.0, 3.0, 5.0, 1.0]), groups=np.arange(4))
    >>> always = np.tile([0.0, 1.0], (4, 1))
    >>> off_policy_values(logged=log, policy=always, level=0.95).by_estimator["ipw"].estimate
    4.0
    """
    _check_log(logged)
    _check_policy("policy", policy, logged)
    if baseline is not None:
        _check_policy("baseline", baseline, logged)
    estimators = dict(_WEIGHTING)
    if reward_model is not None:
        _check_model(reward_model, policy)
        estimators |= _MODELLING
    if switch_at is not None:
        _check_switch(switch_at, reward_model)
        estimators |= _SWITCHING
    limit = np.inf if switch_at is None else switch_at
    terms = _terms(logged, policy, reward_model, limit)
    found = {name: estimate(terms) for name, estimate in estimators.items()}
    paired: dict[str, ClusteredMean] = {}
    if baseline is not None:
        other = _terms(logged, baseline, reward_model, limit)
        paired = {
            name: clustered_mean(values=found[name] - estimate(other), groups=logged.groups)
            for name, estimate in estimators.items()
        }
    return OffPolicyValues(
        by_estimator={
            name: clustered_mean(values=one, groups=logged.groups) for name, one in found.items()
        },
        minus_baseline=paired,
        weights=ImportanceWeights(
            mean=float(terms.weight.mean()),
            largest=float(terms.weight.max()),
            effective_rows=float(terms.weight.sum() ** 2 / np.sum(terms.weight**2)),
            n_used=int(np.sum(terms.weight > 0.0)),
            n_switched=int(np.sum(terms.weight > limit)),
        ),
        level=level,
    )


def _terms(
    logged: LoggedActions, policy: FloatArray, reward_model: FloatArray | None, switch_at: float
) -> _Terms:
    rows = np.arange(len(logged.action))
    model = np.zeros_like(policy, dtype=np.float64) if reward_model is None else reward_model
    return _Terms(
        weight=policy[rows, logged.action] / logged.probability,
        reward=logged.reward,
        expected=np.sum(policy * model, axis=1),
        residual=logged.reward - model[rows, logged.action],
        switch_at=switch_at,
    )


def _check_log(logged: LoggedActions) -> None:
    n = len(logged.reward)
    for name in ("action", "probability", "groups"):
        shape = getattr(logged, name).shape
        if shape != (n,):
            raise PolicyError(
                f"`{name}` must have one value per row of the log, shape {(n,)}; got {shape}."
            )
    n_odd = int((~np.isfinite(logged.reward)).sum())
    if n_odd:
        raise PolicyError(
            f"`reward` must be finite; {n_odd} of {n} values are not. Look for rows whose outcome "
            "was never seen."
        )
    n_outside = int((~((logged.probability > 0.0) & (logged.probability <= 1.0))).sum())
    if n_outside:
        raise PolicyError(
            f"`probability` must be above 0 and at most 1: it is that of the action taken; "
            f"{n_outside} of {n} values are not. Estimated ones have to be clipped, and counted."
        )


def _check_policy(name: str, policy: FloatArray, logged: LoggedActions) -> None:
    n = len(logged.reward)
    if policy.ndim != 2 or len(policy) != n:
        raise PolicyError(
            f"`{name}` must have one row per row of the log ({n}) and one column per action; got "
            f"shape {policy.shape}."
        )
    off = ~(np.abs(policy.sum(axis=1) - 1.0) <= ROUNDING) | ~(policy >= 0.0).all(axis=1)
    if off.any():
        raise PolicyError(
            f"`{name}` must hold probabilities that add up to 1 in every row; {int(off.sum())} of "
            f"{n} rows do not. Doing nothing is an action with a column of its own."
        )
    if not np.isin(logged.action, np.arange(policy.shape[1])).all():
        raise PolicyError(
            f"`action` must hold 0 to {policy.shape[1] - 1}, the columns of `{name}`; found "
            f"{np.unique(logged.action).tolist()}."
        )
    if not policy[np.arange(n), logged.action].any():
        raise PolicyError(
            f"`{name}` must take an action that was logged in at least one row; it takes none of "
            "them, so the log says nothing of its value."
        )


def _check_model(reward_model: FloatArray, policy: FloatArray) -> None:
    n_odd = int((~np.isfinite(reward_model)).sum())
    if reward_model.shape != policy.shape or n_odd:
        raise PolicyError(
            f"`reward_model` must be finite, of shape {policy.shape} as the policy; got shape "
            f"{reward_model.shape} with {n_odd} values that are not."
        )


def _check_switch(switch_at: float, reward_model: FloatArray | None) -> None:
    if not switch_at >= 0.0:
        raise PolicyError(f"`switch_at` must be 0 or more, a weight; got {switch_at}.")
    if reward_model is None:
        raise PolicyError(
            "`switch_at` must come with a `reward_model`: above it the model alone speaks."
        )
