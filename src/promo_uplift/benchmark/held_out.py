"""The held-out nuisances alone: a third of the models of a full analysis of five folds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import CrossFittedNuisances, FloatArray, TrialData
from promo_uplift.nuisance.calibration import calibrated_matrix
from promo_uplift.nuisance.crossfit import held_out_predictions, predict_pairs
from promo_uplift.nuisance.models import NUISANCES, nuisance_features
from promo_uplift.trials import household_folds


def held_out_nuisances(
    *, data: TrialData, parameters: NuisanceParameters, seed: int
) -> CrossFittedNuisances:
    """Untuned nuisances of each row from models that saw the other folds only.

    The same models, folds and seeds as :func:`promo_uplift.analysis.estimate_nuisances` without
    tuning; entries off the diagonal, which train and choose, are NaN.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    parameters : NuisanceParameters
    seed : int
    """
    fold = household_folds(groups=data.groups, n_folds=parameters.n_folds, seed=seed)
    features = nuisance_features(data=data, campaigns=np.unique(data.campaign))
    rows = np.arange(len(fold))
    choice = parameters.model.defaults
    matrices: dict[str, FloatArray] = {}
    for name in NUISANCES:
        matrix = np.full((len(fold), parameters.n_folds), np.nan)
        matrix[rows, fold] = held_out_predictions(
            name=name, data=data, features=features, fold=fold, choice=choice, seed=seed
        )
        matrices[name] = matrix
    clip = parameters.propensity_clip
    raw = matrices["propensity"]
    if parameters.calibration != "none":  # the other folds' propensities decide on a fold's own
        pairs = predict_pairs(
            data=data,
            features=features,
            fold=fold,
            chosen={("propensity", held_out): choice for held_out in range(parameters.n_folds)},
            seed=seed,
            n_workers=1,
        )
        calibrated, _ = calibrated_matrix(
            propensity=pairs["propensity"],
            treatment=data.treatment,
            groups=data.groups,
            fold=fold,
            parameters=parameters,
        )
        raw[rows, fold] = calibrated[rows, fold]
    used = np.clip(raw, clip, 1.0 - clip)
    return CrossFittedNuisances(
        fold=fold,
        propensity=used,
        mu0=matrices["mu0"],
        mu1=matrices["mu1"],
        redemption=matrices["redemption"],
        raw_propensity_held_out=raw[rows, fold],
        n_clipped=int(np.sum(used[rows, fold] != raw[rows, fold])),
        clip=clip,
        tuned=pd.DataFrame(),
    )
