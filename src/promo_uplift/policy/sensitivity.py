r"""How strong a hidden trait would have to be to turn a policy's profit around.

Marginal sensitivity model: a hidden trait changes the odds of being treated, given the covariates,
by at most a factor :math:`\Lambda` up or down. What a policy would have earned is known where the
outcome was seen; only the other half rests on comparable rows of the other arm. With :math:`Z` the
profit outcome of an arm, :math:`\mu` its model and :math:`w` the chance of a contact,

.. math::

    E[w (Z_1 - Z_0)] = E[w T (Z_1 - \mu_0)] + E[w (1 - T) (\mu_1 - Z_0)]
        + E[w (1 - T)\, \varepsilon_1] - E[w T\, \varepsilon_0],

and the last two means, of residuals that nobody saw, are Hajek averages over the other arm,

.. math::

    \frac{\sum_{T = 1} w \frac{1 - e}{e}\, \lambda\, \varepsilon_1}
         {\sum_{T = 1} w \frac{1 - e}{e}\, \lambda}, \qquad 1/\Lambda \le \lambda \le \Lambda.

The extremes of this linear-fractional programme put :math:`\Lambda` on the largest residuals and
:math:`1/\Lambda` on the others: one sort. At :math:`\Lambda = 1` it is the doubly robust value with
normalised weights. Averages are taken within strata of the predicted outcome, each of which must be
reproduced by the weights (a balancing constraint, which sharpens the bounds where the spread of
spend grows with its mean).

References
----------
Tan (2006), *JASA* 101(476); Zhao, Small & Bhattacharya (2019), *JRSS B* 81(4); Dorn & Guo (2023),
*JASA* 118(544) (balancing); Kallus & Zhou (2021), *Management Science* 67(5) (policies).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import SensitivityParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import HouseholdDraws, household_draws
from promo_uplift.policy.extremes import (
    Bounds,
    Moving,
    Unseen,
    critical_strengths,
    nearer_bound,
)
from promo_uplift.policy.profit_outcomes import ArmProfits, ProfitOutcomes

RANDOMISED = "not applicable: the assignment was randomised"
NOBODY = "the policy differs for nobody"
TOO_FEW = "too few rows of the other arm to compare with"
#: Strengths between which the sample's bound is interpolated.
GRID = 201
#: Numbers of a prefix sum that are held at once: 64 MB.
BLOCK = 8_000_000


@dataclass(frozen=True, slots=True)
class Contacts:
    """How much more often a policy contacts each row than what it is compared with.

    Attributes
    ----------
    if_treated, if_control : float64 (n,)
        In [-1, 1], by the arm that the row was in. A rule on covariates has the same in both; the
        mailing as it was contacts whom it treated: 1 and 0.
    """

    if_treated: FloatArray
    if_control: FloatArray

    @classmethod
    def of_rule(cls, weights: FloatArray) -> Contacts:
        """Contacts of a rule on covariates, ``(n,)``."""
        return cls(weights, weights)

    @classmethod
    def as_mailed(cls, n_rows: int) -> Contacts:
        """Contacts of the mailing as it was."""
        return cls(np.ones(n_rows), np.zeros(n_rows))

    def minus(self, other: Contacts) -> Contacts:
        """Contacts beyond those of another policy."""
        return Contacts(self.if_treated - other.if_treated, self.if_control - other.if_control)


@dataclass(frozen=True, slots=True)
class PolicySensitivity:
    """Bounds of one policy's profit over another's, USD per household of the population.

    Attributes
    ----------
    policy, against : str
    estimate : float
        Without a hidden trait.
    table : DataFrame
        One row per strength: ``strength, low, high`` (bounds of the estimate), ``ci_low, ci_high``
        (percentile household bootstrap of both bounds, each replicate under its own money).
    critical_strength : float
        Strength from which on the bounds hold 0; infinite beyond ``max_strength``, NaN without
        bounds.
    critical_strength_ci : float
        The same of the bounds' interval; 1 where it holds 0 without any hidden trait.
    reason : str
        Why there is nothing; empty where there is.
    """

    policy: str
    against: str
    estimate: float
    table: pd.DataFrame
    critical_strength: float
    critical_strength_ci: float
    reason: str = ""


def bound_policy(
    *,
    policy: str,
    against: str,
    contacts: Contacts,
    outcomes: ProfitOutcomes,
    parameters: SensitivityParameters,
    level: float,
    factor: float,
    rng: np.random.Generator,
) -> PolicySensitivity:
    """Bounds of a policy's profit over another's under a hidden trait, USD per household.

    Parameters
    ----------
    policy, against : str
        Names of the two.
    contacts : Contacts
        What the policy does beyond the other, for each row.
    outcomes : ProfitOutcomes
        Of :func:`profit_outcomes`.
    parameters : SensitivityParameters
        Strengths, their limit and tolerance, replicates, strata.
    level : float
        Of the interval.
    factor : float
        By which the interval is wider than the replicates say, at least 1: of rules that are
        learned on the other folds :func:`promo_uplift.metrics.fold_dependence.choice_factor`. What
        is not known of money is stretched with it.
    rng : Generator
        Source of the draws of households, and of money that is not known.

    Raises
    ------
    PolicyError
        If weights are not one per row within [-1, 1].

    Notes
    -----
    Scope: binary treatment. Nuisances and predictions are taken as given; replicates repeat the
    programme only. Money that is a distribution is drawn with the households: a replicate has the
    profits of its own money, sorted anew, in strata that stay those of expected money. Bounds are
    valid, and sharp up to the strata (Dorn & Guo 2023). A stratum of which a replicate draws no row
    of the other arm has its prediction taken for right there.
    """
    _validate(contacts, outcomes)
    if outcomes.is_randomised:
        return _nothing(policy, against, RANDOMISED)
    moved = _Moved.of(outcomes, parameters.replicates, rng)
    parts: list[Unseen] = []
    for sign in (1.0, -1.0):
        parts += _unseen(_part(contacts, sign), moved, parameters, sign)
    if not parts:
        return _nothing(policy, against, NOBODY)
    if any(not one.strata for one in parts):
        return _nothing(policy, against, TOO_FEW)
    draws = household_draws(groups=outcomes.groups, replicates=parameters.replicates, rng=rng)
    known = moved.each(lambda profits: _known(contacts, outcomes.treatment, profits))
    sample = Bounds.of(known, parts, draws, slice(0, 1))
    estimate = float(sample.at(np.ones(1))[0][0])
    gains = estimate >= 0.0
    above = _held_back(sample, factor=factor, gains=gains, max_strength=parameters.max_strength)
    found = [
        _block(
            Bounds.of(known, parts, draws, block), gains=gains, above=above, parameters=parameters
        )
        for block in _blocks(parts, draws)
    ]
    low, high, critical = (np.hstack(one) for one in zip(*found, strict=True))
    low, high = (one[:, :1] + factor * (one - one[:, :1]) for one in (low, high))
    # the replicate at or below the quantile of the bounds: n of them cut the line into n + 1 parts
    tail = (1.0 - level) / 2.0
    table = pd.DataFrame(
        {
            "strength": np.asarray(parameters.strengths, dtype=np.float64),
            "low": low[:, 0],
            "high": high[:, 0],
            "ci_low": np.quantile(low[:, 1:], tail, axis=1, method="weibull"),
            "ci_high": np.quantile(high[:, 1:], 1.0 - tail, axis=1, method="weibull"),
        }
    )
    return PolicySensitivity(
        policy=policy,
        against=against,
        estimate=estimate,
        table=table,
        critical_strength=float(critical[0]),
        critical_strength_ci=float(np.sort(critical[1:])[max(int(tail * critical.size) - 1, 0)]),
    )


def _nothing(policy: str, against: str, reason: str) -> PolicySensitivity:
    nan = float("nan")
    table = pd.DataFrame(columns=["strength", "low", "high", "ci_low", "ci_high"], dtype=float)
    return PolicySensitivity(policy, against, nan, table, nan, nan, reason)


def _blocks(parts: Sequence[Unseen], draws: HouseholdDraws) -> list[slice]:
    """Replicates in blocks whose prefix sums fit in memory."""
    rows = sum(len(donors) for part in parts for donors, _ in part.strata)
    size = max(1, BLOCK // (rows + 1))
    return [slice(start, start + size) for start in range(0, draws.counts.shape[1], size)]


def _held_back(
    sample: Bounds, *, factor: float, gains: bool, max_strength: float
) -> Callable[[FloatArray], FloatArray]:
    r"""How far above 0 a replicate's bound must lie so that the wider interval excludes 0.

    With :math:`q` the quantile of the replicates' bounds :math:`b` and :math:`b_0` the sample's,
    :math:`b_0 + f (q - b_0) > 0` is :math:`q(b - (1 - 1/f)\, b_0) > 0`: one more than what the
    replicates say by themselves, :math:`q(b) > 0`. Between strengths :math:`b_0` is interpolated.
    """
    grid = np.geomspace(1.0, max_strength, GRID)
    own = [float(nearer_bound(sample, np.array([one]), gains=gains)[0]) for one in grid]

    def above(strength: FloatArray) -> FloatArray:
        return (1.0 - 1.0 / factor) * np.interp(strength, grid, own)

    return above


def _block(
    bounds: Bounds,
    *,
    gains: bool,
    above: Callable[[FloatArray], FloatArray],
    parameters: SensitivityParameters,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower and upper bounds ``(S, R)`` and critical strength ``(R,)`` of a block."""
    both = [bounds.at(np.full(bounds.size, one)) for one in parameters.strengths]
    low, high = np.stack([one for one, _ in both]), np.stack([one for _, one in both])
    return (
        low,
        high,
        critical_strengths(
            bounds,
            gains=gains,
            above=above,
            max_strength=parameters.max_strength,
            tolerance=parameters.tolerance,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Moved:
    """Profit outcomes, and how each replicate's money moves them."""

    outcomes: ProfitOutcomes
    deviations: FloatArray

    @classmethod
    def of(cls, outcomes: ProfitOutcomes, replicates: int, rng: np.random.Generator) -> _Moved:
        """Draw the money, which leaves ``rng`` as it is."""
        if outcomes.unknown is None:
            return cls(outcomes, np.zeros((0, 1 + replicates)))
        return cls(outcomes, outcomes.unknown.deviations(replicates=replicates, rng=rng))

    def each(self, values: Callable[[ArmProfits], FloatArray]) -> Moving:
        """Return a linear function ``(n,)`` of the profits, in every replicate."""
        unknown = self.outcomes.unknown
        slopes = [] if unknown is None else [values(one) for one in unknown.slopes.values()]
        return Moving(
            base=values(self.outcomes.profits),
            slopes=np.reshape(slopes, (len(slopes), len(self.outcomes.seen))),
            deviations=self.deviations,
        )


def _unseen(
    part: Contacts, moved: _Moved, parameters: SensitivityParameters, sign: float
) -> list[Unseen]:
    """Residuals of the treated arm on control rows, and of the control arm on treated rows."""
    outcomes = moved.outcomes
    treated = outcomes.treatment == 1
    arms = (
        (treated, part.if_control, 1.0 / outcomes.odds, "predicted_treated", sign),
        (~treated, part.if_treated, outcomes.odds, "predicted_control", -sign),
    )
    found = []
    for is_donor, weight, odds, arm, own_sign in arms:
        residual = moved.each(partial(_residual, arm=arm))
        targets = np.flatnonzero(~is_donor & (weight > 0.0))
        if len(targets) == 0:
            continue
        donors = np.flatnonzero(is_donor & (weight > 0.0))
        donors = donors[np.argsort(residual.base[donors], kind="stable")]
        pairs = _strata(donors, targets, getattr(outcomes, arm), parameters)
        found.append(Unseen(pairs, residual=residual, odds=odds, weight=weight, sign=own_sign))
    return found


def _strata(
    donors: IntArray, targets: IntArray, predicted: FloatArray, parameters: SensitivityParameters
) -> tuple[tuple[IntArray, IntArray], ...]:
    """Equal parts of the donors by predicted outcome, with the targets among them."""
    number = min(parameters.strata, len(donors) // parameters.min_stratum_rows)
    if number == 0:
        return ()
    inner = np.arange(1, number) / number
    edges = np.unique(np.quantile(predicted[donors], inner, method="inverted_cdf"))
    edges = edges[edges < predicted[donors].max()]
    of_donor, of_target = (np.searchsorted(edges, predicted[rows]) for rows in (donors, targets))
    return tuple(
        (donors[of_donor == one], targets[of_target == one]) for one in np.unique(of_target)
    )


def _residual(profits: ArmProfits, *, arm: str) -> FloatArray:
    predicted: FloatArray = getattr(profits, arm)
    return profits.seen - predicted


def _known(contacts: Contacts, treatment: IntArray, profits: ArmProfits) -> FloatArray:
    """Return what each row adds without a residual of the other arm, USD, ``(n,)``."""
    return np.where(
        treatment == 1,
        contacts.if_treated * (profits.seen - profits.predicted_control),
        contacts.if_control * (profits.predicted_treated - profits.seen),
    )


def _part(contacts: Contacts, sign: float) -> Contacts:
    return Contacts(
        np.maximum(sign * contacts.if_treated, 0.0), np.maximum(sign * contacts.if_control, 0.0)
    )


def _validate(contacts: Contacts, outcomes: ProfitOutcomes) -> None:
    for name, values in (("if_treated", contacts.if_treated), ("if_control", contacts.if_control)):
        if values.shape != outcomes.seen.shape:
            raise PolicyError(
                f"`{name}` must have one chance per row, shape {outcomes.seen.shape}; found "
                f"{values.shape}."
            )
        outside = ~(np.abs(values) <= 1.0)
        if outside.any():
            raise PolicyError(
                f"`{name}` must lie in [-1, 1]; {int(outside.sum())} of {len(values)} do not, e.g. "
                f"{values[outside][0]:g}. Give the chance of a contact, less that of the policy it "
                "is compared with."
            )
