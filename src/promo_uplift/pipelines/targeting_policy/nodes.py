"""From held-out effects to a decision: value, checks, verdict, list, model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from promo_uplift import analysis
from promo_uplift.checks import Verdict, checks_table, verdict_record, verdict_text
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    ExplanationParameters,
    MetricParameters,
    NuisanceParameters,
    PoliciesParameters,
    PolicyParameters,
    SensitivityParameters,
    SourceParameters,
    TrialParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.contracts.what_if import WhatIfParameters
from promo_uplift.effects import PlaceboEffect
from promo_uplift.explanation import Explanation
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics, Selection
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.nuisance.deployment import DeploymentNuisances
from promo_uplift.policy import (
    FIXED,
    DecidingPolicy,
    PolicyEvaluation,
    PolicyRows,
    PolicySuite,
    RegisteredVersion,
    RegistryEntry,
    ScoringModel,
    champion_gate,
    policy_scores,
    standing_policy_rows,
    suite_table,
    suite_text,
)
from promo_uplift.tuning import DeployedLearner, is_combination, tuned_parameters

#: Rows of the registered model's input example.
EXAMPLE_ROWS = 5
#: Characters per line of the printed verdict.
TEXT_WIDTH = 96


def value_policies(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    estimation: EstimationParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[PolicyEvaluation, dict[str, PolicyEvaluation], pd.DataFrame, pd.DataFrame]:
    """Choose learner and share where they are not valued; value them and every baseline."""
    values = analysis.value_policies(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        estimation=estimation,
        policy=policy,
        metrics=metrics,
        seed=seed,
    )
    table, curve = (
        analysis.in_outcome_unit(frame, policy=policy, wording=wording)
        for frame in (values.table, values.curve)
    )
    return values.evaluation, values.by_learner, table, curve


def bound_hidden_confounding(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    by_learner: dict[str, PolicyEvaluation],
    suite: PolicySuite,
    policy: PolicyParameters,
    metrics: MetricParameters,
    sensitivity: SensitivityParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[analysis.HiddenConfounding, pd.DataFrame, pd.DataFrame, str]:
    """Bound the profit of each policy under a hidden trait, and measure observed ones beside it."""
    found = analysis.bound_hidden_confounding(
        data=data,
        nuisances=nuisances,
        contacts=analysis.policies_to_bound(
            cross_fitted=cross_fitted,
            evaluation=evaluation,
            response=by_learner["response"],
            suite=suite,
        ),
        policy=policy,
        metrics=metrics,
        sensitivity=sensitivity,
        wording=wording,
        seed=seed,
    )
    table = analysis.in_outcome_unit(found.table(), policy=policy, wording=wording)
    return found, table, found.yardsticks, found.text


def compare_policies(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    estimation: EstimationParameters,
    policies: PoliciesParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[PolicySuite, pd.DataFrame, str]:
    """Value every configured policy where it was not fitted, and say each rule in words."""
    suite = analysis.compare_policies(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        estimation=estimation,
        policies=policies,
        policy=policy,
        metrics=metrics,
        seed=seed,
    )
    table = analysis.in_outcome_unit(
        suite_table(suite=suite, parameters=policy), policy=policy, wording=wording
    )
    return suite, table, suite_text(suite=suite, parameters=policy, width=TEXT_WIDTH)


def decide(
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    evaluation: PolicyEvaluation,
    suite: PolicySuite,
    policies: PoliciesParameters,
) -> DecidingPolicy:
    """Let the policy that ``policies.decides`` names make the list."""
    return analysis.choose_decider(
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        evaluation=evaluation,
        suite=suite,
        policies=policies,
    )


def value_other_money(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    policy: PolicyParameters,
    what_if: WhatIfParameters,
    metrics: MetricParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Value the champion's ranking at other costs and margins, and under scenarios."""
    found = analysis.value_other_money(
        data=data,
        nuisances=nuisances,
        champion=evaluation.champion,
        cross_fitted=cross_fitted,
        policy=policy,
        what_if=what_if,
        metrics=metrics,
        seed=seed,
    )
    if not policy.are_stated:
        return found.grid, found.scenarios
    grid, scenarios = (
        analysis.in_outcome_unit(table, policy=policy, wording=wording)
        for table in (found.grid, found.scenarios)
    )
    return grid, scenarios


def bound_households(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    decider: DecidingPolicy,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    seed: int,
) -> FloatArray:
    """Pointwise interval of the held-out effects that decide."""
    return analysis.bound_households(
        data=data,
        nuisances=nuisances,
        effects=cross_fitted[decider.learner],
        estimation=estimation,
        metrics=metrics,
        seed=seed,
    )


def describe_affected(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    metrics: MetricParameters,
    seed: int,
) -> pd.DataFrame:
    """Every covariate among the rows that the shown learner predicts to respond most and least."""
    return analysis.describe_affected(
        data=data,
        nuisances=nuisances,
        fitted=cross_fitted[selection.shown],
        metrics=metrics,
        seed=seed,
    )


def explain_effects(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    selection: Selection,
    heterogeneity: analysis.Heterogeneity,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    explanation: ExplanationParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
    seed: int,
) -> tuple[Explanation, pd.DataFrame, pd.DataFrame, str]:
    """Say what drives the shown learner's held-out effects, and what a few rules make of them."""
    found = analysis.explain_effects(
        data=data,
        nuisances=nuisances,
        fitted=cross_fitted[selection.shown],
        heterogeneity=heterogeneity,
        estimation=estimation,
        metrics=metrics,
        explanation=explanation,
        wording=wording,
        seed=seed,
    )
    drivers, rules = (
        analysis.in_outcome_unit(table, policy=policy, wording=wording)
        for table in (found.drivers, found.rules.table)
    )
    return found, drivers, rules, found.text


def deploy(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    decider: DecidingPolicy,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> tuple[DeployedLearner, DeploymentNuisances]:
    """Fit the learner that decides and the nuisances on all rows, for households to come."""
    return analysis.deploy(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        name=decider.learner,
        nuisance=nuisance,
        estimation=estimation,
        tuning=tuning,
        seed=seed,
    )


def collect_tuned_parameters(
    cross_fitted: dict[str, CrossFittedCate],
    learner: DeployedLearner,
    estimation: EstimationParameters,
) -> dict[str, Any]:
    """Collect the candidates' parameters, from which a later run may start; not of combinations."""
    alone = [name for name in estimation.candidates if not is_combination(name)]
    return tuned_parameters(
        champion=learner.name,
        deployed={} if is_combination(learner.name) else learner.parameters,
        by_fold={name: cross_fitted[name].parameters for name in alone if name in cross_fitted},
    )


def reach_verdict(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    ranking: RankingMetrics,
    heterogeneity: analysis.Heterogeneity,
    selection: Selection,
    evaluation: PolicyEvaluation,
    decider: DecidingPolicy,
    placebo: PlaceboEffect,
    window_audit: dict[str, Any],
    trials: TrialParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[Verdict, dict[str, object], pd.DataFrame, str]:
    """Run every check; the verdict is the worst that they allow."""
    decided, results = analysis.reach_verdict(
        data=data,
        nuisances=nuisances,
        ranking=ranking,
        heterogeneity=heterogeneity,
        shown=selection.shown,
        evaluation=evaluation,
        decider=decider,
        placebo=placebo,
        windows=WindowAudit.from_record(window_audit),
        treatment_definition=None if data.row is not None else trials.treatment_definition,
        metrics=metrics,
        checks=checks,
        policy=policy,
        wording=wording,
    )
    text = verdict_text(verdict=decided, width=TEXT_WIDTH)
    return decided, verdict_record(decided), checks_table(results), text


def list_households(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    interval: FloatArray,
    decider: DecidingPolicy,
    verdict: Verdict,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Targeting list of the trials' households, with reasons; once for each form of its file."""
    table = analysis.list_households(
        data=data,
        nuisances=nuisances,
        decider=decider,
        effects=cross_fitted[decider.learner],
        interval=interval,
        verdict=verdict,
        checks=checks,
        policy=policy,
    )
    listed = analysis.in_outcome_unit(table, policy=policy, wording=wording)
    return listed, listed


def build_scoring_model(
    data: TrialData,
    learner: DeployedLearner,
    models: DeploymentNuisances,
    decider: DecidingPolicy,
    verdict: Verdict,
    data_version: str,
    checks: CheckParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    trials: TrialParameters,
    estimation: EstimationParameters,
    source: SourceParameters,
) -> ScoringModel:
    """Put together what scores new households: effect, support, money, verdict, contract."""
    return analysis.scoring_model(
        data=data,
        learner=learner,
        models=models,
        decider=decider,
        verdict=verdict,
        checks=checks,
        policy=policy,
        metrics=metrics,
        contract=analysis.data_contract(
            data=data,
            data_version=data_version,
            trials=trials,
            estimation=estimation,
            source=source,
            policy=policy,
        ),
    )


def enter_registry(
    model: ScoringModel,
    standing: RegisteredVersion | None,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    decider: DecidingPolicy,
    policy: PolicyParameters,
    metrics: MetricParameters,
) -> RegistryEntry:
    """Challenger always; champion by the verdict and the paired value against the standing one."""
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)
    champion, incomparable = standing_policy_rows(
        scores=scores,
        standing=standing,
        contract=model.contract,
        data=data,
        fold=nuisances.fold,
    )
    gate = champion_gate(
        verdict=model.verdict_name,
        challenger=PolicyRows.held_out(scores=scores, fold=nuisances.fold).times(decider.contacts),
        champion=champion,
        groups=data.groups,
        policy=policy,
        level=metrics.level,
        factor=1.0 if decider.name in FIXED else choice_factor(n_folds=nuisances.n_folds),
        incomparable=incomparable,
    )
    example = data.covariates.head(EXAMPLE_ROWS)
    return RegistryEntry(
        model=model,
        example=example if data.encoder is None else data.encoder.decode(example),
        gate=gate,
    )
