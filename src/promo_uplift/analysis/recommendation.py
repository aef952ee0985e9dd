"""What to do: choose, contact everybody or nobody, or nothing yet, and what would settle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from textwrap import wrap

import numpy as np

from promo_uplift.analysis.experiment import NextExperiment
from promo_uplift.analysis.experiment_text import plan_sentences
from promo_uplift.analysis.hidden_confounding import evaluated_contacts
from promo_uplift.checks import Verdict
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters, WordingParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.effects import minimum_detectable_effect
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    PolicyEvaluation,
    PolicyRows,
    PolicySuite,
    TargetingBound,
    policy_scores,
    profit_outcomes,
    targeting_bound,
)

#: What every policy has to beat.
SIMPLE = ("none", "all")
INDENT = " " * 4
HANGING = " " * 6


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do on the strength of this data, and how far it could be wrong.

    Attributes
    ----------
    action : str
        Of the verdict.
    beats_both : tuple of str
        Policies whose profit exceeds that of contacting nobody and everybody, in intervals that
        hold for all policies at once.
    best, best_gain_usd : str, Interval
        Policy that is chosen on other households (``best_of_all``), and its profit over the better
        of both, USD per household.
    mde_usd : float
        Smallest such gain that the data could have shown at expected money, by a rule that treats
        half of the households otherwise, USD per household.
    bound : TargetingBound
        At most what choosing could add.
    """

    action: str
    beats_both: tuple[str, ...]
    best: str
    best_gain_usd: Interval
    mde_usd: float
    bound: TargetingBound

    def record(self) -> dict[str, object]:
        """Plain values for a JSON file; what is undefined becomes null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def recommend(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    by_learner: Mapping[str, PolicyEvaluation],
    suite: PolicySuite,
    verdict: Verdict,
    policy: PolicyParameters,
    metrics: MetricParameters,
    power: float,
    seed: int,
) -> Recommendation:
    """Weigh every policy against contacting nobody and everybody, USD per household.

    Parameters
    ----------
    data : TrialData
    nuisances : CrossFittedNuisances
    cross_fitted : mapping of str to CrossFittedCate
        Effects of all learners.
    by_learner : mapping of str to PolicyEvaluation
        The rule that each learner alone would make.
    suite : PolicySuite
        Every configured policy.
    verdict : Verdict
        What the checks allow.
    policy : PolicyParameters
        Margin and costs.
    metrics : MetricParameters
        Level, and draws of the limits.
    power : float
        Of the smallest gain that could have been shown.
    seed : int
    """
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)
    everyone = PolicyRows.held_out(scores=scores, fold=nuisances.fold)
    rules = {name: one for name, one in by_learner.items() if name in cross_fitted}
    bound = targeting_bound(
        contacts={
            name: evaluated_contacts(cross_fitted=cross_fitted, evaluation=one)
            for name, one in rules.items()
        },
        rankings={name: cross_fitted[name].held_out() for name in rules},
        everyone=everyone,
        outcomes=profit_outcomes(data=data, nuisances=nuisances, parameters=policy),
        fold=nuisances.fold,
        metrics=metrics,
        rng=derived_rng(seed=seed, purpose="recommendation"),
    )
    gain = _smaller(suite, "best_of_all")
    return Recommendation(
        action=verdict.action,
        beats_both=tuple(
            name
            for name, value in suite.valued.items()
            if value.how == "honest"
            and all(value.minus[one].simultaneous.ci_low > 0.0 for one in SIMPLE)
        ),
        best=", ".join(dict.fromkeys(suite.chosen_by_fold)),
        best_gain_usd=gain,
        mde_usd=_smallest_gain(everyone.profit, data, metrics.level, power),
        bound=bound,
    )


def _smaller(suite: PolicySuite, name: str) -> Interval:
    """Paired gain of a policy over that of the simple ones that earns more."""
    better = max(SIMPLE, key=lambda one: suite.valued[one].profit_usd.estimate)
    return suite.valued[name].minus[better].pointwise


def _smallest_gain(profit: FloatArray, data: TrialData, level: float, power: float) -> float:
    """Gain that is found with this power by a rule that treats half of the households otherwise.

    Their scores count, the others' cancel: half of the variance of everybody's mean.
    """
    half = clustered_mean(values=np.sqrt(0.5) * (profit - profit.mean()), groups=data.groups)
    return minimum_detectable_effect(se=half.se, level=level, power=power)


def recommendation_text(
    *,
    recommendation: Recommendation,
    planned: NextExperiment,
    experiment: ExperimentParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
    width: int,
) -> str:
    """Recommendation as plain text for the end of a run.

    Parameters
    ----------
    recommendation : Recommendation
    planned : NextExperiment
        What would settle it.
    experiment : ExperimentParameters
        Horizon and waves of the plan.
    policy : PolicyParameters
        Without a stated cost only the experiment is spoken of.
    wording : WordingParameters
    width : int
        Characters per line.
    """
    found = _weighed(recommendation, wording) if policy.are_stated else ()
    plan = plan_sentences(plan=planned.plan, parameters=experiment, wording=wording)
    lines = []
    for title, sentences in (("CHOOSING", found), ("NEXT EXPERIMENT", plan)):
        if sentences:
            lines.append(title)
        for sentence in sentences:
            lines += wrap(sentence, width, initial_indent=INDENT, subsequent_indent=HANGING)
    return "\n".join(lines)


def _weighed(found: Recommendation, words: WordingParameters) -> tuple[str, ...]:
    gain = found.best_gain_usd
    if found.beats_both:
        first = (
            f"Beat choosing nobody and choosing everybody, in intervals that hold for all policies "
            f"at once: {', '.join(found.beats_both)}."
        )
    else:
        first = (
            "Nothing is shown to earn more than choosing nobody or everybody: there is nothing to "
            f"target on the strength of this data. The best policy ({found.best}), chosen on other "
            f"{words.subjects}, earns {gain.estimate:+.2f} USD ({gain.ci_low:+.2f} to "
            f"{gain.ci_high:+.2f}) over the better of both per {words.subject}; this data could "
            f"have shown {found.mde_usd:.2f} USD."
        )
    return (first, found.bound.sentence(subject=words.subject))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, float | np.floating):
        return float(value) if isfinite(value) else None
    return list(value) if isinstance(value, tuple) else value
