"""Figures of the next experiment: what its size can show, what it found; and its record."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from promo_uplift.analysis.experiment_verdict import ExperimentVerdict
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.experiments import ExperimentFindings, ExperimentPlan
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _legend,
    _note,
)
from promo_uplift.reporting.run_record import RunRecord, money_tag, with_interval

#: Looks of the power curves, from the smallest true effect on.
CURVES = (
    (GREY, ":"),
    (GREEN, "-."),
    (BLUE, "-"),
    (ORANGE, "--"),
    (BLACK, (0, (3, 1, 1, 1))),
)
QUESTIONS = {
    "mailing": "Does the {treatment} {verb}?",
    "targeting": "Do effects differ as predicted?",
}


def power_figure(
    *, power: pd.DataFrame, plan: ExperimentPlan, wording: WordingParameters
) -> Figure:
    """Power over the number of households, with the planned and the available number marked.

    Parameters
    ----------
    power : DataFrame
        Of :func:`promo_uplift.experiments.power_table`.
    plan : ExperimentPlan
        Planned and eligible households.
    wording : WordingParameters
        Words of labels.
    """
    names = list(dict.fromkeys(power["question"]))
    verb = "work" if plan.value is None else "pay"
    figure, axes = _figure(columns=max(len(names), 1), height=4.6)
    for axis, name in zip(axes, names, strict=False):
        _curves(axis, power[power["question"] == name], wording)
        _marks(axis, plan, wording)
        _heading(axis, QUESTIONS[name].format(treatment=wording.treatment, verb=verb))
    if names:
        axes[0].set_ylabel("Chance of finding the effect (power)", fontsize=10.5)
        axes[-1].legend(
            facecolor="white", edgecolor="none", framealpha=1.0, fontsize=9, loc="upper left"
        )
    else:
        _heading(axes[0], "No question has a finite answer")
    _note(
        figure,
        f"True effects as multiples of the one worth finding ({plan.worth_finding}, "
        f"{wording.size(plan.aim.worth_finding_usd)} per {wording.subject}). Two-sided, "
        f"{plan.aim.level:.0%} level, {plan.aim.control_share:.0%} control; residual spread "
        f"{wording.size(plan.noise.control_usd)} control, {wording.size(plan.noise.mailed_usd)} "
        f"{wording.treated}. Beyond one {wording.treatment} a {wording.subject} counts once in "
        "each wave.",
    )
    return figure


def _curves(axis: Axes, rows: pd.DataFrame, wording: WordingParameters) -> None:
    for (colour, line), (multiple, curve) in zip(CURVES, rows.groupby("multiple"), strict=False):
        effect = wording.size(float(curve["true_effect_usd"].iloc[0]))
        label = f"{multiple:g} x: {effect}"
        axis.plot(curve["households"], curve["power"], color=colour, ls=line, lw=2, label=label)
    axis.set_xscale("log")
    axis.set_ylim(0.0, 1.02)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_xlabel(f"{wording.subjects.capitalize()} in both arms", fontsize=10.5)


def _marks(axis: Axes, plan: ExperimentPlan, wording: WordingParameters) -> None:
    axis.axhline(plan.aim.power, color=GREY, lw=0.8, label=f"asked for: {plan.aim.power:.0%}")
    axis.axvline(
        plan.households_eligible,
        color=BLACK,
        lw=1.2,
        ls="--",
        label=f"one {wording.treatment}: {plan.households_eligible:,}",
    )
    if plan.value is not None and plan.value.best_households > 0:
        best = plan.value.best_households
        axis.axvline(best, color=GREEN, lw=1.2, ls=(0, (1, 1)), label=f"best worth: {best:,}")
    axis.axvline(plan.households, color=VERMILLION, lw=1.6, label=f"planned: {plan.households:,}")


def found_figure(
    *, findings: ExperimentFindings, worth_finding_usd: float, wording: WordingParameters
) -> Figure:
    """Effect found in each stratum beside the one predicted, with the recalibrated line.

    Parameters
    ----------
    findings : ExperimentFindings
        Of the experiment.
    worth_finding_usd : float
        Effect that the experiment was to find; drawn as a line.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    strata = findings.strata[findings.strata["stratum"] != "all"]
    predicted = strata["predicted_usd"].to_numpy(dtype=np.float64)
    found = strata["effect_usd"].to_numpy(dtype=np.float64)
    reach = [
        found - strata["effect_ci_low_usd"].to_numpy(dtype=np.float64),
        strata["effect_ci_high_usd"].to_numpy(dtype=np.float64) - found,
    ]
    axis.errorbar(
        predicted, found, yerr=reach, fmt="o", color=BLUE, ms=6, capsize=3, lw=1.4, label="found"
    )
    line = np.linspace(predicted.min(), predicted.max(), 50)
    if len(strata) > 1:
        axis.plot(line, line, color=GREY, ls="--", lw=1.4, label="as predicted")
    recalibrated = findings.recalibration.predict(cate=line, level=findings.level)
    axis.fill_between(
        line,
        recalibrated["recalibrated_cate_ci_low_usd"],
        recalibrated["recalibrated_cate_ci_high_usd"],
        color=GREEN,
        alpha=0.15,
        lw=0,
    )
    axis.plot(line, recalibrated["recalibrated_cate_usd"], color=GREEN, lw=2, label="recalibrated")
    axis.axhline(0.0, color=BLACK, lw=0.8)
    if np.isfinite(worth_finding_usd):
        axis.axhline(
            worth_finding_usd,
            color=VERMILLION,
            lw=1.2,
            ls=":",
            label=f"worth finding: {wording.size(worth_finding_usd)}",
        )
    axis.set_xlabel(f"Predicted effect, {wording.unit} per {wording.subject}", fontsize=10.5)
    axis.set_ylabel(
        f"Effect found{wording.after},\n{wording.unit} per {wording.subject}", fontsize=10.5
    )
    _heading(axis, "Are the effects those that were predicted?")
    _legend(axis)
    _note(
        figure,
        f"Strata of predicted effect; by intention to treat, {findings.level:.0%} intervals of "
        f"each stratum and of the line, clustered by {wording.subject}.",
    )
    return figure


def experiment_run_record(
    *,
    findings: ExperimentFindings,
    verdict: ExperimentVerdict,
    policy: PolicyParameters,
    result: pd.DataFrame,
) -> RunRecord:
    """Metrics and tags of an experiment's result, and the file that it came in."""
    metrics = {
        "experiment_assigned": float(findings.counts.assigned),
        "experiment_observed": float(findings.counts.observed),
        **with_interval("experiment_effect_usd", findings.effect_usd),
        **with_interval("experiment_slope", findings.recalibration.slope),
    }
    if policy.are_stated:
        for name in ("all", "targeted"):
            metrics |= with_interval(f"experiment_profit_{name}_usd", findings.profit_usd[name])
    return RunRecord(
        metrics=metrics,
        tags={
            "experiment_verdict": verdict.name,
            "experiment_action": verdict.action,
            "experiment_departures": ", ".join(
                one.name for one in verdict.departures if not one.passed
            )
            or "none",
            "money": money_tag(policy),
        },
        learners=(),
        inputs={"experiment_result": result},
    )
