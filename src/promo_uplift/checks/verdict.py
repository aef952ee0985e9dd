"""The verdict: the worst that the checks allow, and what a marketer should do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

from promo_uplift.checks.evidence import SEVERITY, CheckResult
from promo_uplift.checks.registry import DESIGN
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import ClusteredMean, ManskiBounds, minimum_detectable_effect
from promo_uplift.policy import PolicyEvaluation, households_per_arm
from promo_uplift.policy.money import break_even_effect

Action = Literal["target", "mail_all", "mail_none", "experiment", "stop"]

HEADLINES: dict[VerdictName, str] = {
    "publish": "the targeting list may be used",
    "bounds_only": "report bounds, do not use the targeting list",
    "experiment_needed": "this data does not support targeting, do not use the list",
    "refuse": "no effect can be estimated from this data",
}
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
    outcome_days : int
        Length of the outcome window.
    level, power : float
        Of intervals, and of what could have been shown.
    """

    effect: ClusteredMean
    bounds: ManskiBounds
    residual_sd_usd: float
    redemption_rate: float
    outcome_days: int
    level: float
    power: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the run allows.

    Attributes
    ----------
    name : str
        ``publish``, ``bounds_only``, ``experiment_needed`` or ``refuse``.
    action : str
        ``target``, ``mail_all``, ``mail_none``, ``experiment`` or ``stop``.
    headline, advice : str
        The verdict and what to do, in plain words.
    reasons : tuple of str
        Codes of the failed checks.
    sentences : tuple of str
        Their findings.
    figures : tuple of str
        Effect, bounds, smallest detectable effect, break-even, size of the A/B test, money.
    passed : tuple of str
        Codes of the checks that passed.
    effect_usd : Interval
        Average effect of the mailing, USD per household.
    mde_usd, break_even_usd : float
        Smallest effect that the data could have shown; effect at which a mailing pays.
    households_per_arm : int or None
        Of the A/B test that would find the break-even effect; None if there is none.
    """

    name: VerdictName
    action: Action
    headline: str
    advice: str
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    figures: tuple[str, ...]
    passed: tuple[str, ...]
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

    Raises
    ------
    CheckError
        If there are no checks: silence allows nothing.
    """
    if not results:
        raise CheckError("`results` must hold at least one check, got none.")
    name = max((result.allows for result in results), key=SEVERITY.index)
    failed = tuple(result for result in results if not result.passed)
    break_even = break_even_effect(redemption_rate=facts.redemption_rate, parameters=parameters)
    per_arm = households_per_arm(
        effect_usd=break_even, sd_usd=facts.residual_sd_usd, level=facts.level, power=facts.power
    )
    mde = minimum_detectable_effect(se=facts.effect.se, level=facts.level, power=facts.power)
    action = _action(name, failed, policy)
    effect = facts.effect.interval(level=facts.level)
    return Verdict(
        name=name,
        action=action,
        headline=HEADLINES[name],
        advice=_advice(action, policy, per_arm),
        reasons=tuple(result.code for result in failed),
        sentences=tuple(result.sentence for result in failed),
        figures=_figures(facts, effect, mde, break_even, per_arm, policy, parameters),
        passed=tuple(result.code for result in results if result.passed),
        effect_usd=effect,
        mde_usd=mde,
        break_even_usd=break_even,
        households_per_arm=per_arm,
    )


def _action(name: VerdictName, failed: Sequence[CheckResult], policy: PolicyEvaluation) -> Action:
    if name == "publish":
        return "target"
    if name == "refuse":
        return "stop"
    everyone = policy.baselines["all"].profit_usd
    if not any(result.code in DESIGN for result in failed):
        if everyone.ci_low > 0.0:
            return "mail_all"
        if everyone.ci_high < 0.0:
            return "mail_none"
    return "experiment"


def _advice(action: Action, policy: PolicyEvaluation, per_arm: int | None) -> str:
    everyone = policy.baselines["all"].profit_usd
    size = "" if per_arm is None else f" with {per_arm:,} households in each arm"
    if action == "target":
        share = policy.roi_optimal_share
        return (
            f"Mail the top {share.estimate:.0%} of households ({share.ci_low:.0%} to "
            f"{share.ci_high:.0%}) ranked by {policy.champion}; expect "
            f"{_usd(policy.chosen.profit_usd)} profit per household of the base."
        )
    if action == "mail_all":
        return (
            f"Mail everybody or nobody, do not select: mailing all earns {_usd(everyone)} per "
            f"household. An A/B test{size} would confirm it."
        )
    if action == "mail_none":
        return (
            f"Do not mail: mailing all earns {_usd(everyone)} per household, and the data show no "
            "group that pays."
        )
    if action == "stop":
        return (
            "Base no decision on this data. Draw lots for the next mailing: an A/B test"
            f"{size} answers the question."
        )
    return (
        "Change nothing on the strength of this data. Draw lots for the next mailing: an A/B "
        f"test{size} settles whether it pays."
    )


def _usd(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} USD ({interval.ci_low:+.2f} to {interval.ci_high:+.2f})"


def _figures(
    facts: VerdictFacts,
    effect: Interval,
    mde: float,
    break_even: float,
    per_arm: int | None,
    policy: PolicyEvaluation,
    parameters: PolicyParameters,
) -> tuple[str, ...]:
    size = "no finite A/B test" if per_arm is None else f"an A/B test of 2 x {per_arm:,} households"
    source = "ASSUMED, not in the data" if parameters.values_are_assumptions else "as given"
    return (
        f"Average effect of a mailing: {_usd(effect)} per household in {facts.outcome_days} days "
        f"({facts.level:.0%} interval); without any assumption {facts.bounds.low:+,.0f} to "
        f"{facts.bounds.high:+,.0f}.",
        f"Smallest average effect this data could have shown ({facts.power:.0%} power): "
        f"{mde:.2f} USD.",
        f"Break-even effect: {break_even:.2f} USD; to find it takes {size} ({facts.power:.0%} "
        "power).",
        f"Profit of targeting per household: {_usd(policy.chosen.profit_usd)} on households that "
        f"did not choose it, {_usd(policy.optimistic_profit_usd)} read off those that did.",
        f"Money ({source}): margin {parameters.margin_rate:.0%}, "
        f"contact {parameters.contact_cost_usd:.2f} USD, "
        f"redeeming household {parameters.redemption_cost_usd:.2f} USD.",
    )


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
    lines.append("WHY     " + (count if verdict.reasons else "Every check passes."))
    for code, sentence in zip(verdict.reasons, verdict.sentences, strict=True):
        lines += wrap(
            f"{code}: {sentence}", width, initial_indent=INDENT, subsequent_indent=HANGING
        )
    if verdict.passed:
        lines += wrap(
            "passed: " + ", ".join(verdict.passed),
            width,
            initial_indent=INDENT,
            subsequent_indent=HANGING,
        )
    lines.append("FIGURES")
    for figure in verdict.figures:
        lines += wrap(figure, width, initial_indent=INDENT, subsequent_indent=HANGING)
    return "\n".join(lines)
