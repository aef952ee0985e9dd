"""The verdict: the worst that the checks allow, and what a marketer should do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from textwrap import wrap
from typing import Literal

from promo_uplift.checks.evidence import SEVERITY, CheckResult
from promo_uplift.checks.registry import COMPARISON
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import (
    PolicyParameters,
    VerdictName,
    WordingParameters,
)
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import ClusteredMean, ManskiBounds, minimum_detectable_effect
from promo_uplift.experiments import households_per_arm
from promo_uplift.policy import DecidingPolicy, PolicyEvaluation
from promo_uplift.policy.money import break_even_effect, money_words

Action = Literal[
    "target", "mail_all", "mail_none", "use_effects", "use_average", "experiment", "stop"
]

HEADLINES: dict[VerdictName, str] = {
    "publish": "the targeting list may be used",
    "bounds_only": "report bounds, do not use the targeting list",
    "experiment_needed": "this data does not support targeting, do not use the list",
    "refuse": "no effect can be estimated from this data",
}
#: Without a stated cost a verdict is about effects, and no list follows from it.
HEADLINES_OF_EFFECTS: dict[VerdictName, str] = {
    "publish": "effects and ranking may be used; state a cost to get a decision",
    "bounds_only": "report bounds, not effects",
    "experiment_needed": "this data does not support these effects or their ranking",
    "refuse": "no effect can be estimated from this data",
}
#: The comparison is sound, and only the ranking fails.
HEADLINE_OF_AVERAGE = "the average effect may be used, the ranking may not"
INDENT = "    "
HANGING = "      "


@dataclass(frozen=True, slots=True)
class VerdictFacts:
    """Figures that a verdict explains itself with.

    Attributes
    ----------
    effect : ClusteredMean
        Doubly robust average effect of the mailing, USD per household.
    bounds : ManskiBounds
        Worst-case bounds of the same, USD per household.
    residual_sd_usd : float
        Standard deviation of the outcome after the covariates, USD per household: what an A/B
        test analysed with those covariates has to beat.
    redemption_rate : float
        Mean P(redeems | mailed).
    level, power : float
        Of intervals, and of what could have been shown.
    heterogeneity : str
        What the test of heterogeneity found, as a sentence; empty where there was none.
    """

    effect: ClusteredMean
    bounds: ManskiBounds
    residual_sd_usd: float
    redemption_rate: float
    level: float
    power: float
    heterogeneity: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the run allows.

    Attributes
    ----------
    name : str
        ``publish``, ``bounds_only``, ``experiment_needed`` or ``refuse``.
    action : str
        ``target``, ``mail_all``, ``mail_none``, ``experiment`` or ``stop``; where no cost was
        stated ``use_effects``, ``use_average``, ``experiment`` or ``stop``.
    headline, advice : str
        The verdict and what to do, in plain words.
    reasons : tuple of str
        Codes of the failed checks.
    sentences : tuple of str
        Their findings.
    figures : tuple of str
        Effect, bounds, smallest detectable effect, break-even, size of the A/B test, money.
    passed, not_applicable : tuple of str
        Codes of the checks that passed, and of those that had nothing to look at.
    effect_usd : Interval
        Average effect of the mailing, USD per household.
    mde_usd, break_even_usd : float
        Smallest effect that the data could have shown; effect at which the treatment pays (NaN
        where no cost was stated).
    households_per_arm : int or None
        Of the A/B test that would find the break-even effect, or the MDE where no cost was
        stated; None if there is none.
    """

    name: VerdictName
    action: Action
    headline: str
    advice: str
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    figures: tuple[str, ...]
    passed: tuple[str, ...]
    not_applicable: tuple[str, ...]
    effect_usd: Interval
    mde_usd: float
    break_even_usd: float
    households_per_arm: int | None


def verdict(
    *,
    results: Sequence[CheckResult],
    policy: PolicyEvaluation,
    facts: VerdictFacts,
    parameters: PolicyParameters,
    wording: WordingParameters,
    decider: DecidingPolicy | None = None,
) -> Verdict:
    """Worst verdict that the checks allow, with reasons and advice (figures in USD).

    Order: ``publish`` before ``bounds_only`` before ``experiment_needed`` before ``refuse``.
    Mailing all or none is advised only if every check of the comparison itself passed and the
    profit interval of mailing all excludes 0.

    Parameters
    ----------
    results : sequence of CheckResult
        All checks of the run.
    policy : PolicyEvaluation
        Value of the chosen policy and of mailing all.
    facts : VerdictFacts
        What the verdict explains itself with.
    parameters : PolicyParameters
        The money assumed.
    wording : WordingParameters
        Words of the sentences.
    decider : DecidingPolicy, optional
        Makes the list; by default the chosen policy.

    Raises
    ------
    CheckError
        If there are no checks: silence allows nothing.
    """
    if not results:
        raise CheckError("`results` must hold at least one check, got none.")
    name = max((result.allows for result in results), key=SEVERITY.index)
    failed = tuple(result for result in results if result.failed)
    mde = minimum_detectable_effect(se=facts.effect.se, level=facts.level, power=facts.power)
    break_even = (
        break_even_effect(redemption_rate=facts.redemption_rate, parameters=parameters)
        if parameters.are_stated
        else float("nan")
    )
    worth_finding = break_even if parameters.are_stated else mde
    per_arm = households_per_arm(
        effect_usd=worth_finding,
        sd_usd=facts.residual_sd_usd,
        level=facts.level,
        power=facts.power,
    )
    action = _action(name, failed, policy, parameters)
    effect = facts.effect.interval(level=facts.level)
    named = None if decider is None or decider.fitted is None else decider
    spoken = _Spoken(facts, effect, mde, break_even, per_arm, policy, parameters, wording, named)
    return Verdict(
        name=name,
        action=action,
        headline=_headline(name, action, parameters),
        advice=spoken.advice(action),
        reasons=tuple(result.code for result in failed),
        sentences=tuple(result.sentence for result in failed),
        figures=spoken.figures(),
        passed=tuple(result.code for result in results if result.passed),
        not_applicable=tuple(result.code for result in results if not result.applies),
        effect_usd=effect,
        mde_usd=mde,
        break_even_usd=break_even,
        households_per_arm=per_arm,
    )


def _action(
    name: VerdictName,
    failed: Sequence[CheckResult],
    policy: PolicyEvaluation,
    parameters: PolicyParameters,
) -> Action:
    if name == "publish":
        return "target" if parameters.are_stated else "use_effects"
    if name == "refuse":
        return "stop"
    everyone = policy.baselines["all"].profit_usd
    if any(result.code in COMPARISON for result in failed):
        return "experiment"
    if not parameters.are_stated:
        return "use_average"
    if everyone.ci_low > 0.0:
        return "mail_all"
    return "mail_none" if everyone.ci_high < 0.0 else "experiment"


def _headline(name: VerdictName, action: Action, parameters: PolicyParameters) -> str:
    if action == "use_average":
        return HEADLINE_OF_AVERAGE
    return HEADLINES[name] if parameters.are_stated else HEADLINES_OF_EFFECTS[name]


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A verdict's findings in sentences."""

    facts: VerdictFacts
    effect: Interval
    mde: float
    break_even: float
    per_arm: int | None
    policy: PolicyEvaluation
    parameters: PolicyParameters
    wording: WordingParameters
    named: DecidingPolicy | None

    def advice(self, action: Action) -> str:
        words, everyone = self.wording, _usd(self.policy.baselines["all"].profit_usd)
        size = (
            "" if self.per_arm is None else f" with {self.per_arm:,} {words.subjects} in each arm"
        )
        if action == "target":
            return self._advice_to_target()
        if action == "mail_all":
            return (
                f"Choose everybody or nobody, do not select: the {words.treatment} for all earns "
                f"{everyone} per {words.subject}. An A/B test{size} would confirm it."
            )
        if action == "mail_none":
            return (
                f"Choose nobody: the {words.treatment} for all earns {everyone} per "
                f"{words.subject}, and the data show no group that pays."
            )
        if action in ("use_effects", "use_average"):
            return self._advice_on_effects(action)
        lottery = f"Draw lots for the next {words.treatment}: an A/B test{size}"
        if action == "stop":
            return f"Base no decision on this data. {lottery} answers the question."
        settles = "whether it pays" if self.parameters.are_stated else "what it does"
        return f"Change nothing on the strength of this data. {lottery} settles {settles}."

    def _advice_to_target(self) -> str:
        words, policy = self.wording, self.policy
        if self.named is not None:
            return (
                f"Let the policy `{self.named.name}` choose {self.named.share.estimate:.0%} of "
                f"{words.subjects} for the {words.treatment}: {self.named.rule} Expect "
                f"{_usd(self.named.profit_usd)} profit per {words.subject} of the base."
            )
        share = policy.roi_optimal_share
        return (
            f"Choose the top {share.estimate:.0%} of {words.subjects} ({share.ci_low:.0%} to "
            f"{share.ci_high:.0%}) ranked by {policy.champion} for the {words.treatment}; expect "
            f"{_usd(policy.chosen.profit_usd)} profit per {words.subject} of the base."
        )

    def _advice_on_effects(self, action: Action) -> str:
        if action == "use_effects":
            return (
                f"Effects and the ranking by {self.policy.champion} passed every check that "
                "applies. Whom to choose depends on what it costs: state `contact_cost` and "
                "`margin_rate`."
            )
        return (
            "The comparison passed every check that applies, the ranking did not: take the "
            f"average effect, and do not choose {self.wording.subjects} by their predicted effects."
        )

    def figures(self) -> tuple[str, ...]:
        facts, words = self.facts, self.wording
        effects: tuple[str, ...] = (
            f"Average effect of a {words.treatment}: {words.interval(self.effect)} per "
            f"{words.subject}{words.after} ({facts.level:.0%} interval); without any assumption "
            f"{words.number(facts.bounds.low)} to {words.number(facts.bounds.high)}.",
            f"Smallest average effect this data could have shown ({facts.power:.0%} power): "
            f"{words.size(self.mde)}.",
        )
        if facts.heterogeneity:
            effects = (*effects, facts.heterogeneity)
        return (*effects, *self._money()) if self.parameters.are_stated else effects

    def _money(self) -> tuple[str, ...]:
        parameters, words = self.parameters, self.wording
        size = (
            "no finite A/B test"
            if self.per_arm is None
            else f"an A/B test of 2 x {self.per_arm:,} {words.subjects}"
        )
        source = "ASSUMED, not in the data" if parameters.values_are_assumptions else "as given"
        worth = parameters.outcome_value_usd
        value = "" if worth == 1.0 else f"{worth:.2f} USD for a unit of the outcome, "
        found = self.policy.break_even_usd
        between = (
            f" ({words.number(found.ci_low)} to {words.number(found.ci_high)})"
            if parameters.is_uncertain
            else ""
        )
        return (
            f"Break-even effect: {words.size(self.break_even)}{between}; to find it takes {size} "
            f"({self.facts.power:.0%} power).",
            self._profit(),
            f"Money ({source}): {value}"
            f"{money_words(parameters=parameters, redeeming=f'redeeming {words.subject}')}.",
        )

    def _profit(self) -> str:
        words, policy = self.wording, self.policy
        if self.named is not None:
            return (
                f"Profit of the policy `{self.named.name}` per {words.subject}: "
                f"{_usd(self.named.profit_usd)} on {words.subjects} that it was not fitted on."
            )
        return (
            f"Profit of targeting per {words.subject}: {_usd(policy.chosen.profit_usd)} on "
            f"{words.subjects} that did not choose it, {_usd(policy.optimistic_profit_usd)} read "
            "off those that did."
        )


def _usd(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} USD ({interval.ci_low:+.2f} to {interval.ci_high:+.2f})"


def verdict_record(verdict: Verdict) -> dict[str, object]:
    """Verdict as plain values for a JSON file; what is undefined becomes null."""
    return {name: _plain(value) for name, value in asdict(verdict).items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def verdict_text(*, verdict: Verdict, width: int) -> str:
    """Verdict as plain text for the end of a run.

    Parameters
    ----------
    verdict : Verdict
        The verdict.
    width : int
        Characters per line.
    """
    lines = wrap(f"VERDICT {verdict.name}: {verdict.headline}.", width)
    lines += wrap(verdict.advice, width, initial_indent="DO      ", subsequent_indent=" " * 8)
    count = f"{len(verdict.reasons)} of {len(verdict.reasons) + len(verdict.passed)} checks fail."
    lines.append("WHY     " + (count if verdict.reasons else "Every check that applies passes."))
    for code, sentence in zip(verdict.reasons, verdict.sentences, strict=True):
        lines += wrap(
            f"{code}: {sentence}", width, initial_indent=INDENT, subsequent_indent=HANGING
        )
    for label, codes in (("passed", verdict.passed), ("nothing to check", verdict.not_applicable)):
        if codes:
            lines += wrap(
                f"{label}: " + ", ".join(codes),
                width,
                initial_indent=INDENT,
                subsequent_indent=HANGING,
            )
    lines.append("FIGURES")
    for figure in verdict.figures:
        lines += wrap(figure, width, initial_indent=INDENT, subsequent_indent=HANGING)
    return "\n".join(lines)
