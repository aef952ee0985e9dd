"""Whom each policy contacts: fitted outside a fold, applied inside it, chosen outside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.policy.money import PolicyScores
from promo_uplift.policy.rules.base import FittedPolicy, Policy, PolicyTraining, PolicyView

#: Not among those that are chosen from: the mailing as it was is no rule, a lottery no choice.
NOT_CHOSEN = ("current", "random")


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """What policies see of all ``n`` rows; matrices as in ``contracts/results.py``.

    Attributes
    ----------
    covariates : DataFrame (n, p)
    cate, cate_se, redemption, response : float64 (n, K)
        Column ``k`` knows nothing of fold ``k``. ``cate_se`` is NaN where there is none.
    groups, campaign, fold : int64 (n,)
    treatment : int64 (n,)
        The mailing as it was; no policy but ``current`` sees it.
    segment : str (n,) or None
        Segment of each row, made without outcomes.
    """

    covariates: pd.DataFrame
    cate: FloatArray
    cate_se: FloatArray
    redemption: FloatArray
    response: FloatArray
    groups: IntArray
    campaign: IntArray
    fold: IntArray
    treatment: IntArray
    segment: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse matrices and columns of other rows.

        Raises
        ------
        PolicyError
            Naming the field.
        """
        n, folds = len(self.covariates), self.cate.shape[1]
        for name in ("cate", "cate_se", "redemption", "response"):
            found = getattr(self, name).shape
            if found != (n, folds):
                raise PolicyError(f"`{name}` must be of shape {(n, folds)}, got {found}.")
        for name in ("groups", "campaign", "fold", "treatment", "segment"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise PolicyError(f"`{name}` must be of shape {(n,)}, got {values.shape}.")
        for name in ("cate", "redemption", "response"):
            n_broken = int(np.sum(~np.isfinite(getattr(self, name))))
            if n_broken:
                raise PolicyError(
                    f"`{name}` must be finite; {n_broken} of {n * folds} values are not. Look for "
                    "a learner that does not predict every row."
                )
        if np.any(np.unique(self.fold) != np.arange(folds)):
            raise PolicyError(f"`fold` must hold every number from 0 to {folds - 1}, and no other.")

    @property
    def n_folds(self) -> int:
        """Number of folds ``K``."""
        return int(self.cate.shape[1])

    def view(self, *, rows: IntArray, column: IntArray | int, mailed: bool = False) -> PolicyView:
        """Return what a policy sees of ``rows``, in the analysis that holds ``column`` out."""
        return PolicyView(
            covariates=self.covariates.iloc[rows],
            cate=self.cate[rows, column],
            cate_se=self.cate_se[rows, column],
            redemption=self.redemption[rows, column],
            response=self.response[rows, column],
            segment=None if self.segment is None else self.segment[rows],
            groups=self.groups[rows],
            campaign=self.campaign[rows],
            population=len(self.covariates),
            mailed=self.treatment[rows].astype(np.float64) if mailed else None,
        )


@dataclass(frozen=True, slots=True)
class FitSource:
    """What policies are fitted on: what they see, the scores, the money, and the run's seed."""

    inputs: PolicyInputs
    scores: PolicyScores
    money: PolicyParameters
    seed: int

    def training(self, *, rows: IntArray, column: IntArray | int) -> PolicyTraining:
        """Return training rows, in the analysis that holds ``column`` out."""
        return PolicyTraining(
            view=self.inputs.view(rows=rows, column=column),
            fold=self.inputs.fold[rows],
            profit=self.scores.profit[rows, column],
            outcome=self.scores.outcome[rows, column],
            cost=self.scores.cost[rows, column],
            money=self.money,
        )

    def seed_of(self, policy: str, index: tuple[int, ...]) -> int:
        """Seed of one fit."""
        return derived_seed(seed=self.seed, purpose=f"policy/{policy}", index=index)


@dataclass(frozen=True, slots=True)
class FoldContacts:
    """One held-out fold.

    Attributes
    ----------
    contacts : dict of float64 (m,)
        Of the fold's rows, by rules fitted outside it.
    rules : dict of str
        Those rules in words.
    inner_profit : dict of float
        Profit of each policy, USD per household, on the rows outside the fold, each by rules that
        saw neither the fold nor the row's own; of the policies that may be chosen.
    """

    contacts: dict[str, FloatArray]
    rules: dict[str, str]
    inner_profit: dict[str, float]


def fold_contacts(
    *, policies: Mapping[str, Policy], source: FitSource, n_workers: int
) -> list[FoldContacts]:
    """Fit every policy outside every fold, and inside the rest once more to choose among them."""
    return run_in_order(
        work=_one_fold,
        arguments=[
            {"policies": policies, "source": source, "fold": fold}
            for fold in range(source.inputs.n_folds)
        ],
        n_workers=n_workers,
    )


def deployed_rules(*, policies: Mapping[str, Policy], source: FitSource) -> dict[str, FittedPolicy]:
    """Fit every policy on all rows, for households to come; valued nowhere."""
    inputs = source.inputs
    training = source.training(rows=np.arange(len(inputs.fold)), column=inputs.fold)
    return {
        name: policy.fit(training=training, seed=source.seed_of(name, (inputs.n_folds,)))
        for name, policy in policies.items()
    }


def not_valuable(*, policies: Mapping[str, Policy], source: FitSource) -> dict[str, str]:
    """Policies that cannot be valued here, and why, one sentence each."""
    inputs = source.inputs
    held_out = inputs.view(rows=np.arange(len(inputs.fold)), column=inputs.fold)
    found = {
        name: policy.lacks(view=held_out, money=source.money) for name, policy in policies.items()
    }
    return {name: f"Not valued. {why}" for name, why in found.items() if why is not None}


def checked_contacts(*, fitted: FittedPolicy, view: PolicyView, name: str) -> FloatArray:
    """Return whom a policy contacts; refuse anything but one probability per row.

    Raises
    ------
    PolicyError
        Naming the policy and what it returned.
    """
    contacts = np.asarray(fitted.contact(view=view), dtype=np.float64)
    is_wrong = contacts.shape != (len(view),) or not np.all((contacts >= 0.0) & (contacts <= 1.0))
    if is_wrong:
        raise PolicyError(
            f"`contact` of policy `{name}` must return one probability per row, shape "
            f"({len(view)},) and in [0, 1]; found shape {contacts.shape} with values "
            f"{np.unique(contacts)[:3].tolist()} ... Correct the policy."
        )
    return contacts


def may_be_chosen(*, name: str, policy: Policy, source: FitSource) -> bool:
    """Whether a policy can be valued without the fold that it would be chosen for."""
    inputs = source.inputs
    outside = [inputs.view(rows=np.flatnonzero(inputs.fold != k), column=k) for k in (0, 1)]
    return name not in NOT_CHOSEN and all(
        policy.lacks(view=one, money=source.money) is None for one in outside
    )


def _one_fold(*, policies: Mapping[str, Policy], source: FitSource, fold: int) -> FoldContacts:
    contacts, rules = {}, {}
    for name, policy in policies.items():
        fitted, contacts[name] = _fit_and_apply(
            name=name, policy=policy, source=source, fold=fold, held_out=fold
        )
        rules[name] = fitted.describe()
    inner = {
        name: _inner_profit(name=name, policy=policy, source=source, held_out=fold)
        for name, policy in policies.items()
        if may_be_chosen(name=name, policy=policy, source=source)
    }
    return FoldContacts(contacts, rules, inner)


def _inner_profit(*, name: str, policy: Policy, source: FitSource, held_out: int) -> float:
    """Value a policy on each fold but ``held_out``, by rules that saw neither of the two."""
    plan, total = source.inputs.fold, 0.0
    for fold in range(source.inputs.n_folds):
        if fold != held_out:
            _, contacts = _fit_and_apply(
                name=name, policy=policy, source=source, fold=fold, held_out=held_out
            )
            total += float(contacts @ source.scores.profit[plan == fold, held_out])
    return total / float((plan != held_out).sum())


def _fit_and_apply(
    *, name: str, policy: Policy, source: FitSource, fold: int, held_out: int
) -> tuple[FittedPolicy, FloatArray]:
    """Fit outside both folds and apply to ``fold``, all in the analysis without ``held_out``."""
    plan = source.inputs.fold
    training = source.training(
        rows=np.flatnonzero(~np.isin(plan, (fold, held_out))), column=held_out
    )
    fitted = policy.fit(training=training, seed=source.seed_of(name, (held_out, fold)))
    view = source.inputs.view(
        rows=np.flatnonzero(plan == fold),
        column=held_out,
        mailed=policy.is_the_mailing_as_it_was,
    )
    return fitted, checked_contacts(fitted=fitted, view=view, name=name)
