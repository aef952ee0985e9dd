"""`promo_uplift.analyse`: any table with a treatment and an outcome, from Python.

The numbers are those of ``conf/base`` and ``conf/table``; the code is that of the pipelines.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from kedro.config import OmegaConfigLoader
from omegaconf.resolvers import oc

from promo_uplift import analysis
from promo_uplift.analysis import (
    Analysis,
    AnalysisParameters,
    ArmAllocation,
    ArmCurves,
    ArmEffects,
    in_outcome_unit,
)
from promo_uplift.checks import Verdict, checks_table, verdict_text
from promo_uplift.contracts.configuration import configuration_folder
from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.parameters import Scalar, TableParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.datasets.mlflow_run import log_run
from promo_uplift.explanation import Explanation
from promo_uplift.learners import left_out_learners, refuse_left_out
from promo_uplift.metrics import metric_versions
from promo_uplift.policy import PolicySuite, ScoringModel, suite_table
from promo_uplift.reporting.run_record import money_tag, run_record
from promo_uplift.sources import table_version
from promo_uplift.trials import TableArms, TableTrial, table_arms, table_trials

#: Characters per line of a printed verdict.
TEXT_WIDTH = 96
EXPERIMENT = "promo_uplift"
TRACKED_TABLES = (
    "leaderboard",
    "metric_versions",
    "effects",
    "policy_curve",
    "policy_value",
    "checks",
    "blp",
    "gates",
    "clan",
    "cate_drivers",
    "cate_rules",
)
CONFIGURATION = (
    "nuisance",
    "estimation",
    "tuning",
    "metrics",
    "policy",
    "checks",
    "wording",
    "explanation",
    "policies",
)


@dataclass(frozen=True)
class TableResult:
    """What the analysis of one arm against the control found.

    Attributes
    ----------
    trial : TableTrial
        The rows as they were read, with the report on every column.
    analysis : Analysis
        Every result object behind the tables.
    parameters : AnalysisParameters
    seed : int
    data_version : str
        Digest of the table.
    """

    trial: TableTrial
    analysis: Analysis
    parameters: AnalysisParameters
    seed: int
    data_version: str

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per learner: ranking figures with intervals, losses, seconds."""
        return self._in_unit(self.analysis.leaderboard)

    @cached_property
    def metric_versions(self) -> pd.DataFrame:
        """Naive, IPW and DR versions of each learner's figures, side by side."""
        found = self.analysis
        return metric_versions(
            data=self.trial.data,
            nuisances=found.nuisances,
            rankings={name: one.held_out() for name, one in found.cross_fitted.items()},
            ranking=found.ranking,
            uplift_shares=self.parameters.metrics.uplift_shares,
        )

    @property
    def effects(self) -> pd.DataFrame:
        """Average effects with their populations: naive, ATE, ATT, overlap, ATO."""
        table = self._in_unit(self.analysis.effects)
        return table.loc[table["campaign"] == "pooled"].drop(columns="campaign")

    @property
    def blp(self) -> pd.DataFrame:
        """Whether effects differ: average effect and slope of every learner, with the test."""
        return self._in_unit(self.analysis.heterogeneity.blp)

    @property
    def gates(self) -> pd.DataFrame:
        """Effects found in groups of predicted effect, of every learner."""
        return self._in_unit(self.analysis.heterogeneity.gates)

    @cached_property
    def clan(self) -> pd.DataFrame:
        """Every covariate among the rows predicted to respond most and least."""
        return analysis.describe_affected(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            fitted=self.analysis.cross_fitted[self.analysis.selection.shown],
            metrics=self.parameters.metrics,
            seed=self.seed,
        )

    @cached_property
    def explanation(self) -> Explanation:
        """What drives the champion's effects, with a warning where none is shown; made when asked.

        It prints as text. Its tables: :attr:`cate_drivers`, :attr:`cate_rules`.
        """
        return analysis.explain_effects(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            fitted=self.analysis.cross_fitted[self.analysis.selection.shown],
            heterogeneity=self.analysis.heterogeneity,
            estimation=self.parameters.estimation,
            metrics=self.parameters.metrics,
            explanation=self.parameters.explanation,
            wording=self.parameters.wording,
            seed=self.seed,
        )

    @property
    def cate_drivers(self) -> pd.DataFrame:
        """Mean size and direction of what each covariate adds to the champion's effects."""
        return self._in_unit(self.explanation.drivers)

    @property
    def cate_rules(self) -> pd.DataFrame:
        """The champion's effects as a few rules, with the effects found there."""
        return self._in_unit(self.explanation.rules.table)

    @property
    def policy_value(self) -> pd.DataFrame:
        """Value of the chosen policy beside its baselines."""
        return self._in_unit(self.analysis.policies.table)

    @cached_property
    def policy_suite(self) -> PolicySuite:
        """Every configured policy, valued where it was not fitted; computed when asked."""
        if self.parameters.policies is None:
            raise ConfigurationError("`policies` must be given to be compared; it is None.")
        if self.analysis.suite is not None:
            return self.analysis.suite
        return analysis.compare_policies(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            cross_fitted=self.analysis.cross_fitted,
            selection=self.analysis.selection,
            estimation=self.parameters.estimation,
            policies=self.parameters.policies,
            policy=self.parameters.policy,
            metrics=self.parameters.metrics,
            seed=self.seed,
        )

    @property
    def policies(self) -> pd.DataFrame:
        """One row per policy of :attr:`policy_suite`: value, intervals, rule in words."""
        return self._in_unit(
            suite_table(suite=self.policy_suite, parameters=self.parameters.policy)
        )

    @property
    def policy_curve(self) -> pd.DataFrame:
        """Profit (without a cost: gain in the outcome's unit) over the share treated."""
        return self._in_unit(self.analysis.policies.curve)

    @property
    def checks(self) -> pd.DataFrame:
        """One row per check."""
        return checks_table(self.analysis.checks)

    @property
    def columns(self) -> pd.DataFrame:
        """What became of every column of the table."""
        return self.trial.report

    @property
    def champion(self) -> str:
        """Learner with the lowest held-out loss."""
        return self.analysis.evaluation.champion

    @property
    def verdict(self) -> Verdict:
        """What the checks allow, with reasons."""
        return self.analysis.verdict

    @cached_property
    def interval(self) -> FloatArray:
        """Pointwise interval of the held-out effects that decide, ``(n, 2)``; NaN: not offered."""
        return analysis.bound_households(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            effects=self.analysis.cross_fitted[self.analysis.decider.learner],
            estimation=self.parameters.estimation,
            metrics=self.parameters.metrics,
            seed=self.seed,
        )

    @cached_property
    def rosetta(self) -> pd.DataFrame:
        """Every learner's ranking under every definition of Qini and AUUC; computed when asked."""
        return analysis.compare_definitions(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            cross_fitted=self.analysis.cross_fitted,
            metrics=self.parameters.metrics,
            seed=self.seed,
        )

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Held-out effects, scores and nuisances of every row of the table's two arms."""
        return self._in_unit(
            analysis.scores_table(
                data=self.trial.data,
                nuisances=self.analysis.nuisances,
                cross_fitted=self.analysis.cross_fitted,
            )
        ).drop(columns=["campaign_id", "p_redeem_if_mailed"])

    @cached_property
    def model(self) -> ScoringModel:
        """The champion fitted on all rows, for rows to come; fitted when asked."""
        learner, models = analysis.deploy(
            data=self.trial.data,
            nuisances=self.analysis.nuisances,
            cross_fitted=self.analysis.cross_fitted,
            name=self.analysis.decider.learner,
            nuisance=self.parameters.nuisance,
            estimation=self.parameters.estimation,
            tuning=self.parameters.tuning,
            seed=self.seed,
        )
        return analysis.scoring_model(
            data=self.trial.data,
            learner=learner,
            models=models,
            decider=self.analysis.decider,
            verdict=self.verdict,
            checks=self.parameters.checks,
            policy=self.parameters.policy,
            metrics=self.parameters.metrics,
            contract=analysis.table_contract(
                data=self.trial.data,
                data_version=self.data_version,
                estimation=self.parameters.estimation,
                policy=self.parameters.policy,
            ),
        )

    def cate(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Effect of the treatment for rows to come, in the outcome's unit.

        Parameters
        ----------
        frame : DataFrame (m, ...)
            The covariates of the training table by name.

        Returns
        -------
        DataFrame
            ``cate, ci_low, ci_high`` (``_usd`` where the unit is USD), ``in_support`` and
            ``support_reason``, with a stated cost ``recommend``, ``reason`` and
            ``expected_profit_usd``; index of ``frame``.
            Rows outside the training ranges, or with a category that training never saw, have no
            figures: an effect there would be a guess.

        Raises
        ------
        ScoringError
            If a covariate is missing, with the nearest name that ``frame`` has.
        TrialError
            If one is no number where one is due.
        """
        return self._in_unit(self.model.score(frame))

    def __str__(self) -> str:
        """Return the verdict as text."""
        head = f"{self.trial.arm} against {self.trial.control}\n"
        return head + verdict_text(verdict=self.verdict, width=TEXT_WIDTH)

    def __repr__(self) -> str:
        """Return the verdict as text."""
        return str(self)

    def _in_unit(self, table: pd.DataFrame) -> pd.DataFrame:
        return in_outcome_unit(
            table, policy=self.parameters.policy, wording=self.parameters.wording
        )


@dataclass(frozen=True)
class ArmsResult:
    """Each arm of a table against the same control.

    The tables hold the arms below each other, in a first column ``arm``. The arms share their
    controls: their intervals are not independent of each other.

    Attributes
    ----------
    arms : dict of TableResult
    table : TableArms
        All rows, for decisions between the arms.
    """

    arms: dict[str, TableResult]
    table: TableArms

    def cost_curve(
        self,
        *,
        costs: Mapping[Scalar, float | Sequence[float] | FloatArray] | None = None,
        budgets: Sequence[float] | None = None,
        learner: str | None = None,
        replicates: int = 200,
    ) -> ArmCurves:
        """Gain of the best use of every budget over all arms, beside each arm alone.

        The arms exclude each other and share their controls, so every row gets a held-out effect
        and a multi-arm doubly robust score of every arm, fitted when asked.

        Parameters
        ----------
        costs : mapping, optional
            Cost of each arm, 0 or more: for any row, or one for each row of the table (infinite
            where the arm is not on offer); None: 1 each.
        budgets : sequence of float, optional
            Per row, ascending; None: 20 steps up to the dearest arm for all.
        learner : str, optional
            Predicts each arm's effect, with its default parameters; None: the first candidate. A
            champion was chosen on these rows: its curve would be a little too good.
        replicates : int
            Of the household bootstrap.

        Returns
        -------
        ArmCurves
            Its ``table()`` and ``differences()`` are in the outcome's unit per row.

        Raises
        ------
        LearnerError, PolicyError, MetricError
            Naming the learner, the costs or the budgets.
        """
        first = next(iter(self.arms.values()))
        return analysis.arm_cost_curves(
            effects=self._effects(learner),
            costs=None if costs is None else {str(arm): cost for arm, cost in costs.items()},
            budgets=budgets,
            replicates=replicates,
            level=first.parameters.metrics.level,
            seed=first.seed,
        )

    def allocate(
        self,
        *,
        budget: float,
        costs: Mapping[Scalar, float | Sequence[float] | FloatArray],
        learner: str | None = None,
        replicates: int = 200,
    ) -> ArmAllocation:
        """Which arm for which row, or none, under a budget; with its value on held-out folds.

        With ``contact_cost`` and ``margin_rate`` given to :func:`analyse`, arms are given for
        their profit: margin times effect, less the arm's cost as it is named here. Without, they
        are given for the outcome itself, and no profit is reported.

        Parameters
        ----------
        budget : float
            Over all rows of the table, in the unit of the costs.
        costs : mapping
            Cost of each arm, 0 or more: for any row, or one for each row of the table (infinite
            where the arm is not on offer).
        learner : str, optional
            As in :meth:`cost_curve`.
        replicates : int
            Of the household bootstrap.

        Returns
        -------
        ArmAllocation
            ``table``: arm or none, with the reason, for each row; ``value``: the allocation beside
            nobody, each arm alone and all arms at random. It prints as text.

        Raises
        ------
        LearnerError, PolicyError
            Naming the learner, the costs or the budget.
        """
        first = next(iter(self.arms.values()))
        return analysis.allocate_arms(
            effects=self._effects(learner),
            control=self.table.control,
            costs={str(arm): cost for arm, cost in costs.items()},
            budget=budget,
            policy=first.parameters.policy,
            verdicts={arm: one.verdict.name for arm, one in self.arms.items()},
            replicates=replicates,
            level=first.parameters.metrics.level,
            power=first.parameters.checks.power,
            seed=first.seed,
        )

    def _effects(self, learner: str | None) -> ArmEffects:
        first = next(iter(self.arms.values()))
        return analysis.cross_fit_arms(
            arms=self.table,
            learner=learner or first.parameters.estimation.candidates[0],
            parameters=first.parameters,
            seed=first.seed,
        )

    def __getitem__(self, arm: Scalar) -> TableResult:
        """Return the result of one arm."""
        return self.arms[str(arm)]

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Leaderboards of all arms."""
        return self._stacked("leaderboard")

    @property
    def metric_versions(self) -> pd.DataFrame:
        """Versions of the figures of all arms."""
        return self._stacked("metric_versions")

    @property
    def effects(self) -> pd.DataFrame:
        """Average effects of all arms."""
        return self._stacked("effects")

    @property
    def blp(self) -> pd.DataFrame:
        """Tests of heterogeneity of all arms."""
        return self._stacked("blp")

    @property
    def gates(self) -> pd.DataFrame:
        """Effects by group of all arms."""
        return self._stacked("gates")

    @property
    def clan(self) -> pd.DataFrame:
        """Most and least affected of all arms."""
        return self._stacked("clan")

    @property
    def explanation(self) -> dict[str, Explanation]:
        """Explanation of each arm's champion."""
        return {arm: result.explanation for arm, result in self.arms.items()}

    @property
    def policy_value(self) -> pd.DataFrame:
        """Policy values of all arms."""
        return self._stacked("policy_value")

    @property
    def policies(self) -> pd.DataFrame:
        """Configured policies of all arms, each arm against the control."""
        return self._stacked("policies")

    @property
    def policy_curve(self) -> pd.DataFrame:
        """Policy curves of all arms."""
        return self._stacked("policy_curve")

    @property
    def checks(self) -> pd.DataFrame:
        """Checks of all arms."""
        return self._stacked("checks")

    @property
    def champion(self) -> dict[str, str]:
        """Champion of each arm."""
        return {arm: result.champion for arm, result in self.arms.items()}

    @property
    def verdict(self) -> dict[str, Verdict]:
        """Verdict of each arm."""
        return {arm: result.verdict for arm, result in self.arms.items()}

    def cate(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Effects of every arm for rows to come: columns ``(arm, figure)``."""
        return pd.concat({arm: one.cate(frame) for arm, one in self.arms.items()}, axis="columns")

    def __str__(self) -> str:
        """Return the verdicts as text."""
        return "\n\n".join(str(result) for result in self.arms.values())

    def __repr__(self) -> str:
        """Return the verdicts as text."""
        return str(self)

    def _stacked(self, name: str) -> pd.DataFrame:
        tables = [getattr(one, name).assign(arm=arm) for arm, one in self.arms.items()]
        table: pd.DataFrame = pd.concat(tables, ignore_index=True)
        return table.loc[:, ["arm", *table.columns.drop("arm")]]


def analyse(  # noqa: PLR0913 - the library's one call
    frame: pd.DataFrame,
    *,
    treatment: str,
    outcome: str,
    control: Scalar | None = None,
    covariates: Sequence[str] | None = None,
    groups: str | None = None,
    propensity: float | str | Mapping[Scalar, float] | None = None,
    placebo_outcome: str | None = None,
    contact_cost: float | None = None,
    margin_rate: float | None = None,
    outcome_value: float | None = None,
    learners: Sequence[str] | None = None,
    tuning: int | None = None,
    unit: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    tracking_uri: str | None = None,
    seed: int = 20171231,
) -> TableResult | ArmsResult:
    """Effects, ranking, policy, checks and verdict of any table with a treatment and an outcome.

    The same code as ``kedro run --env table --pipelines uplift``.

    Parameters
    ----------
    frame : DataFrame (n, ...)
        One row per unit, or several per cluster; never changed.
    treatment, outcome : str
        Columns: two values or several arms; a number (0/1 for yes and no), known in every row.
    control : str, int, float or bool, optional
        Value of the treatment that means not treated; 0 or False where there is one.
    covariates : sequence of str, optional
        Columns known before the treatment; None: all others, identifiers left out by name.
    groups : str, optional
        Column of clusters, such as households.
    propensity : float, str or mapping, optional
        An experiment's P(treated): a number, a column, or the share of each arm and the control.
        None: nobody drew lots, and it is modelled.
    placebo_outcome : str, optional
        Column measured before the treatment, on which an effect must be nothing.
    contact_cost : float, optional
        USD per treated row. Without it no profit is reported.
    margin_rate : float, optional
        Share of the outcome's value that is margin; needed with ``contact_cost``.
    outcome_value : float, optional
        USD per unit of the outcome; 1 where the outcome is in USD.
    learners : sequence of str, optional
        Candidates; the baselines always take part. One that is named here and cannot run here is
        refused; one of the configuration is left out, with a note in the leaderboard.
    tuning : int, optional
        Trials of each study, of learners and nuisances; 0: their defaults.
    unit : str, optional
        The outcome's unit, for labels.
    parameters : mapping, optional
        Overrides of ``nuisance``, ``estimation``, ``tuning``, ``metrics``, ``policy``,
        ``policies``, ``checks``, ``wording`` and ``explanation`` by name, nested as in ``conf``.
    tracking_uri : str, optional
        MLflow store that gets one run per arm.
    seed : int
        The same seed, table and parameters give the same figures.

    Returns
    -------
    TableResult
        Of the one arm; :class:`ArmsResult` where there are several.

    Raises
    ------
    TrialError, LearnerError, CheckError, ConfigurationError, pydantic.ValidationError
        Naming the column or parameter, the rule, what was found and what to do.
    """
    overrides: dict[str, Any] = {"tuning": {"storage": None}, "nuisance": {"store": None}}
    _merge(overrides, _money(contact_cost, margin_rate, outcome_value))
    if unit is not None:
        _merge(overrides, {"wording": {"unit": unit}})
    if tuning is not None:
        budget = {"n_trials": tuning}
        _merge(overrides, {"tuning": budget, "nuisance": budget})
    if learners is not None:
        _merge(overrides, {"estimation": {"candidates": list(learners)}})
    _merge(overrides, dict(parameters or {}))
    typed, table = table_parameters(overrides)
    roles = {
        "treatment": treatment,
        "outcome": outcome,
        "control": control,
        "covariates": None if covariates is None else list(covariates),
        "groups": groups,
        "propensity": dict(propensity) if isinstance(propensity, Mapping) else propensity,
        "placebo_outcome": placebo_outcome,
    }
    analysis.refuse_unknown(typed)
    columns = TableParameters.model_validate({**table, **roles})
    trials = table_trials(frame=frame, parameters=columns)
    if learners is not None:
        for trial in trials:
            refuse_left_out(left_out=left_out_learners(names=learners, data=trial.data))
    data_version = table_version(frame)
    results = {
        trial.arm: TableResult(
            trial=trial,
            analysis=analysis.analyse_trials(
                data=trial.data, placebo=trial.placebo, parameters=typed, seed=seed
            ),
            parameters=typed,
            seed=seed,
            data_version=data_version,
        )
        for trial in trials
    }
    if tracking_uri is not None:
        for result in results.values():
            _track(result, tracking_uri)
    if len(results) == 1:
        return next(iter(results.values()))
    return ArmsResult(arms=results, table=table_arms(frame=frame, parameters=columns))


def table_parameters(
    overrides: Mapping[str, Any] | None = None,
) -> tuple[AnalysisParameters, dict[str, Any]]:
    """Return the parameters of ``conf/base`` and ``conf/table``, with ``overrides``.

    Returns
    -------
    parameters : AnalysisParameters
    table : dict
        The table's own parameters, before its columns are named.

    Raises
    ------
    ConfigurationError
        If an override names something else.
    """
    with warnings.catch_warnings():
        # a call inside Kedro that whoever runs this project cannot change
        warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is deprecated")
        values: dict[str, Any] = OmegaConfigLoader(
            conf_source=str(configuration_folder()),
            base_env="base",
            env="table",
            merge_strategy={"parameters": "soft", "globals": "soft"},
            custom_resolvers={"root": Path.cwd, "oc.env": oc.env},
        )["parameters"]
    chosen = {name: values[name] for name in CONFIGURATION}
    unknown = sorted(set(overrides or {}) - set(CONFIGURATION))
    if unknown:
        raise ConfigurationError(
            f"`parameters` must hold only {', '.join(CONFIGURATION)}; got {', '.join(unknown)}."
        )
    _merge(chosen, dict(overrides or {}))
    typed = AnalysisParameters.model_validate(chosen)
    competing = analysis.only_what_competes(typed.estimation)
    return typed.model_copy(update={"estimation": competing}), values["table"]


def _money(
    contact_cost: float | None, margin_rate: float | None, outcome_value: float | None
) -> dict[str, Any]:
    if contact_cost is None:
        given = {"margin_rate": margin_rate, "outcome_value": outcome_value}
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise ConfigurationError(
                f"`contact_cost` must be given with {' and '.join(f'`{name}`' for name in named)}: "
                "without a cost there is no profit."
            )
        return {}
    if margin_rate is None:
        raise ConfigurationError(
            "`margin_rate` must be given with `contact_cost`: the share of the outcome's value "
            "that is margin (1 where the outcome is a margin already)."
        )
    return {
        "policy": {
            "are_stated": True,
            "margin_rate": float(margin_rate),
            "outcome_value_usd": 1.0 if outcome_value is None else float(outcome_value),
            "contact_cost_usd": float(contact_cost),
        }
    }


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def _track(result: TableResult, tracking_uri: str) -> None:
    found, data = result.analysis, result.trial.data
    record = run_record(
        data=data,
        nuisances=found.nuisances,
        cross_fitted=found.cross_fitted,
        ranking=found.ranking,
        losses=found.leaderboard,
        evaluation=found.evaluation,
        by_learner=found.by_learner,
        decider=found.decider,
        overlap=analysis.overlap_of(
            data=data, nuisances=found.nuisances, checks=result.parameters.checks
        ),
        is_money_stated=result.parameters.policy.are_stated,
        tags={
            "verdict": result.verdict.name,
            "verdict_reasons": ", ".join(result.verdict.reasons),
            "champion": result.champion,
            "treatment_definition": f"{result.trial.arm} against {result.trial.control}",
            "data_version": result.data_version,
            "money": money_tag(result.parameters.policy),
        },
        inputs={"trials": data.covariates.assign(treatment=data.treatment, outcome=data.outcome)},
    )
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri)
    try:
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name=result.trial.arm):
            log_run(record)
            for name in TRACKED_TABLES:
                mlflow.log_text(getattr(result, name).to_csv(index=False), f"{name}.csv")
            mlflow.log_text(str(result), "verdict.txt")
            mlflow.log_text(result.explanation.text, "explanation.txt")
    finally:
        mlflow.set_tracking_uri(before)
