"""Propensity and redemption of households that no trial has seen, for scoring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import ScoringError
from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import FloatArray, IntArray, TrialData
from promo_uplift.nuisance.boosting import BinnedFeatures, BoostedTrees
from promo_uplift.nuisance.calibration import (
    Calibrator,
    choose_calibration,
    fit_calibrator,
)
from promo_uplift.nuisance.covariates import covariate_matrix
from promo_uplift.nuisance.crossfit import (
    check_data,
    check_folds,
    held_out_predictions,
    nuisance_plan,
    tune_nuisance,
)
from promo_uplift.nuisance.models import (
    NUISANCES,
    ConstantRate,
    boosting_parameters,
    fit_nuisance,
    nuisance_features,
)
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.nuisance.studies import ALL_FOLDS, Choice, check_search_space, run_studies
from promo_uplift.nuisance.trial_trees import TrialTrees, trial_trees

_DEPLOYED = ("propensity", "redemption")
#: Deployed models whose trees stay read: two of each scoring model.
_MODELS_READ = 16


@dataclass(frozen=True, slots=True)
class DeploymentNuisances:
    """Propensity and redemption models fitted on all rows, averaged over the trials they saw.

    Attributes
    ----------
    propensity, redemption : BoostedTrees or ConstantRate
        Models of household covariates and trial indicators.
    covariate_names : tuple of str
        Covariates that both need, in order.
    campaigns : int64 (C,)
        Trials over which predictions are averaged.
    clip : float
        Propensities live in ``[clip, 1 - clip]``.
    calibrator : Calibrator or None
        Calibrates the propensity in each trial; None where nothing asked for it.
    """

    propensity: BoostedTrees | ConstantRate
    redemption: BoostedTrees | ConstantRate
    covariate_names: tuple[str, ...]
    campaigns: IntArray
    clip: float
    calibrator: Calibrator | None = None

    def predict_propensity(self, *, covariates: pd.DataFrame) -> FloatArray:
        """P(mailed | covariates) in an average trial, clipped, ``(m,)``."""
        average = self._averaged(
            model=self.propensity, covariates=covariates, calibrator=self.calibrator
        )
        return np.clip(average, self.clip, 1.0 - self.clip)

    def predict_redemption(self, *, covariates: pd.DataFrame) -> FloatArray:
        """P(redeems | covariates, mailed) in an average trial, ``(m,)``."""
        return self._averaged(model=self.redemption, covariates=covariates)

    def _averaged(
        self,
        *,
        model: BoostedTrees | ConstantRate,
        covariates: pd.DataFrame,
        calibrator: Calibrator | None = None,
    ) -> FloatArray:
        missing = [name for name in self.covariate_names if name not in covariates.columns]
        if missing:
            raise ScoringError(
                f"`covariates` must hold every column that the model was fitted on; {missing} are "
                "missing. Build the household table with the same features."
            )
        chosen = covariates
        if tuple(covariates.columns) != self.covariate_names:
            chosen = covariates[list(self.covariate_names)]
        values = np.ascontiguousarray(covariate_matrix(covariates=chosen))
        total = np.zeros(len(values))
        for predicted in self._in_each_trial(model, values).T:
            total += predicted if calibrator is None else calibrator.predict(propensity=predicted)
        return total / len(self.campaigns)

    def _in_each_trial(self, model: BoostedTrees | ConstantRate, values: FloatArray) -> FloatArray:
        shape = (len(values), len(self.campaigns))
        if isinstance(model, ConstantRate):
            return np.full(shape, model.rate)
        return _trees(model, values.shape[1]).predict(values=values, n_trials=shape[1])


@lru_cache(maxsize=_MODELS_READ)
def _trees(model: BoostedTrees, n_covariates: int) -> TrialTrees:
    return trial_trees(booster=model.booster, n_covariates=n_covariates)


def fit_deployment_nuisances(
    *,
    data: TrialData,
    fold: IntArray,
    parameters: NuisanceParameters,
    seed: int,
    n_workers: int,
    storage: str | None = None,
    study_prefix: str = "nuisance",
) -> DeploymentNuisances:
    """Fit propensity and redemption on all rows, tuned once over all folds.

    For scoring new households only: never for an estimate on these rows, which it has seen.

    Parameters
    ----------
    data, fold, parameters, seed, n_workers, storage, study_prefix
        As in :func:`promo_uplift.nuisance.crossfit.cross_fit_nuisances`.

    Raises
    ------
    LearnerError
        As there.
    """
    check_folds(fold=fold, groups=data.groups, n_folds=parameters.n_folds)
    check_data(data=data)
    check_search_space(name="nuisance_model", parameters=parameters.model)
    boosting_parameters(parameters.model.defaults)
    campaigns = np.unique(data.campaign)
    features = nuisance_features(data=data, campaigns=campaigns)
    studies = run_studies(
        work=tune_nuisance,
        arguments=[
            {
                "name": name,
                "data": data,
                "features": features,
                "fold": fold,
                "plan": nuisance_plan(
                    name=name,
                    held_out=ALL_FOLDS,
                    parameters=parameters,
                    seed=seed,
                    storage=storage,
                    study_prefix=study_prefix,
                ),
            }
            for name in _DEPLOYED
        ],
        n_workers=n_workers if parameters.n_trials > 0 else 1,
    )
    chosen = {name: study.parameters for name, study in zip(_DEPLOYED, studies, strict=True)}
    models = {
        name: _fit_on_all(name=name, data=data, features=features, choice=choice, seed=seed)
        for name, choice in chosen.items()
    }
    return DeploymentNuisances(
        propensity=models["propensity"],
        redemption=models["redemption"],
        covariate_names=tuple(str(name) for name in data.covariates.columns),
        campaigns=campaigns,
        clip=parameters.propensity_clip,
        calibrator=_calibrator(
            data=data,
            features=features,
            fold=fold,
            choice=chosen["propensity"],
            parameters=parameters,
            seed=seed,
        ),
    )


def _calibrator(
    *,
    data: TrialData,
    features: BinnedFeatures,
    fold: IntArray,
    choice: Choice,
    parameters: NuisanceParameters,
    seed: int,
) -> Calibrator | None:
    """Calibrate by the rule of the cross-fitted propensities, on out-of-fold ones of all rows."""
    if parameters.calibration == "none" or data.known_propensity is not None:
        return None
    out_of_fold = held_out_predictions(
        name="propensity", data=data, features=features, fold=fold, choice=choice, seed=seed
    )
    method = choose_calibration(
        propensity=out_of_fold,
        treatment=data.treatment,
        groups=data.groups,
        fold=fold,
        rows=np.ones(len(fold), dtype=np.bool_),
        parameters=parameters,
    ).method
    if method == "none":
        return None
    return fit_calibrator(method=method, propensity=out_of_fold, treatment=data.treatment)


def _fit_on_all(
    *, name: str, data: TrialData, features: BinnedFeatures, choice: Choice, seed: int
) -> BoostedTrees | ConstantRate:
    spec = NUISANCES[name]
    rows = spec.rows(data)
    return fit_nuisance(
        spec=spec,
        features=features,
        rows=rows,
        target=spec.target(data)[rows],
        choice=choice,
        seed=derived_seed(seed=seed, purpose=f"nuisance/{name}"),
    )
