"""What would have been decided on the eve of a campaign: its outcomes are out of reach here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.analysis.decision import deploy, deploy_learner
from promo_uplift.analysis.estimation import (
    choose_champion,
    cross_fit_learners,
    estimate_nuisances,
    held_out_scores,
    selection_losses,
    selection_rule,
)
from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import BASELINES, AnalysisParameters
from promo_uplift.contracts.prospective_parameters import ProspectiveParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    IntArray,
    Interval,
    TrialData,
)
from promo_uplift.metrics.drift import Predictions
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    PolicyCandidates,
    PolicyEvaluation,
    Support,
    evaluate_policy,
    policy_scores,
    support,
    support_ranges,
)
from promo_uplift.policy.rules.ranking import top_share
from promo_uplift.tuning import fit_held_out


@dataclass(frozen=True, slots=True)
class FrozenDecision:
    """Learner, share and predictions, fixed before the campaign; ``m`` households of it.

    Attributes
    ----------
    champion : str
        Learner that the past chose.
    shown : str
        Learner whose effects differ between households: the champion, or the lowest loss where
        the champion is one effect for all.
    shares : dict of float
        Share that maximised the past's held-out profit: ``chosen`` (the champion's), ``shown``,
        ``response``.
    predicted : float64 (m,)
        Effect of the mailing by ``shown``, USD per household.
    contacts : dict of float64 (m,)
        P(contacted) by each of these top shares; between 0 and 1 among tied households at the edge.
    promised_profit_usd : dict of Interval
        Honest profit of each policy on the past, USD per household.
    support : Support
        Where the past can speak of these households at all.
    held_out : float64 (m,)
        The same by that model of ``shown`` that did not see the household's fold of the past.
    fold : int64 (m,)
        That fold; households that the past lacks are dealt to the folds.
    past : Predictions
        Held-out scores, and effects by ``shown``, of the rows that trained.
    """

    champion: str
    shown: str
    shares: dict[str, float]
    predicted: FloatArray
    contacts: dict[str, FloatArray]
    promised_profit_usd: dict[str, Interval]
    support: Support
    held_out: FloatArray
    fold: IntArray
    past: Predictions


def prospective_settings(
    *, settings: AnalysisParameters, parameters: ProspectiveParameters
) -> AnalysisParameters:
    """Cut the settings of a run down to the candidates and the budget of the validation.

    No warm start: its parameters may come from campaigns that lie ahead. No interval of a single
    household.

    Raises
    ------
    LearnerError
        If a candidate is not among the run's learners.
    """
    candidates = parameters.learners or settings.estimation.candidates
    known = settings.estimation.learners
    if unknown := [name for name in candidates if name not in known]:
        raise LearnerError(
            f"`prospective.learners` must be among `estimation.learners`, found {unknown}; known: "
            f"{sorted(known)}."
        )
    fitted = [name for name in known if name in (*BASELINES, *candidates)]
    return settings.model_copy(
        update={
            "nuisance": settings.nuisance.model_copy(update={"n_trials": parameters.n_trials}),
            "tuning": settings.tuning.model_copy(
                update={"n_trials": parameters.n_trials, "warm_start": None}
            ),
            "estimation": settings.estimation.model_copy(
                update={
                    "learners": {name: known[name] for name in fitted},
                    "candidates": list(candidates),
                    "interval_replicates": 0,
                }
            ),
        }
    )


def decide(
    *,
    past: TrialData,
    covariates: pd.DataFrame,
    groups: IntArray,
    settings: AnalysisParameters,
    seed: int,
) -> FrozenDecision:
    """Choose learner and share on the past, and apply them to the households of a campaign.

    The same choices as a run's: learners cross-fitted by household, the champion by
    ``estimation``'s rule, the share that maximises held-out profit; then fitted on the whole past.

    Parameters
    ----------
    past : TrialData
        Trials whose outcomes were known.
    covariates : DataFrame (m, p)
        Of the campaign's households, before its first day.
    groups : int64 (m,)
        These households.
    settings : AnalysisParameters
        Of :func:`prospective_settings`.
    seed : int

    Raises
    ------
    LearnerError
        If a learner refuses the past, or a baseline or every candidate is left out.
    """
    estimation, tuning = settings.estimation, settings.tuning
    nuisances = estimate_nuisances(
        data=past,
        nuisance=settings.nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        seed=seed,
    )
    cross_fitted = cross_fit_learners(
        data=past,
        nuisances=nuisances,
        nuisance=settings.nuisance,
        estimation=estimation,
        tuning=tuning,
        seed=seed,
    )
    selection = choose_champion(
        data=past, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    losses = selection_losses(
        data=past, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    who = {"chosen": selection.champion, "shown": selection.shown, "response": "response"}
    valued = {
        policy: _valued(
            losses if policy == "chosen" else {name: np.zeros_like(nuisances.propensity)},
            past,
            nuisances,
            cross_fitted,
            settings,
            seed,
        )
        for policy, name in who.items()
    }
    fitted: dict[str, Any] = {
        "data": past,
        "nuisances": nuisances,
        "cross_fitted": cross_fitted,
        "nuisance": settings.nuisance,
        "estimation": estimation,
        "tuning": tuning,
        "seed": seed,
    }
    learner, models = deploy(name=selection.champion, **fitted)
    effects = {selection.champion: learner.learner.predict_cate(covariates=covariates)}
    for name in who.values():
        if name not in effects:
            other = deploy_learner(name=name, **fitted).learner
            effects[name] = other.predict_cate(covariates=covariates)
    fold = folds_of(groups=groups, past=past.groups, fold=nuisances.fold, seed=seed)
    shares = {policy: one.roi_optimal_share.estimate for policy, one in valued.items()}
    return FrozenDecision(
        champion=selection.champion,
        shown=selection.shown,
        shares=shares,
        predicted=effects[selection.shown],
        contacts={
            policy: top_share(ranking=effects[name], share=shares[policy])
            for policy, name in who.items()
        },
        promised_profit_usd={
            **{name: one.profit_usd for name, one in valued["chosen"].baselines.items()},
            **{policy: one.chosen.profit_usd for policy, one in valued.items()},
        },
        support=support(
            ranges=support_ranges(
                covariates=past.covariates,
                quantile=settings.policy.support_quantile,
                overlap_low=settings.checks.overlap_low,
                overlap_high=settings.checks.overlap_high,
            ),
            covariates=covariates,
            propensity=models.predict_propensity(covariates=covariates),
        ),
        held_out=_held_out(cross_fitted[selection.shown], fold, past, covariates, nuisances, seed),
        fold=fold,
        past=Predictions(
            scores=held_out_scores(data=past, nuisances=nuisances),
            predicted=cross_fitted[selection.shown].held_out(),
            groups=past.groups,
            fold=nuisances.fold,
        ),
    )


def folds_of(*, groups: IntArray, past: IntArray, fold: IntArray, seed: int) -> IntArray:
    """Fold of the past that holds each household, ``(m,)``; one that it lacks is dealt to some.

    Parameters
    ----------
    groups : int64 (m,)
        Households of the campaign.
    past, fold : int64 (n,)
        Households that trained, and their folds.
    seed : int
        Of the dealing.
    """
    households, first = np.unique(past, return_index=True)
    place = np.minimum(np.searchsorted(households, groups), len(households) - 1)
    is_known = households[place] == groups
    found = fold[first][place]
    n_folds = int(fold.max()) + 1
    new = np.unique(groups[~is_known])
    dealt = derived_rng(seed=seed, purpose="prospective/folds").permutation(len(new)) % n_folds
    found[~is_known] = dealt[np.searchsorted(new, groups[~is_known])]
    return found


def _held_out(
    fitted: CrossFittedCate,
    fold: IntArray,
    past: TrialData,
    covariates: pd.DataFrame,
    nuisances: CrossFittedNuisances,
    seed: int,
) -> FloatArray:
    """Effects of a campaign's rows by the models that judged the past, ``(m,)``."""
    effects = np.empty(len(fold))
    for one in np.unique(fold).tolist():
        learner = fit_held_out(
            name=fitted.learner,
            data=past,
            nuisances=nuisances,
            choice=fitted.parameters[one],
            fold=one,
            seed=seed,
        )
        effects[fold == one] = learner.predict_cate(covariates=covariates.loc[fold == one])
    return effects


def _valued(
    losses: Mapping[str, FloatArray],
    past: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    settings: AnalysisParameters,
    seed: int,
) -> PolicyEvaluation:
    """Honest value on the past of the policy made of the learners in ``losses``."""
    return evaluate_policy(
        scores=policy_scores(data=past, nuisances=nuisances, parameters=settings.policy),
        candidates=PolicyCandidates(
            cate={name: cross_fitted[name].cate for name in losses},
            losses=losses,
            response=cross_fitted["response"].cate,
            rule=selection_rule(settings.estimation),
        ),
        fold=nuisances.fold,
        groups=past.groups,
        parameters=settings.policy,
        intervals=settings.metrics,
        rng=derived_rng(seed=seed, purpose="policy"),
    )
