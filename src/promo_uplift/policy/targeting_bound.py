r"""At most how much targeting could add over the better of contacting nobody and everybody.

With :math:`X` the expected profit of contacting a household given what is known of it, no rule
earns more than :math:`E\max(X, 0)`, and simple rules earn :math:`\max(\mu, 0)`. With mean
:math:`\mu` and standard deviation :math:`s` of :math:`X`,

.. math::

    E\max(X, 0) - \max(\mu, 0) = \tfrac12 (E|X| - |\mu|) \le
    \tfrac12 \big(\sqrt{\mu^2 + s^2} - |\mu|\big),

since :math:`E|X| \le \sqrt{E X^2}`; two-point laws attain it. The bound falls with :math:`|\mu|`,
so the end of its interval that is nearer to 0 counts.

:math:`s` depends on what a rule may look at, and data bound it from above in two cases only: for
rules on groups of predicted effect, by the spread of the groups' effects and its sampling error;
and for a rule that knew each household's own outcomes, by the largest spread that the arms'
residuals allow (Frechet and Hoeffding). A spread *given covariates* has no upper limit in between
without a bound on how rough effects may be: learners only find a lower one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.metrics.fold_dependence import choice_factor, group_factor
from promo_uplift.metrics.gates import group_members
from promo_uplift.metrics.simultaneous import clustered_covariance, standardised_draws
from promo_uplift.policy.profit_outcomes import ProfitOutcomes, UnknownMoney
from promo_uplift.policy.rows import PolicyRows


@dataclass(frozen=True, slots=True)
class TargetingBound:
    """What targeting could add over the better of ``none`` and ``all``, USD per household.

    Attributes
    ----------
    mean_profit_usd : Interval
        Of contacting everybody.
    best_gain_usd, best_gain_high_usd : float
        Largest gain of the learners that were tried, and the limit that holds for all at once.
    best_learner : str
        Whose gain that is.
    group_sd_usd, group_sd_high_usd : float
        Standard deviation of profit between groups of predicted effect, noise taken off, and its
        upper limit.
    group_gain_high_usd : float
        What a rule on these groups could add at most.
    household_sd_high_usd, household_gain_high_usd : float
        The same for a rule that knew every household's own outcomes.
    level : float
        One-sided confidence of the limits; that of the two structural ones by Bonferroni.
    """

    mean_profit_usd: Interval
    best_gain_usd: float
    best_gain_high_usd: float
    best_learner: str
    group_sd_usd: float
    group_sd_high_usd: float
    group_gain_high_usd: float
    household_sd_high_usd: float
    household_gain_high_usd: float
    level: float

    def sentence(self, *, subject: str) -> str:
        """Say the limits in words."""
        return (
            f"Over the better of contacting nobody and everybody, the rules tried add at most "
            f"{self.best_gain_high_usd:.2f} USD per {subject} ({self.best_learner}: "
            f"{self.best_gain_usd:+.2f}), a rule on groups of predicted effect at most "
            f"{self.group_gain_high_usd:.2f}, and one that knew each {subject}'s own outcomes at "
            f"most {self.household_gain_high_usd:.2f} ({self.level:.0%} limits)."
        )


def largest_targeting_gain(*, mean: float, sd: float) -> float:
    r"""Largest :math:`E\max(X, 0) - \max(\mu, 0)` with this mean and deviation, in their unit.

    Parameters
    ----------
    mean, sd : float
        Of the expected profit of a contact over households.

    Raises
    ------
    PolicyError
        If the deviation is below 0.

    Examples
    --------
    >>> largest_targeting_gain(mean=0.0, sd=2.0)
    1.0
    >>> largest_targeting_gain(mean=-3.0, sd=4.0)
    1.0
    """
    if not sd >= 0.0:
        raise PolicyError(f"`sd` must be at least 0, got {sd}.")
    return float((np.hypot(mean, sd) - abs(mean)) / 2.0)


def targeting_bound(
    *,
    contacts: Mapping[str, FloatArray],
    rankings: Mapping[str, FloatArray],
    everyone: PolicyRows,
    outcomes: ProfitOutcomes,
    fold: IntArray,
    metrics: MetricParameters,
    rng: np.random.Generator,
) -> TargetingBound:
    """Bound what targeting could add, statistically and structurally, USD per household.

    Parameters
    ----------
    contacts : mapping of str to float64 (n,)
        By learner, the chance that its rule, chosen on other folds, contacts each row.
    rankings : mapping of str to float64 (n,)
        By learner, held-out predicted effects; groups are formed within folds.
    everyone : PolicyRows
        Held-out doubly robust scores of contacting each row.
    outcomes : ProfitOutcomes
        Of :func:`promo_uplift.policy.profit_outcomes`.
    fold : int64 (n,)
        Fold of each row.
    metrics : MetricParameters
        Level (one-sided, of each limit), groups of predicted effect, Gaussian draws behind limits
        that hold for all learners at once.
    rng : Generator
        Their source.

    Raises
    ------
    PolicyError
        If there is no learner.

    Notes
    -----
    Money that is not known adds its error to every limit, as a normal law by its standard
    deviation; it is the same for all learners and households.
    """
    if not contacts or not rankings:
        raise PolicyError("`contacts` and `rankings` must name at least one learner, got none.")
    groups, level, draws = outcomes.groups, metrics.level, metrics.simultaneous_draws
    profit, terms = everyone.profit, _money_terms(everyone, outcomes.unknown)
    gain, gain_high, learner = _tried(
        contacts, profit, terms, groups, level, draws, len(np.unique(fold)), rng
    )
    # half of the error for the mean, half for the spread
    share = (1.0 + level) / 2.0
    mean = clustered_mean(values=profit, groups=groups)
    mean = replace(mean, se=float(np.hypot(mean.se, np.linalg.norm(terms.mean(axis=0)))))
    reach = float(norm.ppf(share)) * mean.se
    nearest = float(np.sign(mean.estimate) * max(abs(mean.estimate) - reach, 0.0))
    sd, sd_high = _between_groups(
        [
            group_members(cate=ranking, fold=fold, n_groups=metrics.effect_groups)
            for ranking in rankings.values()
        ],
        profit,
        terms,
        groups,
        metrics.effect_groups,
        share,
        draws,
        rng,
    )
    own_sd = household_sd_limit(outcomes=outcomes, level=share) + float(norm.ppf(share)) * (
        _household_sd_error(outcomes, share)
    )
    return TargetingBound(
        mean_profit_usd=mean.interval(level=level),
        best_gain_usd=gain,
        best_gain_high_usd=gain_high,
        best_learner=learner,
        group_sd_usd=sd,
        group_sd_high_usd=sd_high,
        group_gain_high_usd=largest_targeting_gain(mean=nearest, sd=sd_high),
        household_sd_high_usd=own_sd,
        household_gain_high_usd=largest_targeting_gain(mean=nearest, sd=own_sd),
        level=level,
    )


def _money_terms(everyone: PolicyRows, unknown: UnknownMoney | None) -> FloatArray:
    """Profit of each row per standard deviation of each amount that is not known, ``(n, J)``."""
    sds = {} if unknown is None else unknown.sds
    per_unit = {
        "margin_per_unit": everyone.outcome,
        "contact_cost_usd": -everyone.contact,
        "redemption_cost_usd": -everyone.redemption,
    }
    terms = [sd * per_unit[name] for name, sd in sds.items()]
    return np.reshape(terms, (len(terms), len(everyone.profit))).T


def _household_sd_error(outcomes: ProfitOutcomes, level: float) -> float:
    """Error of :func:`household_sd_limit` from what is not known of money, to first order."""
    if outcomes.unknown is None:
        return 0.0
    halves = []
    for name, sd in outcomes.unknown.sds.items():
        slope = outcomes.unknown.slopes[name].seen
        above, below = (
            household_sd_limit(
                outcomes=replace(outcomes, seen=outcomes.seen + step * slope), level=level
            )
            for step in (sd, -sd)
        )
        halves.append(0.5 * (above - below))
    return float(np.linalg.norm(halves))


def household_sd_limit(*, outcomes: ProfitOutcomes, level: float) -> float:
    r"""Upper limit of the deviation of households' own profits :math:`Z_1 - Z_0`, USD.

    :math:`sd(Z_1 - Z_0) \le sd(Z_1) + sd(Z_0)`, attained if who would earn most with a contact
    earned least without. Each arm is weighted to the whole population, each limit is half of
    ``level``'s error.

    Parameters
    ----------
    outcomes : ProfitOutcomes
        Of :func:`promo_uplift.policy.profit_outcomes`.
    level : float
        One-sided confidence.

    References
    ----------
    Hoeffding (1940); Frechet (1951); Heckman, Smith & Clements (1997), *Review of Economic Studies*
    64(4).
    """
    e = outcomes.odds / (1.0 + outcomes.odds)
    treated = outcomes.treatment == 1
    reach = float(norm.ppf((1.0 + level) / 2.0))
    total = 0.0
    for weight in (np.where(treated, 1.0 / e, 0.0), np.where(treated, 0.0, 1.0 / (1.0 - e))):
        centre = float(np.average(outcomes.seen, weights=weight))
        square = clustered_mean(
            values=weight * (outcomes.seen - centre) ** 2, groups=outcomes.groups, weights=weight
        )
        total += float(np.sqrt(square.estimate + reach * square.se))
    return total


def _tried(
    contacts: Mapping[str, FloatArray],
    profit: FloatArray,
    terms: FloatArray,
    groups: IntArray,
    level: float,
    draws: int,
    n_folds: int,
    rng: np.random.Generator,
) -> tuple[float, float, str]:
    """Best gain over the better simple rule, its limit for all learners at once, whose it is."""
    chances = np.column_stack(list(contacts.values()))
    rules = np.hstack([chances, chances - 1.0])
    beyond = rules * profit[:, np.newaxis]
    value = beyond.mean(axis=0)
    covariance = clustered_covariance(influence=(beyond - value) / len(profit), groups=groups)
    money = rules.T @ terms / len(profit)
    drawn = standardised_draws(covariance=covariance + money @ money.T, draws=draws, rng=rng)
    reach = float(np.quantile(drawn.max(axis=1), level)) if drawn.shape[1] else 0.0
    share = chances.mean(axis=0)
    factor = [group_factor(low=1.0 - q, high=1.0) if q > 0.0 else 1.0 for q in share]
    factor += [group_factor(low=0.0, high=1.0 - q) if q < 1.0 else 1.0 for q in share]
    # a fold's share is chosen on the others as well, and may be all of it or nothing
    wider = np.maximum(factor, choice_factor(n_folds=n_folds))
    sampling = wider * np.sqrt(np.diag(covariance))
    high = value + reach * np.hypot(sampling, np.linalg.norm(money, axis=1))
    gain, limit = (one.reshape(2, -1).min(axis=0) for one in (value, high))
    best = int(np.argmax(gain))
    return float(gain[best]), float(limit.max()), list(contacts)[best]


def _between_groups(
    members: Sequence[IntArray],
    profit: FloatArray,
    terms: FloatArray,
    groups: IntArray,
    n_groups: int,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    r"""Deviation between groups of predicted effect, of the learner with the highest limit.

    With :math:`\|\cdot\|` the deviation between groups, :math:`\|\gamma\| \le \|\hat\gamma\| +
    \|\hat\gamma - \gamma\|`: the limit adds a quantile of the noise, of all learners at once.
    """
    parts = [_groups_of(member, profit, n_groups) for member in members]
    covariance = clustered_covariance(
        influence=np.hstack([influence for _, influence in parts]), groups=groups
    )
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = rng.standard_normal((draws, len(values))) @ root.T
    # outer groups were formed with the noise of the other folds
    noise *= group_factor(low=1.0 - 1.0 / n_groups, high=1.0)
    sampling = noise.reshape(draws, len(parts), n_groups).std(axis=2)
    lengths = sampling
    if terms.shape[1]:
        money = np.vstack(
            [terms[member == one].mean(axis=0) for member in members for one in range(n_groups)]
        )
        noise += rng.standard_normal((draws, terms.shape[1])) @ money.T
        lengths = noise.reshape(draws, len(parts), n_groups).std(axis=2)
    typical = np.median(lengths, axis=0)
    reach = float(np.quantile((lengths / typical).max(axis=1), level))
    found = np.array([effects.std() for effects, _ in parts])
    limits = found + reach * typical
    most = int(np.argmax(limits))
    without_noise = found[most] ** 2 - float((sampling[:, most] ** 2).mean())
    return float(np.sqrt(max(without_noise, 0.0))), float(limits[most])


def _groups_of(
    member: IntArray, profit: FloatArray, n_groups: int
) -> tuple[FloatArray, FloatArray]:
    """Mean profit of each group of predicted effect ``(G,)``, and rows' influence ``(n, G)``."""
    inside = (member[:, np.newaxis] == np.arange(n_groups)).astype(np.float64)
    size = inside.sum(axis=0)
    effect = profit @ inside / size
    return effect, inside * (profit[:, np.newaxis] - effect) / size
