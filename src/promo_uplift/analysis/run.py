"""One analysis of stacked trials, from arrays to the verdict, without a pipeline around it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pandas as pd

from promo_uplift.analysis.decision import (
    PolicyValues,
    choose_decider,
    reach_verdict,
    value_policies,
)
from promo_uplift.analysis.estimation import (
    choose_champion,
    cross_fit_learners,
    estimate_nuisances,
    estimate_placebo,
    rank_learners,
)
from promo_uplift.analysis.heterogeneity import Heterogeneity, find_heterogeneity
from promo_uplift.analysis.policies import compare_policies
from promo_uplift.analysis.repeats import repeated_effects
from promo_uplift.checks import CheckResult, Verdict, validate_check_parameters
from promo_uplift.contracts.parameters import (
    BASELINES,
    AnalysisParameters,
    EstimationParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.effects import PlaceboEffect, no_placebo
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics, Selection
from promo_uplift.policy import (
    CHOSEN,
    DecidingPolicy,
    PolicyEvaluation,
    PolicySuite,
    check_policies,
)
from promo_uplift.tuning import check_configured_learners


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an analysis found; the same objects that a run leaves in its catalog.

    Attributes
    ----------
    nuisances : CrossFittedNuisances
    cross_fitted : dict of CrossFittedCate
        Of every learner.
    selection : Selection
        The champion and who competed.
    ranking : RankingMetrics
    heterogeneity : Heterogeneity
        Test and groups of every learner of effects.
    leaderboard, effects : DataFrame
    placebo : PlaceboEffect
    policies : PolicyValues
    checks : tuple of CheckResult
    verdict : Verdict
    seconds : dict of float
        Wall time by stage.
    """

    nuisances: CrossFittedNuisances
    cross_fitted: dict[str, CrossFittedCate]
    selection: Selection
    ranking: RankingMetrics
    heterogeneity: Heterogeneity
    leaderboard: pd.DataFrame
    effects: pd.DataFrame
    placebo: PlaceboEffect
    policies: PolicyValues
    suite: PolicySuite | None
    decider: DecidingPolicy
    checks: tuple[CheckResult, ...]
    verdict: Verdict
    seconds: dict[str, float]

    @property
    def evaluation(self) -> PolicyEvaluation:
        """Value of the policy that chooses among all candidates."""
        return self.policies.evaluation

    @property
    def by_learner(self) -> dict[str, PolicyEvaluation]:
        """Value of each learner's policy alone."""
        return self.policies.by_learner

    @property
    def policy_curve(self) -> pd.DataFrame:
        """Profit over the share treated."""
        return self.policies.curve


def refuse_unknown(parameters: AnalysisParameters) -> None:
    """Refuse learners, checks and policies that no registry knows, before anything is fitted.

    Raises
    ------
    LearnerError, CheckError, PolicyError
        Naming them.
    """
    validate_check_parameters(parameters.checks)
    check_configured_learners(parameters.estimation.learners)
    if parameters.policies is not None:
        check_policies(
            policies=parameters.policies,
            policy=parameters.policy,
            interval_replicates=parameters.estimation.interval_replicates,
        )


def only_what_competes(estimation: EstimationParameters) -> EstimationParameters:
    """Leave out learners of the registry that are neither candidates nor baselines.

    A learner of the user's own stays.
    """
    kept = {
        name: learner
        for name, learner in estimation.learners.items()
        if name in estimation.candidates or name in BASELINES or learner.class_path is not None
    }
    return estimation.model_copy(update={"learners": kept})


def analyse_trials(
    *,
    data: TrialData,
    parameters: AnalysisParameters,
    seed: int,
    placebo: TrialData | None = None,
    placebo_days: int = 0,
    windows: WindowAudit | None = None,
    treatment_definition: str | None = None,
    progress: bool = False,
) -> Analysis:
    """Nuisances, learners, ranking, effects, placebo, policies, checks and verdict of trials.

    The same functions, in the same order, as ``causal_estimation`` and ``targeting_policy``.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    parameters : AnalysisParameters
    seed : int
    placebo : TrialData, optional
        The same trials with an outcome from before the treatment.
    placebo_days : int
        Length of that outcome's window.
    treatment_definition : str, optional
        Name of the retail treatment; None: the table brought its own.
    windows : WindowAudit, optional
        Proof that the covariates end before the treatment; None where they came as they are.
    progress : bool
        Whether to show bars on stderr.

    Raises
    ------
    LearnerError, CheckError, MetricError, PolicyError
        Naming what was found; unknown names before anything is fitted.
    """
    refuse_unknown(parameters)
    estimation, tuning = parameters.estimation, parameters.tuning
    clock = _Clock()
    nuisances = estimate_nuisances(
        data=data,
        nuisance=parameters.nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        seed=seed,
        progress=progress,
    )
    clock.lap("nuisances")
    cross_fitted = cross_fit_learners(
        data=data,
        nuisances=nuisances,
        nuisance=parameters.nuisance,
        estimation=estimation,
        tuning=tuning,
        seed=seed,
        progress=progress,
    )
    clock.lap("learners")
    selection = choose_champion(
        data=data, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    ranking, table = rank_learners(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        metrics=parameters.metrics,
        seed=seed,
        configured=estimation.learners,
    )
    heterogeneity = find_heterogeneity(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        metrics=parameters.metrics,
        seed=seed,
    )
    effects = repeated_effects(
        data=data,
        nuisances=nuisances,
        nuisance=parameters.nuisance,
        n_workers=estimation.n_workers,
        tuning=tuning,
        metrics=parameters.metrics,
        checks=parameters.checks,
        seed=seed,
        progress=progress,
    )
    clock.lap("ranking")
    before = no_placebo(days=placebo_days)
    if placebo is not None:
        before, _ = estimate_placebo(
            data=placebo,
            days=placebo_days,
            nuisance=parameters.nuisance,
            n_workers=estimation.n_workers,
            tuning=tuning,
            metrics=parameters.metrics,
            checks=parameters.checks,
            seed=seed,
            progress=progress,
        )
    clock.lap("placebo")
    policies = value_policies(
        data=data,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        estimation=estimation,
        policy=parameters.policy,
        metrics=parameters.metrics,
        seed=seed,
    )
    suite = None
    if parameters.policies is not None and parameters.policies.decides != CHOSEN:
        suite = compare_policies(
            data=data,
            nuisances=nuisances,
            cross_fitted=cross_fitted,
            selection=selection,
            estimation=estimation,
            policies=parameters.policies,
            policy=parameters.policy,
            metrics=parameters.metrics,
            seed=seed,
        )
    decider = choose_decider(
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        evaluation=policies.evaluation,
        suite=suite,
        policies=parameters.policies,
    )
    clock.lap("policies")
    verdict, checks = reach_verdict(
        data=data,
        nuisances=nuisances,
        ranking=ranking,
        heterogeneity=heterogeneity,
        shown=selection.shown,
        evaluation=policies.evaluation,
        decider=decider,
        placebo=before,
        windows=windows,
        treatment_definition=treatment_definition,
        metrics=parameters.metrics,
        checks=parameters.checks,
        policy=parameters.policy,
        wording=parameters.wording,
    )
    clock.lap("verdict")
    return Analysis(
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        ranking=ranking,
        heterogeneity=heterogeneity,
        leaderboard=table,
        effects=effects,
        placebo=before,
        policies=policies,
        suite=suite,
        decider=decider,
        checks=checks,
        verdict=verdict,
        seconds=clock.seconds,
    )


class _Clock:
    """Wall seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
