"""From held-out effects to a decision: value, checks, verdict, list, model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from promo_uplift.checks import (
    Evidence,
    Verdict,
    VerdictFacts,
    checks_table,
    run_checks,
    verdict_text,
)
from promo_uplift.checks import verdict as judge
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TrialParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.effects import PlaceboEffect, clustered_mean, manski_bounds, overlap_summary
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics, with_expected_random
from promo_uplift.nuisance.deployment import DeploymentNuisances, fit_deployment_nuisances
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    HouseholdPredictions,
    PolicyCandidates,
    PolicyEvaluation,
    RegistryEntry,
    ScoringModel,
    champion_gate,
    chosen_policy_profit,
    evaluate_policy,
    policy_curve,
    policy_scores,
    policy_table,
    scored_policy_profit,
    share_threshold,
    support,
    support_ranges,
    targeting_list,
)
from promo_uplift.tuning import (
    DeployedLearner,
    fit_deployed,
    held_out_interval,
    loss_terms,
    study_digest,
)

#: Rows of the registered model's input example.
EXAMPLE_ROWS = 5
#: Characters per line of the printed verdict.
TEXT_WIDTH = 96


def value_policies(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    estimation: EstimationParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    seed: int,
) -> tuple[PolicyEvaluation, dict[str, PolicyEvaluation], pd.DataFrame, pd.DataFrame]:
    """Choose learner and share where they are not valued; value them and every baseline."""
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)

    effects = with_expected_random({name: one.cate for name, one in cross_fitted.items()})
    losses = {
        name: loss_terms(loss=estimation.selection_loss, cate=cate, data=data, nuisances=nuisances)
        for name, cate in effects.items()
    }
    competitions = [estimation.candidates, *([name] for name in effects)]
    evaluation, *alone = run_in_order(
        work=evaluate_policy,
        arguments=[
            {
                "scores": scores,
                "candidates": PolicyCandidates(
                    cate={name: effects[name] for name in names},
                    losses={name: losses[name] for name in names},
                    response=effects["response"],
                ),
                "fold": nuisances.fold,
                "groups": data.groups,
                "parameters": policy,
                "intervals": metrics,
                "rng": derived_rng(seed=seed, purpose="policy"),
            }
            for names in competitions
        ],
        n_workers=estimation.n_workers,
    )
    by_learner = dict(zip(effects, alone, strict=True))
    curve = policy_curve(
        scores=scores,
        champion_cate=cross_fitted[evaluation.champion].held_out(),
        response=cross_fitted["response"].held_out(),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=policy,
        intervals=metrics,
        rng=derived_rng(seed=seed, purpose="policy_curve"),
    )
    table = policy_table(evaluation=evaluation, parameters=policy)
    return evaluation, by_learner, table, curve


def bound_champion(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    seed: int,
) -> FloatArray:
    """Pointwise interval of the champion's held-out effects."""
    return held_out_interval(
        fitted=cross_fitted[evaluation.champion],
        data=data,
        nuisances=nuisances,
        level=metrics.level,
        n_replicates=estimation.interval_replicates,
        seed=seed,
        n_workers=estimation.n_workers,
    )


def deploy(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    evaluation: PolicyEvaluation,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> tuple[DeployedLearner, DeploymentNuisances]:
    """Fit the champion and the nuisances on all rows, for households to come."""
    champion = evaluation.champion
    parameters = estimation.learners[champion]
    settings = {
        "nuisance": nuisance.model_dump(),
        "learner": parameters.model_dump(),
        "tuning": tuning.model_dump(exclude={"journal", "progress"}),
        "seed": seed,
    }
    prefix = study_digest(data=data, settings=settings)
    learner = fit_deployed(
        name=champion,
        data=data,
        nuisances=nuisances,
        parameters=parameters,
        tuning=tuning,
        seed=seed,
        interval_replicates=estimation.interval_replicates,
        storage=tuning.journal,
        study_prefix=prefix,
    )
    models = fit_deployment_nuisances(
        data=data,
        fold=nuisances.fold,
        parameters=nuisance,
        seed=seed,
        n_workers=estimation.n_workers,
        storage=tuning.journal,
        study_prefix=prefix,
    )
    return learner, models


def reach_verdict(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    ranking: RankingMetrics,
    evaluation: PolicyEvaluation,
    placebo: PlaceboEffect,
    window_audit: dict[str, Any],
    trials: TrialParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    policy: PolicyParameters,
) -> tuple[Verdict, pd.DataFrame, str]:
    """Run every check; the verdict is the worst that they allow."""
    held_out = nuisances.held_out()
    results = run_checks(
        evidence=Evidence(
            windows=WindowAudit(**{**window_audit, "changed": tuple(window_audit["changed"])}),
            overlap=overlap_summary(
                treatment=data.treatment,
                raw_propensity=nuisances.raw_propensity_held_out,
                n_clipped=nuisances.n_clipped,
                fold=nuisances.fold,
                low=checks.overlap_low,
                high=checks.overlap_high,
            ),
            placebo=placebo,
            ranking=ranking,
            policy=evaluation,
        ),
        parameters=checks,
    )
    scores = dr_scores(treatment=data.treatment, outcome=data.outcome, nuisances=held_out)
    decided = judge(
        results=results,
        policy=evaluation,
        facts=VerdictFacts(
            effect=clustered_mean(values=scores, groups=data.groups),
            bounds=manski_bounds(treatment=data.treatment, outcome=data.outcome),
            residual_sd_usd=float((data.outcome - held_out.outcome_mean).std()),
            redemption_rate=float(nuisances.redemption_held_out().mean()),
            outcome_days=trials.outcome_days,
            level=metrics.level,
            power=checks.power,
        ),
        parameters=policy,
    )
    text = verdict_text(verdict=decided, width=TEXT_WIDTH)
    return decided, checks_table(results), text


def list_households(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    interval: FloatArray,
    evaluation: PolicyEvaluation,
    verdict: Verdict,
    checks: CheckParameters,
    policy: PolicyParameters,
) -> pd.DataFrame:
    """Targeting list of the trials' households, each with the reason for or against it."""
    ranges = support_ranges(
        covariates=data.covariates,
        quantile=policy.support_quantile,
        overlap_low=checks.overlap_low,
        overlap_high=checks.overlap_high,
    )
    return targeting_list(
        data=data,
        fold=nuisances.fold,
        predictions=HouseholdPredictions(
            cate=cross_fitted[evaluation.champion].held_out(),
            interval=interval,
            redemption=nuisances.redemption_held_out(),
        ),
        row_support=support(
            ranges=ranges,
            covariates=data.covariates,
            propensity=nuisances.raw_propensity_held_out,
        ),
        share=evaluation.roi_optimal_share.estimate,
        parameters=policy,
        verdict_name=verdict.name,
    )


def build_scoring_model(
    data: TrialData,
    learner: DeployedLearner,
    models: DeploymentNuisances,
    evaluation: PolicyEvaluation,
    verdict: Verdict,
    checks: CheckParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
) -> ScoringModel:
    """Put together what scores new households: effect, support, money, verdict."""
    return ScoringModel(
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
            share=evaluation.roi_optimal_share.estimate,
        ),
        level=metrics.level,
    )


def enter_registry(
    model: ScoringModel,
    standing: ScoringModel | None,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    evaluation: PolicyEvaluation,
    policy: PolicyParameters,
    metrics: MetricParameters,
) -> RegistryEntry:
    """Challenger always; champion by the verdict and the paired value against the standing one."""
    scores = policy_scores(data=data, nuisances=nuisances, parameters=policy)
    gate = champion_gate(
        verdict=model.verdict_name,
        challenger_profit_usd=chosen_policy_profit(
            scores=scores,
            cate={name: fitted.cate for name, fitted in cross_fitted.items()},
            evaluation=evaluation,
            fold=nuisances.fold,
        ),
        champion_profit_usd=None
        if standing is None
        else scored_policy_profit(
            scores=scores, model=standing, covariates=data.covariates, fold=nuisances.fold
        ),
        groups=data.groups,
        level=metrics.level,
    )
    return RegistryEntry(model=model, example=data.covariates.head(EXAMPLE_ROWS), gate=gate)
