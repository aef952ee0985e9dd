"""All policies side by side: doubly robust and weighted values where they were not fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, Interval
from promo_uplift.metrics.bootstrap import percentile_interval
from promo_uplift.policy.money import PolicyScores
from promo_uplift.policy.rules.base import FittedPolicy, Policy
from promo_uplift.policy.rules.registry import BASELINES
from promo_uplift.policy.suite_contacts import (
    FitSource,
    FoldContacts,
    PolicyInputs,
    deployed_rules,
    fold_contacts,
    may_be_chosen,
    not_valuable,
)
from promo_uplift.policy.suite_values import ObservedRows, SuiteValue, ValuedPolicies

#: Chosen for each fold where it is not valued.
BEST_OF_ALL = "best_of_all"
#: The highest value in the table, read off the table.
WINNER_AS_READ = "winner_as_read"


@dataclass(frozen=True, slots=True)
class PolicySuite:
    """Policies side by side.

    Attributes
    ----------
    valued : dict of SuiteValue
        Of each policy, then ``best_of_all`` and ``winner_as_read``.
    contacts : dict of float64 (n,)
        Probability of contact of each row, by rules that did not see its fold.
    fitted : dict of FittedPolicy
        Each policy fitted on all rows, for households to come.
    rules : dict of str
        Those in words.
    rules_by_fold : dict of tuple of str
        The rules that were valued, one per held-out fold.
    not_valued : dict of str
        Policies that cannot be valued here, and why.
    not_chosen : tuple of str
        Policies that ``best_of_all`` could not choose from.
    chosen_by_fold : tuple of str
        Policy of ``best_of_all`` for each held-out fold.
    winner : str
        Policy of ``winner_as_read``.
    winners_curse_usd : Interval
        ``winner_as_read`` minus ``best_of_all``: what reading off the maximum would promise.
    level : float
    replicates : int
    """

    valued: dict[str, SuiteValue]
    contacts: dict[str, FloatArray]
    fitted: dict[str, FittedPolicy]
    rules: dict[str, str]
    rules_by_fold: dict[str, tuple[str, ...]]
    not_valued: dict[str, str]
    not_chosen: tuple[str, ...]
    chosen_by_fold: tuple[str, ...]
    winner: str
    winners_curse_usd: Interval
    level: float
    replicates: int


def value_suite(
    *,
    policies: Mapping[str, Policy],
    inputs: PolicyInputs,
    scores: PolicyScores,
    observed: ObservedRows,
    parameters: PolicyParameters,
    intervals: MetricParameters,
    seed: int,
    n_workers: int = 1,
) -> PolicySuite:
    r"""Value every policy where it was not fitted; USD per household of the population.

    For each held-out fold ``k`` a policy is fitted on the rows outside ``k``, with column ``k`` of
    every cross-fitted quantity, and its contacts :math:`c_i` of the rows of ``k`` are valued:

    .. math:: \hat V = \frac{1}{n} \sum_i c_i \Gamma_i, \qquad
       \hat V_{IPW} = \bar c \left(
       \frac{\sum_i c_i T_i P_i / e_i}{\sum_i c_i T_i / e_i} -
       \frac{\sum_i c_i (1 - T_i) P_i / (1 - e_i)}{\sum_i c_i (1 - T_i) / (1 - e_i)} \right)

    with :math:`\Gamma` the doubly robust score of profit and :math:`P` the profit that was
    observed. ``best_of_all`` takes for each ``k`` the policy with the highest doubly robust
    profit on the rows outside ``k``, each valued by a rule that saw neither ``k`` nor the row's
    own fold (column ``k`` again), and counts its value on ``k``.

    Parameters
    ----------
    policies : mapping of str to Policy
        Of :func:`promo_uplift.policy.rules.build_policies`; the baselines are among them.
    inputs : PolicyInputs
        What policies see.
    scores : PolicyScores
        Doubly robust scores.
    observed : ObservedRows
        What happened.
    parameters : PolicyParameters
        Margin and costs.
    intervals : MetricParameters
        Confidence level and household-bootstrap replicates.
    seed : int
    n_workers : int
        Processes over folds; the result does not depend on it.

    Raises
    ------
    PolicyError
        If a baseline is absent, or a policy returns no probability per row.

    Notes
    -----
    Intervals draw households, the same draws for every policy, and take the fitted rules and the
    choice as given; money that is a distribution is drawn with the households. Each fold's rule is
    learned on the others, so folds are not independent of each other: intervals of all but
    ``none``, ``all`` and ``current`` are wider by
    :func:`promo_uplift.metrics.fold_dependence.choice_factor`, at expected money: what is not
    known of money is added as it is.
    ``current`` is valued by what happened (:class:`promo_uplift.policy.PolicyScores`).

    References
    ----------
    Dudik, Erhan, Langford & Li (2014), Statistical Science 29(4); Swaminathan & Joachims (2015),
    NeurIPS 28 (normalised weights); Andrews, Kitagawa & McCloskey (2024), QJE 139(1).
    """
    absent = [name for name in BASELINES if name not in policies]
    if absent:
        raise PolicyError(
            f"`policies` must hold the baselines {list(BASELINES)}; missing {absent}."
        )
    source = FitSource(inputs=inputs, scores=scores, money=parameters, seed=seed)
    not_valued = not_valuable(policies=policies, source=source)
    usable = {name: policy for name, policy in policies.items() if name not in not_valued}
    folds = fold_contacts(policies=usable, source=source, n_workers=n_workers)
    contacts = {name: _joined(name, folds, inputs) for name in usable}
    chosen = tuple(max(one.inner_profit, key=one.inner_profit.__getitem__) for one in folds)
    contacts[BEST_OF_ALL] = np.select(
        [inputs.fold == fold for fold in range(inputs.n_folds)],
        [contacts[name] for name in chosen],
    )
    valued = ValuedPolicies.of(
        contacts=contacts, source=source, observed=observed, intervals=intervals
    )
    candidates = list(folds[0].inner_profit)
    winner = max(candidates, key=lambda name: valued.profit[name][0])
    fitted = deployed_rules(policies=usable, source=source)
    values = valued.summaries(intervals.level)
    values[WINNER_AS_READ] = replace(values[winner], how="optimistic")
    return PolicySuite(
        valued=values,
        contacts=contacts,
        fitted=fitted,
        rules={name: one.describe() for name, one in fitted.items()},
        rules_by_fold={name: tuple(one.rules[name] for one in folds) for name in usable},
        not_valued=not_valued,
        not_chosen=tuple(
            name
            for name, policy in usable.items()
            if not may_be_chosen(name=name, policy=policy, source=source)
        ),
        chosen_by_fold=chosen,
        winner=winner,
        winners_curse_usd=percentile_interval(
            values=np.max([valued.profit[name] for name in candidates], axis=0)
            - valued.profit[BEST_OF_ALL],
            level=intervals.level,
        ),
        level=intervals.level,
        replicates=intervals.bootstrap_replicates,
    )


def _joined(name: str, folds: list[FoldContacts], inputs: PolicyInputs) -> FloatArray:
    contacts = np.empty(len(inputs.fold))
    for fold, one in enumerate(folds):
        contacts[inputs.fold == fold] = one.contacts[name]
    return contacts
