"""How strong a hidden trait would have to be to turn each policy's profit around, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import (
    MetricParameters,
    PolicyParameters,
    SensitivityParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    FIXED,
    Contacts,
    PolicyEvaluation,
    PolicySensitivity,
    PolicySuite,
    bound_policy,
    confounding_yardsticks,
    contact_weights,
    profit_outcomes,
)

CHOSEN, NOBODY_MAILED, EVERYBODY = "chosen", "none", "all"


@dataclass(frozen=True, slots=True)
class HiddenConfounding:
    """Bounds of every policy, and what their strengths are measured by.

    Attributes
    ----------
    policies : tuple of PolicySensitivity
        Against ``none``, and against the better of ``none`` and ``all`` where that is ``all``.
    yardsticks : DataFrame
        Of :func:`promo_uplift.policy.confounding_yardsticks`.
    text : str
        What the chosen policy's bounds say, in a sentence or two.
    """

    policies: tuple[PolicySensitivity, ...]
    yardsticks: pd.DataFrame
    text: str

    def table(self) -> pd.DataFrame:
        """One row per policy, comparison and strength; one with the reason where none holds.

        Returns
        -------
        DataFrame
            ``policy, against, profit_usd, strength, profit_usd_low, profit_usd_high,
            profit_usd_ci_low, profit_usd_ci_high, critical_strength, critical_strength_ci, note``,
            USD per household.
        """
        rows = []
        for one in self.policies:
            empty = pd.DataFrame([dict.fromkeys(one.table.columns, np.nan)])
            bounds = empty if one.table.empty else one.table
            named = {name: f"profit_usd_{name}" for name in ("low", "high", "ci_low", "ci_high")}
            whole = bounds.rename(columns=named).assign(
                critical_strength=one.critical_strength,
                critical_strength_ci=one.critical_strength_ci,
                note=one.reason,
            )
            whole.insert(0, "policy", one.policy)
            whole.insert(1, "against", one.against)
            whole.insert(2, "profit_usd", one.estimate)
            rows.append(whole)
        return pd.concat(rows, ignore_index=True)


def evaluated_contacts(
    *, cross_fitted: Mapping[str, CrossFittedCate], evaluation: PolicyEvaluation
) -> FloatArray:
    """Chance that each row is contacted by the rules that were chosen for its fold, ``(n,)``."""
    chosen = {name: cross_fitted[name] for name in evaluation.learner_by_fold}
    return contact_weights(
        cate={name: one.cate for name, one in chosen.items()},
        learner_by_fold=evaluation.learner_by_fold,
        share_by_fold=evaluation.share_by_fold,
        fold=next(iter(chosen.values())).fold,
    )


def policies_to_bound(
    *,
    cross_fitted: Mapping[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    response: PolicyEvaluation,
    suite: PolicySuite,
) -> dict[str, Contacts]:
    """Whom each policy contacts: those of the evaluation first, then the others of the suite.

    Parameters
    ----------
    cross_fitted : mapping of str to CrossFittedCate
        Of the learners that the evaluations chose.
    evaluation, response : PolicyEvaluation
        Whose rules are ``chosen``, and ranked by predicted spend.
    suite : PolicySuite
        ``none`` contacts nobody and has nothing to bound.
    """
    rules = {CHOSEN: evaluation, "response": response}
    found = {
        name: Contacts.of_rule(evaluated_contacts(cross_fitted=cross_fitted, evaluation=one))
        for name, one in rules.items()
    }
    n_rows = len(found[CHOSEN].if_treated)
    found[EVERYBODY] = Contacts.of_rule(np.ones(n_rows))
    found["current"] = Contacts.as_mailed(n_rows)
    others = {
        name: Contacts.of_rule(weights)
        for name, weights in suite.contacts.items()
        if name not in found and name != NOBODY_MAILED
    }
    return found | others


def bound_hidden_confounding(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    contacts: Mapping[str, Contacts],
    policy: PolicyParameters,
    metrics: MetricParameters,
    sensitivity: SensitivityParameters,
    wording: WordingParameters,
    seed: int,
) -> HiddenConfounding:
    """Bound every policy's profit under hidden traits of growing strength.

    Parameters
    ----------
    data, nuisances
        Rows and their nuisances; a known propensity has no hidden trait, and that is said.
    contacts : mapping of str to Contacts
        Policy -> whom it contacts; ``chosen`` is the one that the text speaks of.
    policy, metrics, sensitivity, wording
        Money, level, strengths, words.
    seed : int
    """
    outcomes = profit_outcomes(data=data, nuisances=nuisances, parameters=policy)
    everybody = Contacts.of_rule(np.ones(len(data.treatment)))
    learned = choice_factor(n_folds=nuisances.n_folds)
    done: dict[tuple[bytes, bool], PolicySensitivity] = {}

    def bound(name: str, against: str) -> PolicySensitivity:
        own = contacts[name]
        beyond = own if against == NOBODY_MAILED else own.minus(everybody)
        # policies often contact the same rows
        rows = beyond.if_treated.tobytes() + beyond.if_control.tobytes()
        key = rows, name in FIXED
        if key not in done:
            done[key] = bound_policy(
                policy=name,
                against=against,
                contacts=beyond,
                outcomes=outcomes,
                parameters=sensitivity,
                level=metrics.level,
                factor=1.0 if name in FIXED else learned,
                rng=derived_rng(seed=seed, purpose="hidden_confounding"),
            )
        return replace(done[key], policy=name, against=against)

    found = [bound(name, NOBODY_MAILED) for name in contacts]
    all_pays = any(one.policy == EVERYBODY and one.estimate > 0.0 for one in found)
    if all_pays:
        found += [bound(name, EVERYBODY) for name in contacts if name != EVERYBODY]
    yardsticks = pd.DataFrame(columns=["covariates", "strength"])
    if not nuisances.is_propensity_known:
        yardsticks = confounding_yardsticks(
            data=data,
            fold=nuisances.fold,
            parameters=sensitivity,
            rng=derived_rng(seed=seed, purpose="yardsticks"),
        )
    return HiddenConfounding(
        policies=tuple(found),
        yardsticks=yardsticks,
        text=" ".join(
            [
                *(
                    sensitivity_sentence(
                        one,
                        yardsticks=yardsticks,
                        yardstick=next((group.name for group in sensitivity.yardsticks), None),
                        max_strength=sensitivity.max_strength,
                        unit="USD" if policy.are_stated else wording.unit,
                        wording=wording,
                    )
                    for one in found
                    if one.policy == CHOSEN
                ),
                *others_sentence(found, max_strength=sensitivity.max_strength),
            ]
        ),
    )


def sensitivity_sentence(
    one: PolicySensitivity,
    *,
    yardsticks: pd.DataFrame,
    yardstick: str | None,
    max_strength: float,
    unit: str,
    wording: WordingParameters,
) -> str:
    """Say in words what the bounds of one policy mean.

    Parameters
    ----------
    one : PolicySensitivity
    yardsticks : DataFrame
        Of :func:`promo_uplift.policy.confounding_yardsticks`.
    yardstick : str or None
        Group that the strength is compared with; the strongest where it is not among them.
    max_strength : float
        Up to which the strength was looked for.
    unit : str
        Of the profit.
    wording : WordingParameters
    """
    name = f"The {one.policy} policy against {one.against}"
    if one.reason:
        return f"{name}: no bounds under a hidden trait ({one.reason})."
    gain = "gain" if one.estimate >= 0.0 else "loss"
    estimate = f"{wording.number(abs(one.estimate))[1:]} {unit} per {wording.subject}"
    if math.isinf(one.critical_strength):
        return (
            f"{name}: no hidden trait that changes the odds of being {wording.treated} by up to a "
            f"factor of {max_strength:g} turns its {gain} of {estimate} around."
        )
    compared = _compared(one.critical_strength, yardsticks, yardstick)
    said = (
        f"{name}: a hidden trait that changes the odds of being {wording.treated} by a factor of "
        f"{one.critical_strength:.2f}{compared} turns its "
        f"{gain} of {estimate} around; "
    )
    if one.critical_strength_ci <= 1.0:
        return said + "its interval holds 0 even without one."
    if math.isinf(one.critical_strength_ci):
        return said + f"its interval excludes 0 up to {max_strength:g}."
    return said + f"its interval holds 0 from {one.critical_strength_ci:.2f} on."


def others_sentence(found: Sequence[PolicySensitivity], *, max_strength: float) -> tuple[str, ...]:
    """Say over what strengths the other policies turn around; nothing where none has bounds.

    Parameters
    ----------
    found : sequence of PolicySensitivity
    max_strength : float
        Up to which the strength was looked for.
    """
    others = [
        one
        for one in found
        if one.policy != CHOSEN and one.against == NOBODY_MAILED and not one.reason
    ]
    if not others:
        return ()
    ends = [pick(one.critical_strength for one in others) for pick in (min, max)]
    least, most = (f"above {max_strength:g}" if math.isinf(end) else f"{end:.2f}" for end in ends)
    unsure = sum(one.critical_strength_ci <= 1.0 for one in others)
    return (
        f"The other {len(others)} policies against none turn around at factors from {least} to "
        f"{most}; the intervals of {unsure} hold 0 even without a hidden trait.",
    )


def _compared(strength: float, yardsticks: pd.DataFrame, yardstick: str | None) -> str:
    """Compare log-odds with those of the named covariates, or of the strongest."""
    named = yardsticks[yardsticks["covariates"] == yardstick]
    measures = named if len(named) else yardsticks.head(1)
    if measures.empty or not float(measures["strength"].iloc[0]) > 1.0:
        return ""
    share = math.log(strength) / math.log(float(measures["strength"].iloc[0]))
    return f" ({share:.1f} times as strong as {measures['covariates'].iloc[0]})"
