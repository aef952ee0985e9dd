"""From held-out effects to a decision: value, checks, verdict, list, model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_uplift.analysis.effect_checks import lottery_of, overlap_of, timing_of
from promo_uplift.analysis.estimation import (
    held_out_scores,
    learner_digest,
    selection_losses,
    selection_rule,
)
from promo_uplift.analysis.heterogeneity import Heterogeneity
from promo_uplift.analysis.hidden_confounding import evaluated_contacts
from promo_uplift.analysis.policies import policy_learner
from promo_uplift.analysis.value import tuning_sentence
from promo_uplift.checks import (
    TARGETING,
    CheckResult,
    Evidence,
    PolicyProfit,
    Verdict,
    VerdictFacts,
    run_checks,
)
from promo_uplift.checks import verdict as judge
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PoliciesParameters,
    PolicyParameters,
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
from promo_uplift.effects import (
    PlaceboEffect,
    clustered_mean,
    manski_bounds,
)
from promo_uplift.experiments import residual_sd
from promo_uplift.explanation import heterogeneity_sentence
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics, Selection, with_expected_random
from promo_uplift.nuisance.deployment import DeploymentNuisances, fit_deployment_nuisances
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    CHOSEN,
    DataContract,
    DecidingPolicy,
    HouseholdPredictions,
    PolicyCandidates,
    PolicyEvaluation,
    PolicySuite,
    ScoringModel,
    chosen_decides,
    definition_of_a_table,
    definition_of_raw_tables,
    evaluate_policy,
    frozen_rule,
    household_view,
    named_decides,
    policy_curve,
    policy_scores,
    policy_table,
    share_threshold,
    support,
    support_ranges,
    targeting_list,
)
from promo_uplift.policy.contract import Value
from promo_uplift.tuning import (
    DeployedLearner,
    deployed_weights,
    ensemble_members,
    fit_deployed,
    fit_deployed_ensemble,
    held_out_interval,
    is_combination,
    read_warm_start,
)


def choose_decider(
    *,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    selection: Selection,
    evaluation: PolicyEvaluation,
    suite: PolicySuite | None,
    policies: PoliciesParameters | None,
) -> DecidingPolicy:
    """Let the policy that ``policies.decides`` names make the list.

    ``suite`` is needed of any but ``chosen``.

    Raises
    ------
    PolicyError
        If that policy could not be valued.
    """
    if suite is None or policies is None or policies.decides == CHOSEN:
        return chosen_decides(
            evaluation=evaluation,
            contacts=evaluated_contacts(cross_fitted=cross_fitted, evaluation=evaluation),
            cate=cross_fitted[evaluation.champion].held_out(),
            fold=nuisances.fold,
        )
    return named_decides(
        name=policies.decides,
        suite=suite,
        learner=policy_learner(selection=selection, policies=policies),
    )


@dataclass(frozen=True, slots=True)
class PolicyValues:
    """What choosing whom to treat is worth.

    Attributes
    ----------
    evaluation : PolicyEvaluation
        Of the policy that chooses among all candidates.
    by_learner : dict of PolicyEvaluation
        Of each learner alone.
    table, curve : DataFrame
        Policies side by side; profit over the share treated.
    """

    evaluation: PolicyEvaluation
    by_learner: dict[str, PolicyEvaluation]
    table: pd.DataFrame
    curve: pd.DataFrame


def value_policies(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    selection: Selection,
    estimation: EstimationParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    seed: int,
) -> PolicyValues:
    """Choose learner and share where they are not valued; value them and every baseline."""
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)
    effects = with_expected_random({name: one.cate for name, one in cross_fitted.items()})
    losses = selection_losses(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    unopposed = dict.fromkeys(effects, np.zeros_like(nuisances.propensity))
    competitions = [losses, *({name: unopposed[name]} for name in effects)]
    evaluation, *alone = run_in_order(
        work=evaluate_policy,
        arguments=[
            {
                "scores": scores,
                "candidates": PolicyCandidates(
                    cate={name: effects[name] for name in competing},
                    losses=competing,
                    response=effects["response"],
                    rule=selection_rule(estimation),
                ),
                "fold": nuisances.fold,
                "groups": data.groups,
                "parameters": policy,
                "intervals": metrics,
                "rng": derived_rng(seed=seed, purpose="policy"),
            }
            for competing in competitions
        ],
        n_workers=estimation.n_workers,
    )
    curve = policy_curve(
        scores=scores,
        champion=selection.champion,
        rankings={
            name: cross_fitted[name].held_out()
            for name in dict.fromkeys((selection.champion, selection.shown, "response"))
        },
        fold=nuisances.fold,
        groups=data.groups,
        parameters=policy,
        intervals=metrics,
        rng=derived_rng(seed=seed, purpose="policy_curve"),
    )
    return PolicyValues(
        evaluation=evaluation,
        by_learner=dict(zip(effects, alone, strict=True)),
        table=policy_table(evaluation=evaluation, parameters=policy),
        curve=curve,
    )


def bound_households(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    effects: CrossFittedCate,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    seed: int,
) -> FloatArray:
    """Pointwise interval of the held-out effects of the learner that decides, ``(n, 2)``."""
    return held_out_interval(
        fitted=effects,
        data=data,
        nuisances=nuisances,
        level=metrics.level,
        n_replicates=estimation.interval_replicates,
        seed=seed,
        n_workers=estimation.n_workers,
    )


def deploy(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    name: str,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> tuple[DeployedLearner, DeploymentNuisances]:
    """Fit a learner and the nuisances on all rows, for households to come.

    An ensemble is weighted by its members' held-out effects, ``cross_fitted``.
    """
    learner = deploy_learner(
        name=name,
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        nuisance=nuisance,
        estimation=estimation,
        tuning=tuning,
        seed=seed,
    )
    models = fit_deployment_nuisances(
        data=data,
        fold=nuisances.fold,
        parameters=nuisance,
        seed=seed,
        n_workers=estimation.n_workers,
        storage=tuning.storage,
        study_prefix=learner_digest(
            name=name,
            data=data,
            nuisance=nuisance,
            estimation=estimation,
            tuning=tuning,
            seed=seed,
        ),
    )
    return learner, models


def deploy_learner(
    *,
    name: str,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> DeployedLearner:
    """Fit one learner on all rows; an ensemble by its members' held-out effects."""

    def digest(one: str) -> str:
        return learner_digest(
            name=one,
            data=data,
            nuisance=nuisance,
            estimation=estimation,
            tuning=tuning,
            seed=seed,
        )

    before = read_warm_start(tuning.warm_start)
    if is_combination(name):
        members = {
            one: cross_fitted[one]
            for one in ensemble_members(estimation.learners)
            if one in cross_fitted
        }
        return fit_deployed_ensemble(
            name=name,
            weights=deployed_weights(
                members=members, data=data, nuisances=nuisances, loss=estimation.ensemble_loss
            ),
            data=data,
            nuisances=nuisances,
            learners=estimation.learners,
            tuning=tuning,
            seed=seed,
            interval_replicates=estimation.interval_replicates,
            storage=tuning.storage,
            study_prefixes={one: digest(one) for one in members},
            warm_starts=before,
        )
    return fit_deployed(
        name=name,
        data=data,
        nuisances=nuisances,
        parameters=estimation.learners[name],
        tuning=tuning,
        seed=seed,
        interval_replicates=estimation.interval_replicates,
        storage=tuning.storage,
        study_prefix=digest(name),
        warm_start=before.get(name),
    )


def reach_verdict(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    ranking: RankingMetrics,
    heterogeneity: Heterogeneity,
    shown: str,
    evaluation: PolicyEvaluation,
    decider: DecidingPolicy,
    placebo: PlaceboEffect,
    windows: WindowAudit | None,
    treatment_definition: str | None,
    metrics: MetricParameters,
    checks: CheckParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[Verdict, tuple[CheckResult, ...]]:
    """Run every check; the verdict is the worst that they allow.

    ``shown`` is the learner whose differences between households the text speaks of;
    ``treatment_definition`` None where a table brought its own treatment; ``decider`` makes the
    list, and must pay.
    """
    facts = (
        windows,
        lottery_of(data=data, nuisances=nuisances, metrics=metrics),
        overlap_of(data=data, nuisances=nuisances, checks=checks),
        placebo,
        ranking,
        timing_of(treatment_definition),
        PolicyProfit(gains_usd=decider.gains_usd, is_money_stated=policy.are_stated),
    )
    results = run_checks(
        evidence=Evidence(facts=tuple(fact for fact in facts if fact is not None), wording=wording),
        parameters=checks,
        expected=TARGETING,
    )
    decided = judge(
        results=results,
        policy=evaluation,
        facts=VerdictFacts(
            effect=clustered_mean(
                values=held_out_scores(data=data, nuisances=nuisances), groups=data.groups
            ),
            bounds=manski_bounds(treatment=data.treatment, outcome=data.outcome),
            residual_sd_usd=residual_sd(data=data, nuisances=nuisances),
            redemption_rate=float(nuisances.redemption_held_out().mean()),
            level=metrics.level,
            power=checks.power,
            heterogeneity=heterogeneity_sentence(
                test=heterogeneity.test, learner=shown, wording=wording
            ),
        ),
        parameters=policy,
        wording=wording,
        decider=decider,
    )
    spoken = tuning_sentence(ranking=ranking, learner=shown, wording=wording)
    return replace(decided, figures=(*decided.figures, *spoken)), results


def list_households(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    decider: DecidingPolicy,
    effects: CrossFittedCate,
    interval: FloatArray,
    verdict: Verdict,
    checks: CheckParameters,
    policy: PolicyParameters,
) -> pd.DataFrame:
    """Targeting list of the trials' households, each with the reason for or against it.

    ``effects`` are those of the learner that ``decider`` uses, ``interval`` theirs.
    """
    ranges = support_ranges(
        covariates=data.covariates,
        quantile=policy.support_quantile,
        overlap_low=checks.overlap_low,
        overlap_high=checks.overlap_high,
    )
    return targeting_list(
        data=data,
        predictions=HouseholdPredictions(
            cate=effects.held_out(),
            interval=interval,
            redemption=nuisances.redemption_held_out(),
        ),
        row_support=support(
            ranges=ranges,
            covariates=data.covariates,
            propensity=nuisances.assignment_propensity(),
        ),
        contacts=decider.listed,
        policy=decider.name,
        parameters=policy,
        verdict_name=verdict.name,
    )


def scoring_model(
    *,
    data: TrialData,
    learner: DeployedLearner,
    models: DeploymentNuisances,
    decider: DecidingPolicy,
    verdict: Verdict,
    checks: CheckParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    contract: DataContract,
) -> ScoringModel:
    """Put together what scores new households: effect, support, money, rule, verdict, contract.

    A rule that compares the households of a list is given the thresholds that it has on the
    training rows.

    Raises
    ------
    PolicyError
        If the policy that decides cannot decide a household alone.
    """
    model = ScoringModel(
        learner=learner.learner,
        propensity_model=models,
        redemption_model=models,
        covariates=tuple(str(name) for name in data.covariates.columns),
        ranges=support_ranges(
            covariates=data.covariates,
            quantile=policy.support_quantile,
            overlap_low=checks.overlap_low,
            overlap_high=checks.overlap_high,
        ),
        parameters=policy,
        verdict_name=verdict.name,
        cate_threshold_usd=share_threshold(
            cate=learner.learner.predict_cate(covariates=data.covariates),
            share=decider.share.estimate,
        ),
        level=metrics.level,
        encoder=data.encoder,
        contract=contract,
        policy=decider.name,
    )
    if decider.fitted is None:
        return model
    view = household_view(
        covariates=data.covariates,
        predictions=model.predictions(data.covariates),
        level=model.level,
    )
    return replace(model, rule=frozen_rule(name=decider.name, fitted=decider.fitted, view=view))


def data_contract(
    *,
    data: TrialData,
    data_version: str,
    trials: TrialParameters,
    estimation: EstimationParameters,
    source: SourceParameters,
    policy: PolicyParameters,
) -> DataContract:
    """Return what a scoring model of these trials is a function of, besides itself."""
    if data.row is not None:
        return table_contract(
            data=data, data_version=data_version, estimation=estimation, policy=policy
        )
    definition = definition_of_raw_tables(
        trials=trials, estimation=estimation, source=source, policy=policy
    )
    return _contract(data, data_version, definition)


def table_contract(
    *,
    data: TrialData,
    data_version: str,
    estimation: EstimationParameters,
    policy: PolicyParameters,
) -> DataContract:
    """Return the same of a table of the user's own."""
    definition = definition_of_a_table(
        estimation=estimation, policy=policy, comparison=data.comparison
    )
    return _contract(data, data_version, definition)


def _contract(data: TrialData, data_version: str, definition: dict[str, Value]) -> DataContract:
    covariates = tuple(str(name) for name in data.covariates.columns)
    return DataContract(
        covariates=covariates,
        columns=covariates
        if data.encoder is None
        else tuple(column.name for column in data.encoder.columns),
        data_version=data_version,
        definition=definition,
    )
