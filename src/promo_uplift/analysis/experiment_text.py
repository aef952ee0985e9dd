"""The plan of the next experiment in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.experiments import ExperimentPlan, Question
from promo_uplift.experiments.plan import BREAK_EVEN


def plan_sentences(
    *, plan: ExperimentPlan, parameters: ExperimentParameters, wording: WordingParameters
) -> tuple[str, ...]:
    """Plan in words: size and duration, both questions, cost, worth, and who takes part.

    Parameters
    ----------
    plan : ExperimentPlan
        The plan.
    parameters : ExperimentParameters
        Horizon and waves.
    wording : WordingParameters
        Words.
    """
    return (
        _what(plan, parameters, wording),
        *(_question(one, plan, wording) for one in plan.questions),
        *_cost(plan, wording),
        *_worth(plan, parameters, wording),
        _who(plan, wording),
    )


def _what(plan: ExperimentPlan, parameters: ExperimentParameters, words: WordingParameters) -> str:
    share = plan.aim.control_share
    waves = (
        f"one {words.treatment}"
        if plan.waves == 1
        else f"{plan.waves} {words.treatment}s of {plan.households_per_wave:,} {words.subjects}, "
        "each with lots of its own"
    )
    days = "" if plan.duration_days is None else f", {plan.duration_days} days in all"
    drawn = (
        f"Draw lots over {waves}{days}: {plan.households:,} {_counted(plan, words)} in all"
        + ("" if plan.waves == 1 else f" (one {words.subject} in one {words.treatment})")
        + f", {1.0 - share:.0%} {words.treated}, {share:.0%} control."
    )
    if plan.is_enough:
        return drawn
    power, most = plan.asked(plan.question).power_planned, parameters.max_waves
    waves_allowed = "1 wave allows," if most == 1 else f"{most} waves allow,"
    return (
        f"{drawn} That is all that {waves_allowed} and it has "
        + (f"{power:.0%} power" if isfinite(power) else "no power to speak of")
        + f", not the {plan.aim.power:.0%} that was asked for."
    )


def _counted(plan: ExperimentPlan, words: WordingParameters) -> str:
    """Name what a size counts: over several waves the same subjects draw again."""
    return words.subjects if plan.waves == 1 else "lots"


def _question(question: Question, plan: ExperimentPlan, words: WordingParameters) -> str:
    asks = {
        "mailing": f"Does the {words.treatment} "
        + ("pay?" if plan.worth_finding == BREAK_EVEN else "work?"),
        "targeting": "Do effects differ as predicted?",
    }[question.name]
    if question.households is None:
        return f"{asks} No experiment answers it: {question.reason}."
    aim = plan.aim
    is_mailing = question.name == "mailing"
    size = words.size(aim.worth_finding_usd)
    named = f"{plan.worth_finding}, {size}"
    what = named if is_mailing else f"a difference of {size} between the halves"
    now = "The present estimate is" if is_mailing else "If the predictions are right, it is"
    waves = "wave" if question.waves == 1 else "waves"
    return (
        f"{asks} To find {what}, with {aim.power:.0%} power takes {question.households:,} "
        f"{_counted(plan, words)} ({question.waves:,} {waves}); the plan finds "
        f"{words.size(question.smallest_planned_usd)}, one {words.treatment} of everybody "
        f"{words.size(question.smallest_one_wave_usd)}. {now} "
        f"{words.amount(question.expected_usd)}; the plan would find that with "
        f"{question.power_if_expected:.0%} power."
    )


def _cost(plan: ExperimentPlan, words: WordingParameters) -> tuple[str, ...]:
    cost = plan.cost
    if cost is None:
        return ("What it costs is not known: state `contact_cost` and `margin_rate`.",)
    return (
        f"It spends {cost.spent_usd:,.0f} USD on {cost.contacts:,.0f} contacts and "
        f"{cost.redemptions:,.0f} redemptions, and earns "
        f"{_whole(cost.profit_of_contacts_usd)} by the present estimate: "
        f"{_whole(cost.profit_against_current_usd)} against as many {words.subjects} under the "
        f"{words.treatment} as it was.",
    )


def _worth(
    plan: ExperimentPlan, parameters: ExperimentParameters, words: WordingParameters
) -> tuple[str, ...]:
    value = plan.value
    if value is None:
        return ()
    best = (
        "no size is worth its cost"
        if value.best_households == 0
        else f"the best size is {value.best_households:,} {_counted(plan, words)}, worth "
        f"{value.best_net_usd:,.0f} USD net"
    )
    return (
        f"Over {parameters.horizon_campaigns} {words.treatment}s to come, knowing whether to "
        f"choose everybody or nobody is worth {value.gross_usd:,.0f} USD by this plan "
        f"({value.perfect_usd:,.0f} USD if known exactly); it gives up {value.cost_usd:,.0f} USD "
        f"for it, {value.net_usd:+,.0f} USD net; {best}. What it teaches about whom to choose "
        "comes on top.",
    )


def _who(plan: ExperimentPlan, words: WordingParameters) -> str:
    left = "; ".join(f"{count:,} ({reason})" for reason, count in plan.left_out.items())
    return (
        f"{plan.households_eligible:,} {words.subjects} are eligible, each once, by the latest row "
        f"({plan.latest_by}), in {len(plan.strata)} strata; rows left out: {left or 0}."
    )


def lots_sentence(*, waves: Mapping[str, Mapping[str, float]], wording: WordingParameters) -> str:
    """Balance of the lots in words, from the figures of each wave."""
    every = list(waves.values())
    draws = max(one["draws"] for one in every)
    redrawn = (
        "at the first draw"
        if draws == 1
        else f"after up to {draws:,.0f} draws, which the analysis will say"
    )
    return (
        f"The lots leave the arms of {wording.subjects} balanced {redrawn}: largest standardised "
        f"mean difference {max(one['largest_smd'] for one in every):.3f}, smallest p-value of all "
        f"covariates at once {min(one['joint_p_value'] for one in every):.2f}."
    )


def _whole(interval: Interval) -> str:
    return f"{interval.estimate:+,.0f} USD ({interval.ci_low:+,.0f} to {interval.ci_high:+,.0f})"
