"""Which policy makes the targeting list, whom it contacts, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.import_path import nearest
from promo_uplift.contracts.parameters import PoliciesParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.policy.rules.base import FittedPolicy
from promo_uplift.policy.rules.budget import Budget
from promo_uplift.policy.rules.frozen import OFFER_ERRORS
from promo_uplift.policy.rules.registry import build_policies
from promo_uplift.policy.suite import PolicySuite
from promo_uplift.policy.targeting import CHOSEN, share_threshold
from promo_uplift.policy.value import PolicyEvaluation

#: The mailing as it was is no rule, a lottery makes no list, and no model for new households
#: predicts what ``response`` ranks by.
CANNOT_DECIDE = ("current", "random", "response")
#: What a policy that decides must beat.
SIMPLE = ("none", "all")


@dataclass(frozen=True, slots=True)
class DecidingPolicy:
    """The policy that makes the list.

    Attributes
    ----------
    name : str
        ``chosen`` (learner and share are chosen together) or a policy of the suite.
    learner : str
        Whose effects it uses.
    share : Interval
        Share of households contacted.
    profit_usd : Interval
        Held out, USD per household of the population.
    gains_usd : dict of Interval
        That profit less that of contacting nobody (``none``) and everybody (``all``), paired. Of a
        policy of the suite it holds for all of them at once: who names one may have seen the table.
    contacts : float64 (n,)
        P(contact) of each row that the values are of, by rules that did not see its fold.
    listed : float64 (n,)
        P(contact) of each row on the list, by its held-out effects.
    fitted : FittedPolicy or None
        Fitted on all rows, for households to come; None of ``chosen``, whose share is.
    """

    name: str
    learner: str
    share: Interval
    profit_usd: Interval
    gains_usd: dict[str, Interval]
    contacts: FloatArray
    listed: FloatArray
    fitted: FittedPolicy | None

    @property
    def rule(self) -> str:
        """Rule in words; empty of ``chosen``."""
        return "" if self.fitted is None else self.fitted.describe()


def chosen_decides(
    *, evaluation: PolicyEvaluation, contacts: FloatArray, cate: FloatArray, fold: IntArray
) -> DecidingPolicy:
    """Let the learner and share decide that were chosen together.

    Parameters
    ----------
    evaluation : PolicyEvaluation
        Their value.
    contacts : float64 (n,)
        Of the rules that were chosen for each fold.
    cate : float64 (n,)
        Held-out effects of the champion.
    fold : int64 (n,)
        The share is taken within each fold.
    """
    share = evaluation.roi_optimal_share
    listed = np.zeros(len(cate))
    for number in np.unique(fold):
        rows = fold == number
        listed[rows] = cate[rows] >= share_threshold(cate=cate[rows], share=share.estimate)
    return DecidingPolicy(
        name=CHOSEN,
        learner=evaluation.champion,
        share=share,
        profit_usd=evaluation.chosen.profit_usd,
        gains_usd={name: evaluation.baselines[name].chosen_minus_this_usd for name in SIMPLE},
        contacts=contacts,
        listed=listed,
        fitted=None,
    )


def named_decides(*, name: str, suite: PolicySuite, learner: str) -> DecidingPolicy:
    """Let a policy of the suite decide.

    Raises
    ------
    PolicyError
        If it could not be valued, with the reason.
    """
    if name in suite.not_valued:
        raise PolicyError(
            f"`policies.decides` must be a policy that can be valued; `{name}` is not. "
            f"{suite.not_valued[name]}"
        )
    value, contacts = suite.valued[name], suite.contacts[name]
    return DecidingPolicy(
        name=name,
        learner=learner,
        share=value.share,
        profit_usd=value.profit_usd,
        gains_usd={one: value.minus[one].simultaneous for one in SIMPLE},
        contacts=contacts,
        listed=contacts,
        fitted=suite.fitted[name],
    )


def check_policies(
    *,
    policies: PoliciesParameters,
    policy: PolicyParameters,
    interval_replicates: int | None = None,
) -> None:
    """Refuse policies that no registry knows, and one that cannot decide.

    Parameters
    ----------
    policies : PoliciesParameters
    policy : PolicyParameters
        The money.
    interval_replicates : int, optional
        Refits behind a household's interval in the registered model; None: not known here.

    Raises
    ------
    PolicyError
        If a policy or a setting is unknown or wrong, ``decides`` names no policy, one that can make
        no list, or one that needs errors which the model will not offer, or a budget is stated that
        would not be kept, or twice.
    """
    built = build_policies(policies)
    name, budget = policies.decides, policy.expected.budget_usd
    if name in CANNOT_DECIDE or name not in (CHOSEN, *built):
        known = [CHOSEN, *(one for one in built if one not in CANNOT_DECIDE)]
        why = "makes no list of households" if name in CANNOT_DECIDE else "is unknown"
        raise PolicyError(
            f"`policies.decides` must be `{CHOSEN}` or a policy of `policies.rules` that makes a "
            f"list; `{name}` {why}.{nearest(name, known)} Known: {', '.join(known)}."
        )
    if interval_replicates == 0 and name != CHOSEN and built[name].needs_errors:
        raise PolicyError(
            f"`policies.decides` is `{name}`, which reads the standard error of each household's "
            "effect, and `estimation.interval_replicates` is 0: the registered model would offer "
            f"none. {OFFER_ERRORS}"
        )
    if budget is None:
        return
    if name == CHOSEN:
        raise PolicyError(
            f"`policy.budget_usd` is {budget:,.2f} and `policies.decides` is `{CHOSEN}`, which "
            "keeps no budget. Let `budget` decide, or set `policy.budget_usd` to null."
        )
    twice = [
        one
        for one, rule in built.items()
        if isinstance(rule, Budget) and rule.settings.budget_usd is not None
    ]
    if twice:
        raise PolicyError(
            f"`policy.budget_usd` is {budget:,.2f} and `policies.rules.{twice[0]}.budget_usd` "
            "another: a budget is stated once. Remove the one in `policies.rules`."
        )
