"""What every learner checks and remembers, so that its own file holds its estimator only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.parameters import Parameters
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues
from promo_uplift.nuisance.boosting import BinnedFeatures, BinnedRows
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
    dose : float64 (n,)
        The treatment as a number: 0.0 and 1.0, both present, or a continuous dose.
    outcome : float64 (n,)
        USD per household.
    nuisances : NuisanceValues
        Out-of-fold nuisances of the rows.
    bins : BinnedRows
        The same features with histogram bins, for boosted trees.
    is_dose : bool
        Whether the treatment is a continuous dose.
    """

    features: FloatArray
    dose: FloatArray
    outcome: FloatArray
    nuisances: NuisanceValues
    bins: BinnedRows
    is_dose: bool = False

    @property
    def treatment(self) -> IntArray:
        """Arm of each row, 0 or 1, ``(n,)``; only a learner that takes a dose ever gets one."""
        return self.dose.astype(np.int64)

    @property
    def dose_residual(self) -> FloatArray:
        """Treatment less its expectation given the covariates, ``(n,)``."""
        return self.dose - self.nuisances.propensity

    @property
    def outcome_residual(self) -> FloatArray:
        """Outcome less its expectation given the covariates, USD, ``(n,)``."""
        return self.outcome - self.nuisances.outcome_mean


class BaseLearner(ABC):
    """Checks inputs, remembers the covariates' names, and delegates the estimation."""

    #: Whether a continuous dose is taken; the effect is then per unit of it.
    takes_dose: ClassVar[bool] = False
    _covariate_names: tuple[str, ...] | None = None

    def fit(
        self,
        *,
        covariates: pd.DataFrame,
        treatment: IntArray | FloatArray,
        outcome: FloatArray,
        nuisances: NuisanceValues,
        groups: IntArray,
        rng: np.random.Generator,
        bins: BinnedRows | None = None,
    ) -> Self:
        """Fit on training rows only.

        ``treatment`` is 0 or 1. A learner with ``takes_dose`` also takes a dose: floats, with
        ``nuisances`` of :meth:`promo_uplift.contracts.results.NuisanceValues.of_dose`. ``bins``
        are those of the same covariates among more rows, built once for many fits; without them
        they are built of these rows.

        Raises
        ------
        LearnerError
            If lengths differ, a covariate is not numeric, an arm is missing, an outcome or
            nuisance is not finite, a dose is given to a learner of two arms, or ``bins`` are of
            other covariates.
        """
        training = checked_training_set(
            covariates=covariates,
            treatment=treatment,
            outcome=outcome,
            nuisances=nuisances,
            groups=groups,
            takes_dose=self.takes_dose,
            bins=bins,
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
        chosen = covariates
        if tuple(covariates.columns) != self._covariate_names:
            chosen = covariates[list(self._covariate_names)]
        return covariate_matrix(covariates=chosen)

    @abstractmethod
    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        """Estimate from checked arrays."""

    @abstractmethod
    def _predict(self, *, features: FloatArray) -> FloatArray:
        """Predict from the covariates in the order of the fit."""


def checked_training_set(
    *,
    covariates: pd.DataFrame,
    treatment: IntArray | FloatArray,
    outcome: FloatArray,
    nuisances: NuisanceValues,
    groups: IntArray,
    takes_dose: bool = False,
    bins: BinnedRows | None = None,
) -> TrainingSet:
    """Check one training set, once, at the learner's door.

    Floats other than 0 and 1 are a dose; whole numbers are arms.

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
    _refuse_not_finite({"treatment": treatment})
    values = np.unique(treatment)
    is_dose = bool(
        np.issubdtype(treatment.dtype, np.floating) and len(np.setdiff1d(values, [0, 1]))
    )
    finite = {"outcome": outcome, "propensity": nuisances.propensity}
    if is_dose:
        _refuse_dose(values, nuisances, takes_dose=takes_dose)
    elif not np.array_equal(values, [0, 1]):
        raise LearnerError(
            f"`treatment` must hold both arms, coded 0 and 1; found {values.tolist()}. "
            "Several arms are not supported: compare one arm with the control at a time."
        )
    else:
        finite |= {"mu0": nuisances.mu0, "mu1": nuisances.mu1}
    if nuisances.given_outcome_mean is not None:
        finite["outcome_mean"] = nuisances.given_outcome_mean
    _refuse_not_finite(finite)
    features = covariate_matrix(covariates=covariates)
    if bins is None:
        bins = BinnedRows(design=BinnedFeatures(features), rows=np.arange(len(features)))
    elif not bins.are(features=features):
        raise LearnerError(
            f"`bins` must be of the same rows as `covariates`; found {len(bins.rows)} rows of "
            f"other values for {len(features)}. Give the rows that are fitted, or leave them out."
        )
    return TrainingSet(
        features=features,
        dose=np.asarray(treatment, dtype=np.float64),
        outcome=np.asarray(outcome, dtype=np.float64),
        nuisances=nuisances,
        bins=bins,
        is_dose=is_dose,
    )


def _refuse_not_finite(arrays: Mapping[str, FloatArray | IntArray]) -> None:
    for name, numbers in arrays.items():
        n_bad = int(np.sum(~np.isfinite(numbers)))
        if n_bad > 0:
            raise LearnerError(
                f"`{name}` must be finite; {n_bad} of {len(numbers)} values are not. "
                "Leave those rows out and count them."
            )


def _refuse_dose(values: Any, nuisances: NuisanceValues, *, takes_dose: bool) -> None:
    if not takes_dose:
        raise LearnerError(
            f"`treatment` must hold two arms, coded 0 and 1; found a continuous dose of "
            f"{len(values)} values, which this learner does not take. Use r_learner, linear_dml, "
            "causal_forest or s_learner, or compare two doses as arms."
        )
    if len(values) < 2:
        raise LearnerError(
            f"`treatment` must vary to have an effect; found one dose, {values[0]}. Add rows with "
            "another dose."
        )
    if nuisances.given_outcome_mean is None:
        raise LearnerError(
            "`nuisances` of a continuous dose must give the expected outcome; found none. Build "
            "them with `NuisanceValues.of_dose`."
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
