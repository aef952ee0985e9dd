"""From a run's results to the next experiment, and from its result to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import isfinite
from textwrap import wrap
from typing import Any, Final

import numpy as np
import pandas as pd

from promo_uplift.analysis.experiment_text import lots_sentence, plan_sentences
from promo_uplift.analysis.experiment_verdict import ExperimentVerdict, judge_experiment
from promo_uplift.contracts.columns import HOUSEHOLD_ID
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.experiments import (
    Assignment,
    Evidence,
    ExperimentFindings,
    ExperimentPlan,
    Population,
    analyse_experiment,
    assign_households,
    join_result,
    plan_experiment,
    population,
    power_table,
)

#: Characters per line of the plan as text.
TEXT_WIDTH: Final = 96


@dataclass(frozen=True, slots=True)
class NextExperiment:
    """The plan of the next experiment.

    Attributes
    ----------
    learner : str
        Whose predicted effects make the strata.
    population : Population
        Who may take part.
    plan : ExperimentPlan
    power : DataFrame
        Power over the number of households.
    sentences : tuple of str
        The plan in words.
    """

    learner: str
    population: Population
    plan: ExperimentPlan
    power: pd.DataFrame
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExperimentConclusion:
    """What the experiment found, and what may be done now.

    Attributes
    ----------
    findings : ExperimentFindings
    verdict : ExperimentVerdict
    recalibrated : DataFrame
        One row per assigned household (of its first wave): predicted and recalibrated effect with
        interval, USD, and the predicted profit by the latter.
    """

    findings: ExperimentFindings
    verdict: ExperimentVerdict
    recalibrated: pd.DataFrame

    def record(self) -> dict[str, object]:
        """Return the findings as plain values for a JSON file; what is undefined becomes null."""
        found = plain(self.findings)
        record = found if isinstance(found, dict) else {}
        tables = {"strata"}
        return {
            "verdict": plain(self.verdict),
            **{name: one for name, one in record.items() if name not in tables},
        }


def plain(value: object) -> object:
    """Nested results as dicts, lists and numbers; a figure that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def plan_next_experiment(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fitted: CrossFittedCate,
    evidence: Evidence,
    parameters: ExperimentParameters,
    wording: WordingParameters,
) -> NextExperiment:
    """Plan the experiment that would settle what this run could not.

    ``fitted`` is the learner whose held-out effects make the strata.
    """
    eligible = population(
        data=data,
        nuisances=nuisances,
        cate=fitted.held_out(),
        n_strata=parameters.n_strata,
        segment=parameters.segment,
    )
    plan = plan_experiment(evidence=evidence, population=eligible, parameters=parameters)
    return NextExperiment(
        learner=fitted.learner,
        population=eligible,
        plan=plan,
        power=power_table(plan=plan, parameters=parameters),
        sentences=plan_sentences(plan=plan, parameters=parameters, wording=wording),
    )


def draw_lots(
    *,
    experiment: NextExperiment,
    policy: PolicyParameters,
    parameters: ExperimentParameters,
    seed: int,
) -> Assignment:
    """Draw the lots; where they cannot be drawn, nobody is assigned and the reason is kept.

    A run ends with its decision even where the data at hand are too few for an experiment.
    """
    try:
        return assign_households(
            population=experiment.population,
            plan=experiment.plan,
            policy=policy,
            parameters=parameters,
            seed=seed,
        )
    except ExperimentError as error:
        return Assignment.none(reason=str(error))


def plan_record(*, experiment: NextExperiment, lots: Assignment, seed: int) -> dict[str, object]:
    """Plan and lots as plain values for a JSON file; what is undefined becomes null.

    ``lots`` has, by wave, households, arms, draws, the largest standardised mean difference and the
    joint test; ``refused`` says why there are none.
    """
    found = plain(experiment.plan)
    waves = {} if lots.refused else _waves(lots)
    return {
        "sentences": [*experiment.sentences, *([lots.refused] if lots.refused else [])],
        "learner": experiment.learner,
        **(found if isinstance(found, dict) else {}),
        "lots": {"seed": seed, "refused": lots.refused, "waves": plain(waves)},
    }


def _waves(lots: Assignment) -> dict[str, dict[str, float]]:
    found = {}
    for wave, rows in lots.balance.groupby("wave"):
        arms = lots.table.loc[lots.table["wave"] == wave, "arm"].value_counts()
        first = rows.iloc[0]
        found[str(wave)] = {
            "mailed": int(arms["mail"]),
            "control": int(arms["control"]),
            "draws": int(first["n_draws"]),
            "largest_smd": float(rows["smd"].abs().max()),
            "joint_p_value": float(first["joint_p_value"]),
        }
    return found


def plan_text(*, experiment: NextExperiment, lots: Assignment, wording: WordingParameters) -> str:
    """Plan and lots as plain text, one paragraph for each sentence."""
    balance = (
        f"No lots were drawn. {lots.refused}"
        if lots.refused
        else lots_sentence(waves=_waves(lots), wording=wording)
    )
    lines = ["NEXT EXPERIMENT"]
    for sentence in (*experiment.sentences, balance):
        lines += wrap(sentence, TEXT_WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def worth_finding(plan: Mapping[str, Any]) -> float:
    """Effect worth finding of a plan as it was written down, USD; NaN where none was finite.

    Raises
    ------
    ExperimentError
        If the record is not that of a plan.
    """
    aim = plan.get("aim")
    if not isinstance(aim, Mapping) or "worth_finding_usd" not in aim:
        raise ExperimentError(
            "`experiment_plan` must hold `aim.worth_finding_usd`; found "
            f"{', '.join(map(str, plan)) or 'nothing'}. Run the pipeline `experiment` again."
        )
    value = aim["worth_finding_usd"]
    return float("nan") if value is None else float(value)


def conclude_experiment(
    *,
    result: pd.DataFrame,
    assignment: pd.DataFrame,
    worth_finding_usd: float,
    policy: PolicyParameters,
    parameters: ExperimentParameters,
    level: float,
    power: float,
    wording: WordingParameters,
) -> ExperimentConclusion:
    """Analyse the result of an experiment, recalibrate the effects, and reach a verdict.

    Parameters
    ----------
    result, assignment : DataFrame
        As they came back, and as they were drawn.
    worth_finding_usd : float
        Of the plan: effect that the experiment was to find.
    policy : PolicyParameters
        Money.
    parameters : ExperimentParameters
        Thresholds.
    level, power : float
        Confidence level, and the power of what remains to be done.
    wording : WordingParameters
        Words of the sentences.

    Raises
    ------
    ExperimentError
        If the result is not that of the assignment.
    """
    findings = analyse_experiment(
        experiment=join_result(result=result, assignment=assignment), policy=policy, level=level
    )
    recalibrated = recalibrated_table(assignment=assignment, findings=findings, policy=policy)
    pays = recalibrated["expected_profit_usd"] > 0.0
    verdict = judge_experiment(
        findings=findings,
        worth_finding_usd=worth_finding_usd,
        policy=policy,
        parameters=parameters,
        power=power,
        wording=wording,
        pays_share=float(pays.mean()) if policy.are_stated else float("nan"),
    )
    return ExperimentConclusion(findings=findings, verdict=verdict, recalibrated=recalibrated)


def recalibrated_table(
    *, assignment: pd.DataFrame, findings: ExperimentFindings, policy: PolicyParameters
) -> pd.DataFrame:
    """Predicted and recalibrated effect of every assigned household, USD per household.

    Returns
    -------
    DataFrame
        ``household_id, stratum, cate_usd, recalibrated_cate_usd`` with ``_ci_low_usd`` and
        ``_ci_high_usd``, ``expected_profit_usd`` by the recalibrated effect; a household of several
        waves once.
    """
    households = assignment.drop_duplicates(HOUSEHOLD_ID).reset_index(drop=True)
    found = findings.recalibration.predict(
        cate=households["cate"].to_numpy(dtype=np.float64), level=findings.level
    )
    money = policy.expected
    cost = money.contact_cost_usd + money.redemption_cost_usd * households["redemption_probability"]
    profit = money.margin_per_unit * found["recalibrated_cate_usd"] - cost
    return pd.concat(
        [households[[HOUSEHOLD_ID, "stratum"]], households["cate"].rename("cate_usd"), found],
        axis="columns",
    ).assign(expected_profit_usd=profit)
