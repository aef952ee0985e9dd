"""The four nuisances: which rows each is fitted on, its target, its loss, and how it is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, TrialData
from promo_uplift.nuisance.boosting import (
    BinnedFeatures,
    BoostedTrees,
    Objective,
)
from promo_uplift.nuisance.covariates import covariate_matrix
from promo_uplift.nuisance.studies import Choice


@dataclass(frozen=True, slots=True)
class NuisanceSpec:
    """One nuisance: ``target(data)`` learned on the rows ``rows(data)``.

    Attributes
    ----------
    name : str
        Its name in results.
    objective : {"regression", "binary"}
        Squared error, or log-loss.
    target : callable
        ``TrialData -> (n,)``.
    rows : callable
        ``TrialData -> bool (n,)``: rows that inform it.
    """

    name: str
    objective: Objective
    target: Callable[[TrialData], FloatArray]
    rows: Callable[[TrialData], BoolArray]


def _treatment(data: TrialData) -> FloatArray:
    return data.treatment.astype(np.float64)


def _outcome(data: TrialData) -> FloatArray:
    return data.outcome


def _redeemed(data: TrialData) -> FloatArray:
    return data.redeemed


def _everyone(data: TrialData) -> BoolArray:
    return np.ones(len(data.treatment), dtype=np.bool_)


def _mailed(data: TrialData) -> BoolArray:
    return np.asarray(data.treatment == 1, dtype=np.bool_)


def _not_mailed(data: TrialData) -> BoolArray:
    return np.asarray(data.treatment == 0, dtype=np.bool_)


NUISANCES: dict[str, NuisanceSpec] = {
    "propensity": NuisanceSpec("propensity", "binary", _treatment, _everyone),
    "mu0": NuisanceSpec("mu0", "regression", _outcome, _not_mailed),
    "mu1": NuisanceSpec("mu1", "regression", _outcome, _mailed),
    "redemption": NuisanceSpec("redemption", "binary", _redeemed, _mailed),
}


class ConstantRate:
    """Predicts one number: the rate of a training set in which every answer is the same."""

    def __init__(self, *, rate: float) -> None:
        self.rate = rate

    def predict(self, *, features: FloatArray) -> FloatArray:
        """Return the rate for each row, ``(m,)``."""
        return np.full(len(features), self.rate)


def fit_nuisance(
    *,
    spec: NuisanceSpec,
    features: BinnedFeatures,
    rows: BoolArray,
    target: FloatArray,
    choice: Choice,
    seed: int,
) -> BoostedTrees | ConstantRate:
    """Fit one nuisance on ``rows`` (all of which inform it), whose targets are ``target``.

    A redemption model without a redeemer (or with nothing else) in its training set is the
    constant rate. A propensity model without both arms is refused.

    Raises
    ------
    LearnerError
        If no row informs the nuisance, or the propensity's training set has one arm only.
    """
    if len(target) == 0:
        raise LearnerError(
            f"`{spec.name}` needs training rows; found none outside the held-out folds. "
            "Check that every set of training folds holds both arms, or use fewer folds."
        )
    if spec.objective == "binary" and np.all(target == target[0]):
        if spec.name == "propensity":
            raise LearnerError(
                f"`treatment` must hold both arms in every training set; found only "
                f"{int(target[0])} in {len(target)} rows. Check the trial's definition."
            )
        return ConstantRate(rate=float(target[0]))
    return features.fit(
        rows=rows,
        target=target,
        objective=spec.objective,
        parameters=boosting_parameters(choice),
        seed=seed,
    )


def boosting_parameters(choice: Choice) -> LightGBMParameters:
    """Read LightGBM's parameters from a configuration's defaults or a trial's point.

    Raises
    ------
    LearnerError
        Naming the key that is missing, unknown or out of range.
    """
    try:
        return LightGBMParameters.model_validate(choice)
    except ValidationError as error:
        found = "; ".join(
            f"`{'.'.join(str(part) for part in one['loc'])}`: {one['msg']} (got {one['input']!r})"
            for one in error.errors(include_url=False)
        )
        raise LearnerError(
            f"`nuisance_model.defaults` must be LightGBM parameters: {found}. "
            f"Known: {', '.join(LightGBMParameters.model_fields)}."
        ) from error


def nuisance_loss(*, spec: NuisanceSpec, target: FloatArray, predicted: FloatArray) -> float:
    """Mean log-loss (nats) of a probability, or mean squared error (USD squared) of an outcome."""
    if spec.objective == "regression":
        return float(np.mean((target - predicted) ** 2))
    smallest = np.finfo(np.float64).eps
    rate = np.clip(predicted, smallest, 1.0 - smallest)
    return float(-np.mean(target * np.log(rate) + (1.0 - target) * np.log(1.0 - rate)))


def nuisance_features(*, data: TrialData, campaigns: IntArray) -> BinnedFeatures:
    """Household covariates and one indicator per trial: seasons and targeting differ by trial.

    Returns
    -------
    BinnedFeatures
        ``n`` rows of ``p + C`` features, ``C`` the number of ``campaigns``.

    Raises
    ------
    LearnerError
        Naming covariates that are not numeric, or hold infinities.
    """
    indicators = data.campaign[:, np.newaxis] == campaigns[np.newaxis, :]
    return BinnedFeatures(
        covariate_matrix(covariates=data.covariates), indicators.astype(np.float64)
    )
