"""From the trial table to cross-fitted effects, ranking figures and the placebo."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.checks import validate_check_parameters
from promo_uplift.contracts.columns import CAMPAIGN_ID, HOUSEHOLD_ID
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    TrialParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.effects import (
    COLUMNS,
    PlaceboEffect,
    cross_section_effects,
    no_placebo,
    placebo_effect,
)
from promo_uplift.learners.registry import learner_spec
from promo_uplift.metrics import RankingMetrics, leaderboard, ranking_metrics
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.trials import household_folds, to_trial_data, without_rows
from promo_uplift.tuning import (
    check_configured_learner,
    cross_fit_learner,
    loss_terms,
    study_digest,
)


def _shows_progress(tuning: TuningParameters) -> bool:
    """Whether bars are wanted and stderr is a terminal that can redraw them."""
    return tuning.progress and sys.stderr.isatty()


def prepare_trial_data(
    trials: pd.DataFrame,
    placebo_trials: pd.DataFrame,
    covariate_names: list[str],
    estimation: EstimationParameters,
    checks: CheckParameters,
) -> tuple[TrialData, TrialData]:
    """Turn both trial tables into arrays; refuse what is wrong before anything is fitted."""
    validate_check_parameters(checks)
    for name, parameters in estimation.learners.items():
        check_configured_learner(name=name, parameters=parameters)
    data = to_trial_data(trials=trials, covariates=covariate_names, outcome=estimation.outcome)
    if placebo_trials.empty:
        return data, without_rows(data)
    return data, to_trial_data(
        trials=placebo_trials, covariates=covariate_names, outcome=estimation.outcome
    )


def estimate_nuisances(
    data: TrialData,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> CrossFittedNuisances:
    """Cross-fit propensity, outcome and redemption models by household, once."""
    settings = {"nuisance": nuisance.model_dump(), "seed": seed}
    return cross_fit_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=nuisance.n_folds, seed=seed),
        parameters=nuisance,
        seed=seed,
        n_workers=estimation.n_workers,
        storage=tuning.journal,
        study_prefix=study_digest(data=data, settings=settings),
        progress=_shows_progress(tuning),
    )


def cross_fit_learners(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> dict[str, CrossFittedCate]:
    """Tune, fit and predict every learner for each held-out fold."""
    return {
        name: cross_fit_learner(
            name=name,
            data=data,
            nuisances=nuisances,
            parameters=parameters,
            tuning=tuning,
            seed=seed,
            n_workers=estimation.n_workers,
            storage=tuning.journal,
            study_prefix=study_digest(
                data=data,
                settings={
                    "nuisance": nuisance.model_dump(),
                    "learner": parameters.model_dump(),
                    "tuning": tuning.model_dump(exclude={"journal", "progress"}),
                    "seed": seed,
                },
            ),
            progress=_shows_progress(tuning),
        )
        for name, parameters in estimation.learners.items()
    }


def rank_learners(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> tuple[RankingMetrics, pd.DataFrame]:
    """Judge every learner's ranking on held-out folds, with paired intervals."""
    ranking = ranking_metrics(
        scores=dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out()
        ),
        rankings={name: fitted.held_out() for name, fitted in cross_fitted.items()},
        fold=nuisances.fold,
        groups=data.groups,
        parameters=metrics,
        rng=derived_rng(seed=seed, purpose="ranking"),
    )
    rows = np.arange(len(nuisances.fold))
    losses = {
        loss: {
            name: float(
                loss_terms(loss=loss, cate=fitted.cate, data=data, nuisances=nuisances)[
                    rows, nuisances.fold
                ].mean()
            )
            for name, fitted in cross_fitted.items()
        }
        for loss in ("dr_loss", "r_loss")
    }
    table = leaderboard(
        metrics=ranking,
        dr_loss=losses["dr_loss"],
        r_loss=losses["r_loss"],
        seconds={name: fitted.seconds for name, fitted in cross_fitted.items()},
    )
    return ranking, table


def estimate_effects(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    metrics: MetricParameters,
    checks: CheckParameters,
) -> pd.DataFrame:
    """Average effects by campaign and pooled: naive, ATE, ATT, overlap, ATO."""
    return cross_section_effects(
        data=data,
        nuisances=nuisances.held_out(),
        raw_propensity=nuisances.raw_propensity_held_out,
        overlap_low=checks.overlap_low,
        overlap_high=checks.overlap_high,
        level=metrics.level,
    )


def estimate_placebo(
    data: TrialData,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    trials: TrialParameters,
    seed: int,
) -> tuple[PlaceboEffect, pd.DataFrame]:
    """Estimate the same effects on spend before the mailing, which it cannot have changed."""
    if not len(data.treatment):
        return no_placebo(days=trials.placebo_shift_days), pd.DataFrame(columns=list(COLUMNS))
    nuisances = estimate_nuisances(data, nuisance, estimation, tuning, seed)
    effect = placebo_effect(
        scores=dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out()
        ),
        groups=data.groups,
        days=trials.placebo_shift_days,
        level=metrics.level,
        power=checks.power,
    )
    return effect, estimate_effects(data, nuisances, metrics, checks)


def collect_scores(
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: dict[str, CrossFittedCate],
) -> pd.DataFrame:
    """Held-out effects, scores and nuisances of every row, for whoever wants to look closer."""
    held_out = nuisances.held_out()
    columns: dict[str, Any] = {
        HOUSEHOLD_ID: data.groups,
        CAMPAIGN_ID: data.campaign,
        "treatment": data.treatment,
        "outcome_usd": data.outcome,
        "fold": nuisances.fold,
        "propensity": held_out.propensity,
        "mu0_usd": held_out.mu0,
        "mu1_usd": held_out.mu1,
        "p_redeem_if_mailed": nuisances.redemption_held_out(),
        "dr_score_usd": dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=held_out
        ),
    }
    columns |= {
        f"{'score' if learner_spec(name).role == 'ranking_only' else 'cate_usd'}_{name}": (
            fitted.held_out()
        )
        for name, fitted in cross_fitted.items()
    }
    return pd.DataFrame(columns).astype({"treatment": np.int8, "fold": np.int8})
