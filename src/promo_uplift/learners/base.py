"""What every learner checks and remembers, so that its own file holds its estimator only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.parameters import Parameters
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues
from promo_uplift.nuisance.covariates import covariate_matrix


class NoParameters(Parameters):
    """Parameters of a learner that has none."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Checked training rows as arrays.

    Attributes
    ----------
    features : float64 (n, p)
        Household covariates; NaN where missing.
    treatment : int64 (n,)
        0 or 1, both present.
    outcome : float64 (n,)
        USD per household.
    nuisances : NuisanceValues
        Out-of-fold nuisances of the rows.
    """

    features: FloatArray
    treatment: IntArray
    outcome: FloatArray
    nuisances: NuisanceValues


class BaseLearner(ABC):
    """Checks inputs, remembers the covariates' names, and delegates the estimation."""

    _covariate_names: tuple[str, ...] | None = None

    def fit(
        self,
        *,
        covariates: pd.DataFrame,
        treatment: IntArray,
        outcome: FloatArray,
        nuisances: NuisanceValues,
        groups: IntArray,
        rng: np.random.Generator,
    ) -> Self:
        """Fit on training rows only.

        Raises
        ------
        LearnerError
            If lengths differ, a covariate is not numeric, an arm is missing, or an outcome or
            nuisance is not finite.
        """
        training = checked_training_set(
            covariates=covariates,
            treatment=treatment,
            outcome=outcome,
            nuisances=nuisances,
            groups=groups,
        )
        self._fit(training=training, rng=rng)
        self._covariate_names = tuple(str(name) for name in covariates.columns)
        return self

    def predict_cate(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Effect of the mailing, USD per household, ``(m,)``."""
        return self._predict(features=self._features(covariates))

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Refuse: this learner has no interval of its own.

        Raises
        ------
        IntervalNotOffered
            Always; ``with_half_sample_interval`` adds a sampling interval to any learner.
        """
        raise IntervalNotOffered(
            f"{type(self).__name__} has no pointwise interval. "
            "Wrap its builder in `with_half_sample_interval`."
        )

    def _features(self, covariates: pd.DataFrame) -> FloatArray:
        if self._covariate_names is None:
            raise LearnerError(
                f"{type(self).__name__} must be fitted before it predicts. Call `fit` first."
            )
        missing = [name for name in self._covariate_names if name not in covariates.columns]
        if missing:
            raise LearnerError(
                f"`covariates` must hold every column that the learner was fitted on; {missing} "
                "are missing. Build the table with the same features."
            )
        return covariate_matrix(covariates=covariates[list(self._covariate_names)])

    @abstractmethod
    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        """Estimate from checked arrays."""

    @abstractmethod
    def _predict(self, *, features: FloatArray) -> FloatArray:
        """Predict from the covariates in the order of the fit."""


def checked_training_set(
    *,
    covariates: pd.DataFrame,
    treatment: IntArray,
    outcome: FloatArray,
    nuisances: NuisanceValues,
    groups: IntArray,
) -> TrainingSet:
    """Check one training set, once, at the learner's door.

    Raises
    ------
    LearnerError
        See :meth:`BaseLearner.fit`.
    """
    lengths = {
        "covariates": len(covariates),
        "treatment": len(treatment),
        "outcome": len(outcome),
        "groups": len(groups),
        "propensity": len(nuisances.propensity),
        "mu0": len(nuisances.mu0),
        "mu1": len(nuisances.mu1),
    }
    if len(set(lengths.values())) != 1:
        raise LearnerError(
            f"Every input must have one entry per row; found {lengths}. Take the same rows of each."
        )
    if covariates.shape[1] == 0:
        raise LearnerError("`covariates` must have at least one column; found none. Add features.")
    arms = np.unique(treatment)
    if not np.array_equal(arms, [0, 1]):
        raise LearnerError(
            f"`treatment` must hold both arms, coded 0 and 1; found {arms.tolist()}. "
            "Several arms are not supported: compare one arm with the control at a time."
        )
    finite = {
        "outcome": outcome,
        "propensity": nuisances.propensity,
        "mu0": nuisances.mu0,
        "mu1": nuisances.mu1,
    }
    for name, values in finite.items():
        n_bad = int(np.sum(~np.isfinite(values)))
        if n_bad > 0:
            raise LearnerError(
                f"`{name}` must be finite; {n_bad} of {len(values)} values are not. "
                "Leave those rows out and count them."
            )
    return TrainingSet(
        features=covariate_matrix(covariates=covariates),
        treatment=np.asarray(treatment, dtype=np.int64),
        outcome=np.asarray(outcome, dtype=np.float64),
        nuisances=nuisances,
    )


def checked_cate(*, cate: FloatArray, name: str, n_rows: int) -> FloatArray:
    """Return predicted effects; refuse anything but one finite number per row.

    Raises
    ------
    LearnerError
        Naming the learner and what it predicted.
    """
    values = np.asarray(cate, dtype=np.float64)
    n_bad = int(np.sum(~np.isfinite(values)))
    if values.shape != (n_rows,) or n_bad > 0:
        raise LearnerError(
            f"`predict_cate` of `{name}` must return one finite number per row, shape "
            f"({n_rows},); found shape {values.shape} with {n_bad} that are not finite. "
            "Correct the learner."
        )
    return values


def model_seed(*, rng: np.random.Generator) -> int:
    """Draw a seed that LightGBM and scikit-learn take."""
    return int(rng.integers(0, 2**31 - 1))
