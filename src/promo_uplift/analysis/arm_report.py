"""Several arms of a table as tables and words: verdicts, effects, and what the budget buys."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

import pandas as pd

from promo_uplift.analysis.arm_allocation import ArmAllocation
from promo_uplift.analysis.arm_curves import ArmCurves
from promo_uplift.analysis.arm_table import ArmsTable
from promo_uplift.analysis.arms import ArmEffects
from promo_uplift.analysis.run import Analysis, analyse_trials
from promo_uplift.analysis.units import in_outcome_unit
from promo_uplift.checks import checks_table, verdict_text
from promo_uplift.contracts.parameters import AnalysisParameters, PolicyParameters

#: What a line of the printed text begins with.
LABEL_WIDTH = 11


def analyse_arms(
    *, table: ArmsTable, parameters: AnalysisParameters, seed: int, progress: bool
) -> dict[str, Analysis]:
    """Analyse each arm against the control, at its own cost where a margin is stated.

    Parameters
    ----------
    table : ArmsTable
    parameters : AnalysisParameters
    seed : int
    progress : bool
        Whether to show bars on stderr.
    """
    found = {}
    for trial in table.trials:
        policy = parameters.policy
        if policy.are_stated:
            own = {"contact_cost_usd": table.cost_of(trial.arm)}
            policy = policy.model_copy(update=own)
        found[trial.arm] = analyse_trials(
            data=trial.data,
            placebo=trial.placebo,
            parameters=parameters.model_copy(update={"policy": policy}),
            seed=seed,
            progress=progress,
        )
    return found


def arm_checks_table(*, analyses: Mapping[str, Analysis]) -> pd.DataFrame:
    """One row per arm and check, with the arm's verdict."""
    return _stacked(
        {
            arm: checks_table(one.checks).assign(verdict=one.verdict.name)
            for arm, one in analyses.items()
        }
    )


def arm_effects_table(
    *, analyses: Mapping[str, Analysis], parameters: AnalysisParameters
) -> pd.DataFrame:
    """One row per arm and estimand: average effect of the arm against the control."""
    stacked = _stacked(
        {
            arm: one.effects.loc[one.effects["campaign"] == "pooled"].drop(columns="campaign")
            for arm, one in analyses.items()
        }
    )
    return in_outcome_unit(stacked, policy=parameters.policy, wording=parameters.wording)


def arm_verdicts_text(*, table: ArmsTable, analyses: Mapping[str, Analysis], width: int) -> str:
    """Verdict of each arm against the control, in words."""
    return "\n\n".join(
        f"{arm} against {table.arms.control}\n{verdict_text(verdict=one.verdict, width=width)}"
        for arm, one in analyses.items()
    )


def cost_curve_table(curves: ArmCurves) -> pd.DataFrame:
    """Curves, then their differences, with each budget over all rows beside that per row."""
    table = pd.concat([curves.table(), curves.differences()], ignore_index=True)
    table.insert(2, "budget_all_rows", table["budget"] * len(curves.effects.fold))
    return table


def arm_allocation_text(
    *,
    table: ArmsTable,
    effects: ArmEffects,
    analyses: Mapping[str, Analysis],
    allocation: ArmAllocation,
    policy: PolicyParameters,
    width: int,
) -> str:
    """Say what was decided for how many rows, on what, and what it is worth.

    Parameters
    ----------
    table : ArmsTable
    effects : ArmEffects
    analyses : mapping of str to Analysis
    allocation : ArmAllocation
    policy : PolicyParameters
        Whether a margin was stated, and by whom.
    width : int
        Characters per line.
    """
    rows = ", ".join(f"{count:,} {name}" for name, count in table.rows.items())
    moved = (
        "probabilities as the design states them"
        if table.arms.propensity is not None
        else f"modelled probabilities, of which {effects.n_clipped:,} rows were moved into bounds"
    )
    learned = f"of each arm by {effects.learner}, held out; {moved}."
    parts = [
        ("ARMS", f"{len(table.arms.arm):,} rows, none left out: {rows} (control first)."),
        ("COSTS", f"{_costs(table)} {_money(policy)}"),
        ("EFFECTS", learned),
    ]
    for arm, one in analyses.items():
        failed = f": {', '.join(one.verdict.reasons)}" if one.verdict.reasons else ""
        parts.append(("VERDICT", f"{arm}: {one.verdict.name}{failed}."))
    parts.append(("RECOMMEND", _recommended(allocation)))
    lines = [
        line
        for label, text in parts
        for line in wrap(
            text,
            width,
            initial_indent=f"{label:<{LABEL_WIDTH}}",
            subsequent_indent=" " * LABEL_WIDTH,
        )
    ]
    return "\n".join([*lines, str(allocation)])


def _costs(table: ArmsTable) -> str:
    told = []
    for arm in table.arms.names:
        text = f"{arm} {table.cost_of(arm):,.2f} USD"
        if arm in table.cost_columns:
            n_offered = int((pd.Series(table.costs[arm]) < float("inf")).sum())
            text += f" on average (`{table.cost_columns[arm]}`, on offer to {n_offered:,} rows)"
        told.append(text)
    return "; ".join(told) + "."


def _money(policy: PolicyParameters) -> str:
    if not policy.are_stated:
        return (
            "No margin was stated: arms are given for the outcome itself, and no profit is "
            "reported."
        )
    source = "ASSUMED, not in the data" if policy.values_are_assumptions else "as given"
    return f"Margin ({source}): {policy.expected.margin_per_unit:.4g} USD per unit of the outcome."


def _recommended(allocation: ArmAllocation) -> str:
    kept = allocation.table.loc[allocation.table["recommend"]]
    counts = kept["arm"].value_counts()
    given = ", ".join(f"{int(counts.get(arm, 0)):,} {arm}" for arm in allocation.counts)
    held_back = sum(allocation.counts.values()) - len(kept)
    text = f"{given}, for {kept['cost'].sum():,.2f} USD"
    if held_back:
        text += f"; {held_back:,} rows are held back, since the verdict of their arm is not publish"
    return f"{text}."


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    named = [table.assign(arm=arm) for arm, table in tables.items()]
    stacked: pd.DataFrame = pd.concat(named, ignore_index=True)
    return stacked.loc[:, ["arm", *stacked.columns.drop("arm")]]
