"""Penalised linear nuisances of one campaign: what small arms can bear.

Twenty-seven campaigns have arms of 20 to 1,100 households. Boosted trees need more; a ridge and a
penalised logistic regression on the covariates and their logarithms do not, and foretell who is
mailed as well as trees do on the public data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import StandardScaler

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues, TrialData
from promo_uplift.nuisance.covariates import covariate_matrix


@dataclass(frozen=True, slots=True)
class LinearNuisances:
    """Held-out nuisances of the rows of one or several campaigns.

    Attributes
    ----------
    held_out : NuisanceValues
        Propensity (clipped), mu0 and mu1 in the outcome's unit, each ``(n,)``.
    raw_propensity : float64 (n,)
        Before clipping.
    fold : int64 (n,)
        Fold of each row, by household.
    n_clipped : int
        Rows whose propensity was moved to the bound.
    """

    held_out: NuisanceValues
    raw_propensity: FloatArray
    fold: IntArray
    n_clipped: int


def linear_features(*, data: TrialData) -> FloatArray:
    """Covariates, the logarithm of those that are never negative, and flags of missing values.

    Missing values become 0 beside a flag of their own, so nothing is imputed in silence.

    Returns
    -------
    float64 (n, q)
    """
    raw = covariate_matrix(covariates=data.covariates)
    missing = np.isnan(raw)
    filled = np.where(missing, 0.0, raw)
    positive = (filled >= 0.0).all(axis=0)
    flags = missing[:, missing.any(axis=0)].astype(np.float64)
    return np.hstack([filled, np.log1p(filled[:, positive]), flags])


def linear_propensity(*, data: TrialData, fold: IntArray, logistic_c: float) -> FloatArray:
    """Cross-fitted P(treated) of a penalised logistic regression on all campaigns, ``(n,)``.

    Features of :func:`linear_features` and an indicator of each campaign. Smooth and without
    randomness, so two sets of covariates differ by what they know and not by a draw.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    fold : int64 (n,)
        Fold of each row, constant within a household.
    logistic_c : float
        Inverse strength of the ridge penalty, on standardised features.

    Raises
    ------
    LearnerError
        If a training set lacks an arm.
    """
    campaigns = np.unique(data.campaign)
    indicators = data.campaign[:, np.newaxis] == campaigns[np.newaxis, :]
    features = np.hstack([linear_features(data=data), indicators.astype(np.float64)])
    found = np.empty(len(data.treatment))
    for one in np.unique(fold):
        test, train = fold == one, fold != one
        _refuse_single_arm(data.treatment[train], campaign="all", fold=int(one))
        scaler = StandardScaler().fit(features[train])
        found[test] = _propensity(
            scaler.transform(features[train]),
            data.treatment[train],
            scaler.transform(features[test]),
            logistic_c,
        )
    return found


def linear_nuisances(
    *,
    data: TrialData,
    fold: IntArray,
    clip: float,
    logistic_c: float,
    ridge_alphas: list[float],
) -> LinearNuisances:
    """Cross-fit propensity and outcome models, each campaign by itself, by household.

    Parameters
    ----------
    data : TrialData
        Stacked trials, ``n`` rows.
    fold : int64 (n,)
        Fold of each row, constant within a household.
    clip : float
        Propensities are kept in ``[clip, 1 - clip]``; a stated one is kept as it is.
    logistic_c : float
        Inverse strength of the propensity's ridge penalty, on standardised features.
    ridge_alphas : list of float
        Penalties among which generalised cross-validation chooses, inside the training rows.

    Raises
    ------
    LearnerError
        If a training set of a campaign lacks an arm.

    References
    ----------
    Hoerl & Kennard (1970), Technometrics 12(1); Golub, Heath & Wahba (1979), Technometrics 21(2).
    """
    n = len(data.treatment)
    features = linear_features(data=data)
    raw, mu0, mu1 = np.empty(n), np.empty(n), np.empty(n)
    for campaign in np.unique(data.campaign):
        inside = data.campaign == campaign
        for one in np.unique(fold[inside]):
            test = np.flatnonzero(inside & (fold == one))
            train = np.flatnonzero(inside & (fold != one))
            _refuse_single_arm(data.treatment[train], campaign=str(campaign), fold=int(one))
            scaler = StandardScaler().fit(features[train])
            x_train, x_test = scaler.transform(features[train]), scaler.transform(features[test])
            raw[test] = _propensity(x_train, data.treatment[train], x_test, logistic_c)
            for arm, into in ((0, mu0), (1, mu1)):
                rows = data.treatment[train] == arm
                model = RidgeCV(alphas=ridge_alphas).fit(x_train[rows], data.outcome[train][rows])
                into[test] = model.predict(x_test)
    propensity = np.clip(raw, clip, 1.0 - clip)
    if data.known_propensity is not None:
        propensity = data.known_propensity
    return LinearNuisances(
        held_out=NuisanceValues(propensity, mu0, mu1),
        raw_propensity=raw,
        fold=fold,
        n_clipped=int((propensity != raw).sum()) if data.known_propensity is None else 0,
    )


def _propensity(
    x_train: FloatArray, treatment: IntArray, x_test: FloatArray, logistic_c: float
) -> FloatArray:
    model = LogisticRegression(C=logistic_c, max_iter=2000).fit(x_train, treatment)
    chance: FloatArray = model.predict_proba(x_test)[:, 1]
    return chance


def _refuse_single_arm(treatment: IntArray, *, campaign: str, fold: int) -> None:
    treated = int((treatment == 1).sum())
    if treated in (0, len(treatment)):
        raise LearnerError(
            f"Both arms must be in the training rows of campaign {campaign}; without fold {fold} "
            f"{treated} of {len(treatment)} rows are treated. Use fewer folds, or leave it out."
        )
