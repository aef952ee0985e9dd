"""From trials to cross-fitted effects, ranking figures, average effects and the placebo."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy

from promo_uplift.analysis.value import value_figures
from promo_uplift.contracts.columns import CAMPAIGN_ID, HOUSEHOLD_ID
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.effects import (
    COLUMNS,
    PlaceboEffect,
    cross_section_effects,
    no_placebo,
    placebo_effect,
)
from promo_uplift.learners.own import code_digest
from promo_uplift.learners.registry import (
    check_some_can_run,
    learner_role,
    left_out_learners,
)
from promo_uplift.metrics import (
    SELECTED,
    RankingMetrics,
    Selection,
    SelectionRule,
    competitors,
    leaderboard,
    learners_rosetta,
    ranking_metrics,
    select_champion,
)
from promo_uplift.nuisance.crossfit import cross_fit_nuisances
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.nuisance.store import nuisances_once
from promo_uplift.trials import household_folds
from promo_uplift.tuning import (
    combine_cross_fitted,
    cross_fit_learner,
    ensemble_members,
    is_combination,
    loss_terms,
    read_warm_start,
    study_digest,
    tuning_settings,
)


def held_out_scores(*, data: TrialData, nuisances: CrossFittedNuisances) -> FloatArray:
    """Doubly robust scores of held-out nuisances, in the outcome's unit, ``(n,)``."""
    return dr_scores(treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out())


def estimate_nuisances(
    *,
    data: TrialData,
    nuisance: NuisanceParameters,
    n_workers: int,
    tuning: TuningParameters,
    seed: int,
    progress: bool = False,
) -> CrossFittedNuisances:
    """Cross-fit propensity, outcome and redemption models by household, once per data version.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    nuisance : NuisanceParameters
        Where its ``store`` holds them for these rows, folds, settings, code and libraries, they
        are taken from there.
    n_workers : int
        Processes; the result does not depend on it.
    tuning : TuningParameters
        Its storage, from which interrupted studies resume.
    seed : int
    progress : bool
        Whether to show bars on stderr.
    """
    fold = household_folds(groups=data.groups, n_folds=nuisance.n_folds, seed=seed)
    digest = study_digest(
        data=data,
        settings={
            "nuisance": nuisance.deciding(),
            "seed": seed,
            "fold": hashlib.sha256(fold.tobytes()).hexdigest(),
            "readers": [platform.python_version(), pd.__version__, scipy.__version__],
        },
    )
    return nuisances_once(
        folder=nuisance.store,
        digest=digest,
        compute=lambda: cross_fit_nuisances(
            data=data,
            fold=fold,
            parameters=nuisance,
            seed=seed,
            n_workers=n_workers,
            storage=tuning.storage,
            study_prefix=digest,
            progress=progress,
        ),
    )


def cross_fit_learners(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
    progress: bool = False,
) -> dict[str, CrossFittedCate]:
    """Tune, fit and predict every configured learner for each held-out fold; combine them last.

    A learner that cannot run here, or that says that it refuses such data, is left out;
    :func:`rank_learners` gives it a row with the reason.

    Parameters
    ----------
    data, nuisances
        Rows and their nuisances.
    nuisance, estimation, tuning
        What the result depends on, and the learners.
    seed : int
    progress : bool
        Whether to show bars on stderr.

    Raises
    ------
    LearnerError
        If no candidate is left, or not every baseline.
    """
    left_out = left_out_learners(names=estimation.learners, data=data)
    check_some_can_run(candidates=estimation.candidates, left_out=left_out)
    before = read_warm_start(tuning.warm_start)
    fitted = {
        name: cross_fit_learner(
            name=name,
            data=data,
            nuisances=nuisances,
            parameters=parameters,
            tuning=tuning,
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
            warm_start=before.get(name),
            progress=progress,
        )
        for name, parameters in estimation.learners.items()
        if name not in left_out and not is_combination(name)
    }
    members = [name for name in ensemble_members(estimation.learners) if name in fitted]
    for name in filter(is_combination, estimation.learners):
        fitted[name] = combine_cross_fitted(
            name=name,
            members={member: fitted[member] for member in members},
            data=data,
            nuisances=nuisances,
            loss=estimation.ensemble_loss,
        )
    return {name: fitted[name] for name in estimation.learners if name in fitted}


def learner_digest(
    *,
    name: str,
    data: TrialData,
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    seed: int,
) -> str:
    """Digest of everything that decides a learner's studies, the source of an own one included."""
    parameters = estimation.learners[name]
    return study_digest(
        data=data,
        settings={
            "nuisance": nuisance.deciding(),
            "learner": parameters.model_dump(),
            "code": code_digest(name=name, parameters=parameters),
            "tuning": tuning_settings(
                tuning=tuning, warm_start=read_warm_start(tuning.warm_start).get(name)
            ),
            "seed": seed,
        },
    )


def selection_rule(estimation: EstimationParameters) -> SelectionRule:
    """Return the configured rule by which losses choose the champion."""
    return SelectionRule(
        reach=estimation.selection_standard_errors, clearance=estimation.selection_clearance
    )


def selection_losses(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    estimation: EstimationParameters,
) -> dict[str, FloatArray]:
    """Return the selection loss of every competitor, simplest first, each ``(n, K)``."""
    return {
        name: loss_terms(
            loss=estimation.selection_loss,
            cate=cross_fitted[name].cate,
            data=data,
            nuisances=nuisances,
        )
        for name in competitors(estimation.candidates)
        if name in cross_fitted  # none was left out
    }


def choose_champion(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    estimation: EstimationParameters,
) -> Selection:
    """Choose the learner that speaks for the run, and for each fold without it."""
    return select_champion(
        losses=selection_losses(
            data=data, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
        ),
        fold=nuisances.fold,
        groups=data.groups,
        rule=selection_rule(estimation),
    )


def rank_learners(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    selection: Selection,
    metrics: MetricParameters,
    seed: int,
    configured: Iterable[str] = (),
) -> tuple[RankingMetrics, pd.DataFrame]:
    """Judge every learner's ranking on held-out folds, with paired intervals.

    Parameters
    ----------
    data, nuisances, cross_fitted, metrics, seed
        Rows, their nuisances, every learner's effects, shares and level.
    configured : iterable of str
        Names of the learners that were asked for; those that were left out get a row of the
        leaderboard that says why.

    Returns
    -------
    ranking : RankingMetrics
        Of every learner, and of ``selected``: each fold ranked by the learner that the others
        chose, so that the choice is paid for.
    leaderboard : DataFrame
        Of :func:`promo_uplift.metrics.leaderboard`, with what became of each in the selection.
    """
    rankings = {name: fitted.held_out() for name, fitted in cross_fitted.items()}
    rankings[SELECTED] = selection.ranking(
        cate={name: fitted.cate for name, fitted in cross_fitted.items()}, fold=nuisances.fold
    )
    ranking = ranking_metrics(
        scores=held_out_scores(data=data, nuisances=nuisances),
        rankings=rankings,
        fold=nuisances.fold,
        groups=data.groups,
        parameters=metrics,
        rng=derived_rng(seed=seed, purpose="ranking"),
    )
    values = value_figures(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, metrics=metrics, seed=seed
    )
    ranking = replace(
        ranking,
        figures={name: figures | values.get(name, {}) for name, figures in ranking.figures.items()},
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
        selection=selection,
        dr_loss=losses["dr_loss"],
        r_loss=losses["r_loss"],
        seconds={name: fitted.seconds for name, fitted in cross_fitted.items()},
        left_out=left_out_learners(names=configured, data=data),
    )
    for part in ("seconds_tuning", "seconds_fitting"):
        spent = {name: getattr(fitted, part) for name, fitted in cross_fitted.items()}
        table[part] = table["learner"].map(spent)
    return ranking, table


def compare_definitions(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> pd.DataFrame:
    """Every learner's ranking under every definition of Qini and AUUC: the Rosetta table.

    Parameters
    ----------
    data, nuisances, cross_fitted
        Rows, their nuisances, and every learner's effects.
    metrics : MetricParameters
    seed : int

    Returns
    -------
    DataFrame
        Of :func:`promo_uplift.metrics.learners_rosetta`.
    """
    return learners_rosetta(
        rankings={name: fitted.held_out() for name, fitted in cross_fitted.items()},
        treatment=data.treatment,
        outcome=data.outcome,
        propensity=nuisances.held_out().propensity,
        scores=held_out_scores(data=data, nuisances=nuisances),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=metrics,
        rng=derived_rng(seed=seed, purpose="rosetta"),
    )


def average_effects(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    metrics: MetricParameters,
    checks: CheckParameters,
) -> pd.DataFrame:
    """Average effects by campaign and pooled: naive, ATE, ATT, overlap, ATO."""
    return cross_section_effects(
        data=data,
        nuisances=nuisances.held_out(),
        raw_propensity=nuisances.assignment_propensity(),
        overlap_low=checks.overlap_low,
        overlap_high=checks.overlap_high,
        level=metrics.level,
    )


def estimate_placebo(
    *,
    data: TrialData,
    days: int,
    nuisance: NuisanceParameters,
    n_workers: int,
    tuning: TuningParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    seed: int,
    progress: bool = False,
) -> tuple[PlaceboEffect, pd.DataFrame]:
    """Estimate the same effects on an outcome from before the treatment.

    Parameters
    ----------
    data : TrialData
        The trials with the earlier outcome; without rows where there is none.
    days : int
        Length of the earlier window.
    nuisance, n_workers, tuning, metrics, checks, seed, progress
        As in :func:`estimate_nuisances` and :func:`average_effects`.
    """
    if not len(data.treatment):
        return no_placebo(days=days), pd.DataFrame(columns=list(COLUMNS))
    nuisances = estimate_nuisances(
        data=data,
        nuisance=nuisance,
        n_workers=n_workers,
        tuning=tuning,
        seed=seed,
        progress=progress,
    )
    effect = placebo_effect(
        scores=held_out_scores(data=data, nuisances=nuisances),
        groups=data.groups,
        days=days,
        level=metrics.level,
        power=checks.power,
    )
    return effect, average_effects(data=data, nuisances=nuisances, metrics=metrics, checks=checks)


def scores_table(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
) -> pd.DataFrame:
    """Held-out effects, scores and nuisances of every row, for whoever wants to look closer."""
    held_out = nuisances.held_out()
    columns: dict[str, object] = {} if data.row is None else {"row": data.row}
    columns |= {
        HOUSEHOLD_ID: data.groups,
        CAMPAIGN_ID: data.campaign,
        "treatment": data.treatment,
        "outcome_usd": data.outcome,
        "fold": nuisances.fold,
        "propensity": held_out.propensity,
        "mu0_usd": held_out.mu0,
        "mu1_usd": held_out.mu1,
        "p_redeem_if_mailed": nuisances.redemption_held_out(),
        "dr_score_usd": held_out_scores(data=data, nuisances=nuisances),
    }
    columns |= {
        f"{'score' if learner_role(name) == 'ranking_only' else 'cate_usd'}_{name}": (
            fitted.held_out()
        )
        for name, fitted in cross_fitted.items()
    }
    return pd.DataFrame(columns).astype({"treatment": np.int8, "fold": np.int8})
