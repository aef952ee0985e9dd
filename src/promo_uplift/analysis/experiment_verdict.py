"""What an experiment allows: mail all, none, the targeted, or go on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from scipy.stats import norm

from promo_uplift.checks import SEVERITY
from promo_uplift.checks.verdict import Action
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName, WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import ClusteredMean
from promo_uplift.experiments import ExperimentFindings, households_needed

INDENT: Final = "    "
HANGING: Final = "      "
#: P-values below it are printed as below it.
SMALLEST_P: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Departure:
    """One way in which an experiment may depart from its plan.

    Attributes
    ----------
    name : str
        ``sample_ratio``, ``attrition``, ``missing_outcomes``, ``compliance``, ``redemption`` or
        ``redrawn``.
    passed : bool
        Whether it did not.
    value, threshold : float
        What was found and what it was held against; NaN where it is only counted.
    allows : str
        Best verdict that it leaves.
    sentence : str
        The finding for a reader.
    """

    name: str
    passed: bool
    value: float
    threshold: float
    allows: VerdictName
    sentence: str


@dataclass(frozen=True, slots=True)
class ExperimentVerdict:
    """What the experiment allows.

    Attributes
    ----------
    name : str
        ``publish``, ``experiment_needed`` or ``refuse``, of the vocabulary of all verdicts.
    action : str
        ``target``, ``mail_all``, ``mail_none``, ``use_average`` (no cost stated), ``experiment`` or
        ``stop``.
    advice : str
        What to do, in plain words.
    figures : tuple of str
        Findings in words.
    departures : tuple of Departure
    remaining_for_plan, remaining_for_found : int or None
        Further households (both arms) after which the effect worth finding, and a profit as far
        from 0 as the one found, would be found with the planned power; 0: there are enough; None:
        no number is.
    """

    name: VerdictName
    action: Action
    advice: str
    figures: tuple[str, ...]
    departures: tuple[Departure, ...]
    remaining_for_plan: int | None
    remaining_for_found: int | None


def judge_experiment(
    *,
    findings: ExperimentFindings,
    worth_finding_usd: float,
    policy: PolicyParameters,
    parameters: ExperimentParameters,
    power: float,
    wording: WordingParameters,
    pays_share: float = float("nan"),
) -> ExperimentVerdict:
    """Reach the verdict of an experiment: the worst that its departures allow, then its profits.

    Target where the profit of the households targeted beforehand is above that of all and of none
    with their intervals; else all or none where the interval of mailing all excludes 0; else the
    experiment has to go on. Without a stated cost the question is whether there is an effect.

    Parameters
    ----------
    findings : ExperimentFindings
        What was found.
    worth_finding_usd : float
        Effect that the experiment was to find, USD per household.
    policy : PolicyParameters
        Whether money was stated.
    parameters : ExperimentParameters
        Thresholds.
    power : float
        Of what remains to be done.
    wording : WordingParameters
        Words.
    pays_share : float, optional
        Share of the households for which the recalibrated effect pays.
    """
    departures = _departures(findings, parameters, wording)
    worst = max((one.allows for one in departures), key=SEVERITY.index)
    plan = _remaining(findings.effect, worth_finding_usd, findings.level, power)
    profit = findings.all_profit
    found = _remaining(
        profit, profit.estimate, findings.level, power, findings.all_profit_money_error_usd
    )
    action = _action(worst, findings, policy)
    name: VerdictName = "experiment_needed" if action == "experiment" else worst
    name = max(name, worst, key=SEVERITY.index)
    return ExperimentVerdict(
        name=name,
        action=action,
        advice=_advice(action, worst, findings, (plan, found), wording),
        figures=_figures(findings, pays_share, policy, wording),
        departures=departures,
        remaining_for_plan=plan,
        remaining_for_found=found,
    )


def _remaining(
    mean: ClusteredMean, effect_usd: float, level: float, power: float, fixed_error: float = 0.0
) -> int | None:
    """Rows that are still to come until an effect of this size is found with the power.

    ``fixed_error`` is the part of the error that more rows do not make smaller.
    """
    reach = float(norm.ppf(0.5 + level / 2.0) + norm.ppf(power)) * fixed_error
    if abs(effect_usd) <= reach:
        return None
    # what is left of z sqrt(variance / n + fixed^2) = effect
    needed = households_needed(
        effect_usd=math.sqrt(effect_usd**2 - reach**2) if reach else effect_usd,
        unit_variance=mean.n * mean.se**2,
        level=level,
        power=power,
    )
    return None if needed is None else max(0, math.ceil(needed) - mean.n)


def _action(worst: VerdictName, findings: ExperimentFindings, policy: PolicyParameters) -> Action:
    if worst == "refuse":
        return "stop"
    if worst != "publish":
        return "experiment"
    if not policy.are_stated:
        effect = findings.effect_usd
        return "use_average" if effect.ci_low > 0.0 or effect.ci_high < 0.0 else "experiment"
    differences = (findings.targeted_minus_all_usd, findings.targeted_minus_none_usd)
    if all(one.ci_low > 0.0 for one in differences):
        return "target"
    everyone = findings.profit_usd["all"]
    if everyone.ci_low > 0.0:
        return "mail_all"
    return "mail_none" if everyone.ci_high < 0.0 else "experiment"


def _departures(
    findings: ExperimentFindings, parameters: ExperimentParameters, words: WordingParameters
) -> tuple[Departure, ...]:
    counts = findings.counts
    ratio, lost = counts.sample_ratio, counts.attrition
    missing = 1.0 - counts.observed / counts.assigned
    nan = float("nan")

    def held(
        name: str, value: float, least: float, at_best: VerdictName, sentence: str
    ) -> Departure:
        passed = value >= least
        return Departure(name, passed, value, least, "publish" if passed else at_best, sentence)

    found = [
        held(
            "sample_ratio",
            ratio.p_value,
            parameters.min_ratio_p_value,
            "refuse",
            f"{ratio.found:,.0f} of {counts.observed:,} {words.subjects} with an outcome were "
            f"drawn to be {words.treated}; the lots let expect {ratio.expected:,.0f} "
            f"({_p(ratio.p_value)}).",
        ),
        held(
            "attrition",
            lost.p_value,
            parameters.min_attrition_p_value,
            "experiment_needed",
            f"{counts.missing_mailed:.1%} of those drawn to be {words.treated} and "
            f"{counts.missing_control:.1%} of the control {words.subjects} have no outcome "
            f"({_p(lost.p_value)}): {counts.absent:,} not in the result, {counts.empty:,} "
            "without a value.",
        ),
        held(
            "missing_outcomes",
            1.0 - missing,
            1.0 - parameters.max_missing_share,
            "experiment_needed",
            f"{counts.observed:,} of {counts.assigned:,} {words.subjects} have an outcome; "
            f"{missing:.1%} do not."
            + (
                f" {counts.households:,} {words.subjects} count once in each of "
                f"{len(counts.waves)} waves."
                if len(counts.waves) > 1
                else ""
            ),
        ),
    ]
    if counts.mailed_not_contacted is not None:
        other = counts.mailed_not_contacted + (counts.control_contacted or 0)
        found.append(
            Departure(
                "compliance",
                other == 0,
                float(other),
                nan,
                "publish",
                f"{counts.mailed_not_contacted:,} drawn to be {words.treated} were not, "
                f"{counts.control_contacted:,} control {words.subjects} were; all stay in their "
                "arm, so that the effect is that of being drawn.",
            )
        )
    if counts.control_redeemed:
        found.append(
            Departure(
                "redemption",
                False,
                float(counts.control_redeemed),
                nan,
                "publish",
                f"{counts.control_redeemed:,} control {words.subjects} redeemed what only those "
                f"{words.treated} should have: the effect is that of being drawn, and smaller than "
                f"that of the {words.treatment}.",
            )
        )
    if counts.n_draws > 1:
        found.append(
            Departure(
                "redrawn",
                True,
                float(counts.n_draws),
                nan,
                "publish",
                f"The lots were drawn up to {counts.n_draws:,} times until the arms were balanced: "
                "the intervals are, if anything, too wide.",
            )
        )
    return tuple(found)


def _advice(
    action: Action,
    worst: VerdictName,
    findings: ExperimentFindings,
    remaining: tuple[int | None, int | None],
    words: WordingParameters,
) -> str:
    everyone, targeted = findings.profit_usd["all"], findings.profit_usd["targeted"]
    said: dict[Action, str] = {
        "stop": (
            "Base no decision on this result: the arms are not those that were drawn. Find out "
            f"which {words.subjects} are missing, and why."
        ),
        "target": (
            f"Choose the {findings.targeted_share:.0%} of {words.subjects} that were predicted to "
            f"pay: {_usd(targeted)} per {words.subject}, {_usd(findings.targeted_minus_all_usd)} "
            "more than everybody."
        ),
        "mail_all": (
            f"Choose everybody: the {words.treatment} for all earns {_usd(everyone)} per "
            f"{words.subject}; the targeted {words.subjects} alone are not shown to earn more."
        ),
        "mail_none": (
            f"Choose nobody: the {words.treatment} for all earns {_usd(everyone)} per "
            f"{words.subject}, and the targeted {words.subjects} are not shown to pay."
        ),
        "use_average": "There is an effect; whom to choose depends on what it costs: state it.",
    }
    if action in said:
        return said[action]
    if absent := findings.counts.waves_absent:
        return (
            f"Decide when all waves are back: {len(absent)} of {len(findings.counts.waves)} have "
            f"no outcome yet (from wave {absent[0]}). Who decides after each of them finds effects "
            "that are not there."
        )
    if worst != "publish":
        return (
            "Report no effect yet: too many outcomes are missing, or more in one arm than in the "
            "other. Get them, and analyse again."
        )
    plan, found = remaining
    more = (
        f"no number of {words.subjects} settles it"
        if found is None
        else f"{found:,} more {words.subjects} would settle a profit like the one found"
    )
    if plan == 0:
        return (
            f"The experiment is as large as the effect worth finding takes, and the profit is near "
            f"0 whatever is chosen: {_usd(everyone)} per {words.subject} for everybody; {more}."
        )
    goal = "" if plan is None else f", {plan:,} for the effect worth finding"
    return f"The experiment has not settled it: go on with the lots; {more}{goal}."


def _figures(
    findings: ExperimentFindings,
    pays_share: float,
    policy: PolicyParameters,
    words: WordingParameters,
) -> tuple[str, ...]:
    effect, slope = findings.effect_usd, findings.recalibration.slope
    line = (
        f"No recalibration by {words.subject}: {findings.recalibration.reason}."
        if findings.recalibration.reason
        else f"Slope of the effects found on those predicted: {slope.estimate:.2f} "
        f"({slope.ci_low:.2f} to {slope.ci_high:.2f}); 1 is calibrated, 0 is no ranking."
    )
    found = [
        f"Effect of the {words.treatment}, as drawn: {words.interval(effect)} per "
        f"{words.subject}{words.after} ({findings.level:.0%} interval).",
        line,
    ]
    if policy.are_stated:
        found.append(
            f"Profit per {words.subject}: all {_usd(findings.profit_usd['all'])}, the "
            f"{findings.targeted_share:.0%} targeted beforehand "
            f"{_usd(findings.profit_usd['targeted'])}, none 0; redemptions "
            f"{findings.redemption_source}."
        )
    if slope.ci_low > 0.0 and math.isfinite(pays_share):
        found.append(
            f"By the recalibrated effects the {words.treatment} pays for {pays_share:.0%} of "
            f"{words.subjects}; {findings.targeted_share:.0%} were predicted to pay. Read off this "
            "experiment: only the next one can value choosing them."
        )
    return tuple(found)


def _p(p_value: float) -> str:
    return f"p < {SMALLEST_P:g}" if p_value < SMALLEST_P else f"p = {p_value:.2g}"


def _usd(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} USD ({interval.ci_low:+.2f} to {interval.ci_high:+.2f})"


def experiment_verdict_text(*, verdict: ExperimentVerdict, width: int) -> str:
    """Verdict as plain text for the end of a run, ``width`` characters per line."""
    lines = [f"EXPERIMENT {verdict.name}: {verdict.action}."]
    lines += wrap(verdict.advice, width, initial_indent="DO      ", subsequent_indent=" " * 8)
    failed = [one for one in verdict.departures if not one.passed]
    lines.append(
        f"WHY     It departs from the plan in {len(failed)} of {len(verdict.departures)} respects."
        if failed
        else "WHY     The result is that of the plan."
    )
    for one in verdict.departures:
        lines += wrap(
            f"{one.name}{'' if one.passed else ' DEPARTS'}: {one.sentence}",
            width,
            initial_indent=INDENT,
            subsequent_indent=HANGING,
        )
    lines.append("FIGURES")
    for figure in verdict.figures:
        lines += wrap(figure, width, initial_indent=INDENT, subsequent_indent=HANGING)
    return "\n".join(lines)
