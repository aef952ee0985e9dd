"""Gain over the budget of several arms as a figure, and the record of their run."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from promo_uplift.analysis import Analysis, ArmAllocation, ArmCurves, ArmsTable
from promo_uplift.analysis.arm_offer import ALL_ARMS, NO_COVARIATES
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.metrics import CostCurve
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _note,
)
from promo_uplift.reporting.run_record import RunRecord, money_tag, with_interval

#: Looks of the arms alone, told apart in print; beyond them they repeat.
ARM_LOOKS = (
    (ORANGE, "--"),
    (GREEN, "-."),
    ("#CC79A7", (0, (5, 1))),
    ("#56B4E9", (0, (3, 1, 1, 1))),
)


def cost_curve_figure(
    *, curves: ArmCurves, budget_usd: float, policy: PolicyParameters, wording: WordingParameters
) -> Figure:
    """Gain over the budget: all arms with their band, each arm alone, all at random.

    Parameters
    ----------
    curves : ArmCurves
        Valued at the stated budget, too.
    budget_usd : float
        Over all rows; marked.
    policy : PolicyParameters
        Whether the gain is a profit.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    n_rows = len(curves.effects.fold)
    joint = curves.curves[ALL_ARMS]
    table = joint.table()
    axis.fill_between(
        joint.budgets * n_rows,
        table["ci_low"],
        table["ci_high"],
        color=BLUE,
        alpha=0.15,
        lw=0,
    )
    alone = (name for name in curves.curves if name not in (ALL_ARMS, NO_COVARIATES))
    looks = {
        ALL_ARMS: ("each its best use", BLUE, "-", 2.4),
        **{
            name: ("alone", *ARM_LOOKS[place % len(ARM_LOOKS)], 1.8)
            for place, name in enumerate(alone)
        },
        NO_COVARIATES: ("", GREY, ":", 1.8),
    }
    for name, (words, colour, line, width) in looks.items():
        axis.plot(
            curves.curves[name].budgets * n_rows,
            curves.curves[name].gain[:, 0],
            color=colour,
            ls=line,
            lw=width,
            label=f"{name}, {words}" if words else name,
        )
    _mark(axis, joint, budget_usd, n_rows)
    axis.axhline(0.0, color=BLACK, lw=0.8)
    axis.set_xlim(left=0.0)
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if n_rows >= 10 else "{x:,.2f}"))
    axis.set_xlabel(f"Budget for all {n_rows:,} {wording.subjects}, USD", fontsize=10.5)
    what = "Profit, USD" if policy.are_stated else f"Gain, {wording.unit}"
    axis.set_ylabel(f"{what} per {wording.subject},\nover no {wording.treatment}", fontsize=10.5)
    _heading(axis, "What does a budget buy, and is it worth choosing between the arms?")
    figure.legend(frameon=False, fontsize=9.5, ncols=3, loc="outside upper center")
    _note(figure, _words(curves, policy, wording))
    return figure


def _mark(axis: Axes, curve: CostCurve, budget_usd: float, n_rows: int) -> None:
    here = curve.gain_at(budget_usd / n_rows)
    axis.axvline(budget_usd, color=VERMILLION, lw=1.2, ls=":")
    axis.errorbar(
        [budget_usd],
        [here.estimate],
        yerr=[[here.estimate - here.ci_low], [here.ci_high - here.estimate]],
        fmt="o",
        color=VERMILLION,
        capsize=4,
        ms=7,
        lw=1.8,
        zorder=5,
        label=f"the budget of {budget_usd:,.0f} USD: {here.estimate:.3g} "
        f"({here.ci_low:.3g} to {here.ci_high:.3g})",
    )


def _words(curves: ArmCurves, policy: PolicyParameters, wording: WordingParameters) -> str:
    level = curves.curves[ALL_ARMS].level
    text = (
        f"Doubly robust, by {curves.effects.learner} on held-out folds. Band and bar: {level:.0%} "
        f"intervals of all arms, clustered by {wording.subject}; arm_cost_curve.csv has the paired "
        "differences. A curve is flat where nothing that promises a gain is left. "
    )
    if not policy.are_stated:
        return text + "No margin was stated, so this is the outcome itself and no profit."
    source = "ASSUMED, not in the data" if policy.values_are_assumptions else "as given"
    margin = policy.expected.margin_per_unit
    return text + f"Margin ({source}): {margin:.4g} USD per unit, less each arm's cost."


def arm_run_record(
    *,
    table: ArmsTable,
    analyses: Mapping[str, Analysis],
    allocation: ArmAllocation,
    policy: PolicyParameters,
) -> RunRecord:
    """Metrics and tags of a budget on several arms, under the names that runs are compared by."""
    value = allocation.value.iloc[0]
    gain = Interval(*(float(value[f"gain{part}"]) for part in ("", "_ci_low", "_ci_high")))
    what = "profit_per_row" if allocation.is_profit else "gain_per_row"
    kept = allocation.table["recommend"]
    verdicts = {arm: one.verdict for arm, one in analyses.items()}
    return RunRecord(
        metrics={
            **with_interval(f"arms_{what}", gain),
            "arms_budget_usd": allocation.budget,
            "arms_spend_usd": allocation.spend,
            "arms_rows": float(len(allocation.table)),
            "arms_rows_given": float(sum(allocation.counts.values())),
            "arms_rows_recommended": float(kept.sum()),
        },
        tags={
            "arms_verdict": "; ".join(f"{arm}: {one.name}" for arm, one in verdicts.items()),
            "arms_verdict_reasons": "; ".join(
                f"{arm}: {', '.join(one.reasons) or 'none'}" for arm, one in verdicts.items()
            ),
            "champion": "; ".join(
                f"{arm}: {one.selection.champion}" for arm, one in analyses.items()
            ),
            "treatment_definition": f"{', '.join(table.arms.names)} against {table.arms.control}",
            "data_version": table.version,
            "money": money_tag(policy),
        },
        learners=(),
        inputs={
            "trials": table.arms.covariates.assign(
                treatment=table.arms.arm, outcome=table.arms.outcome
            )
        },
    )
