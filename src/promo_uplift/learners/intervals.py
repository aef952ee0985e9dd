"""Sampling intervals for any learner, by refitting it on half of the households.

Also for the causal forest, whose own interval takes rows as independent: households recur in
several trials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues


class WithoutInterval:
    """A learner whose intervals of single households are not offered, its own included.

    Measured where the truth is known, neither half-samples nor a forest's own interval hold it as
    often as they say (docs/trust-card.md).
    """

    def __init__(self, *, learner: Learner) -> None:
        self._learner = learner

    @property
    def learner(self) -> Learner:
        """The learner itself."""
        return self._learner

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
        """Fit the learner.

        Raises
        ------
        LearnerError
            As the learner does.
        """
        self._learner.fit(
            covariates=covariates,
            treatment=treatment,
            outcome=outcome,
            nuisances=nuisances,
            groups=groups,
            rng=rng,
        )
        return self

    def predict_cate(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Effect of the mailing, USD per household, ``(m,)``."""
        return self._learner.predict_cate(covariates=covariates)

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Refuse.

        Raises
        ------
        IntervalNotOffered
            Always.
        """
        raise IntervalNotOffered(
            "Intervals of single households are not offered: `estimation.interval_replicates` is "
            "0. Above 0 they show how far the sample moves the prediction, which is less than how "
            "far it is from the truth."
        )


class HalfSampleLearner:
    r"""A learner and ``B`` refits, each on half of the households, drawn without replacement.

    A statistic of half a sample, drawn without replacement, varies around the full sample's
    value about as much as the full sample's value varies around its mean:
    ``(1 / (n/2)) (1 - 1/2) = 1/n``. So the spread of the refits estimates the standard error of
    the full fit, clustered by household:

    .. math:: \hat\tau(x) \pm z \, \mathrm{sd}_b(\hat\tau_b(x))

    Not included: the bias of regularisation (the shrinkage of few, large leaves is the same in
    every refit), the noise of the shared nuisances (they are not refitted), and the choice of the
    hyperparameters. It is an interval for what this learner converges to, not for the truth.

    References
    ----------
    Politis & Romano (1994), *Annals of Statistics* 22(4), 2031-2050, doi:10.1214/aos/1176325770.
    Shao & Tu (1995), *The Jackknife and Bootstrap*, ch. 2.3 (half-samples).
    """

    def __init__(
        self,
        *,
        build: Callable[[], Learner],
        n_replicates: int,
        build_replicate: Callable[[], Learner] | None = None,
    ) -> None:
        if n_replicates < 2:
            raise LearnerError(
                f"`n_replicates` must be at least 2 to have a spread, got {n_replicates}. "
                "Raise `interval_replicates`."
            )
        self._n_replicates = n_replicates
        self._learner = build()
        build_one = build if build_replicate is None else build_replicate
        self._replicates = tuple(build_one() for _ in range(n_replicates))

    @property
    def learner(self) -> Learner:
        """The learner fitted on all training rows, whose prediction is the centre."""
        return self._learner

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
        """Fit on all rows, then each replicate on the rows of half of the households.

        Raises
        ------
        LearnerError
            As the learner's own; also if there are fewer than 4 households.
        """
        households = np.unique(groups)
        if len(households) < 4:
            raise LearnerError(
                f"`groups` must hold at least 4 households to halve; found {len(households)}."
            )
        rngs = rng.spawn(self._n_replicates + 1)
        self._learner.fit(
            covariates=covariates,
            treatment=treatment,
            outcome=outcome,
            nuisances=nuisances,
            groups=groups,
            rng=rngs[0],
        )
        for replicate, own in zip(self._replicates, rngs[1:], strict=True):
            half = own.choice(households, size=len(households) // 2, replace=False)
            rows = np.isin(groups, half)
            replicate.fit(
                covariates=covariates.loc[rows],
                treatment=treatment[rows],
                outcome=outcome[rows],
                nuisances=nuisances.take(rows),
                groups=groups[rows],
                rng=own,
            )
        return self

    def predict_cate(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Effect of the mailing by the full fit, USD per household, ``(m,)``."""
        return self._learner.predict_cate(covariates=covariates)

    def predict_standard_error(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Return the standard deviation of the half-sample refits, USD per household, ``(m,)``."""
        replicates = [one.predict_cate(covariates=covariates) for one in self._replicates]
        return np.asarray(np.std(replicates, axis=0, ddof=1), dtype=np.float64)

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Pointwise normal interval around the full fit, USD, ``(m, 2)``.

        Raises
        ------
        LearnerError
            If ``level`` is not strictly between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise LearnerError(f"`level` must lie strictly between 0 and 1, got {level}. Try 0.95.")
        centre = self.predict_cate(covariates=covariates)
        half_width = norm.ppf(0.5 + level / 2.0) * self.predict_standard_error(
            covariates=covariates
        )
        return np.column_stack([centre - half_width, centre + half_width])


def with_half_sample_interval(
    *,
    build: Callable[[], Learner],
    n_replicates: int,
    build_replicate: Callable[[], Learner] | None = None,
) -> HalfSampleLearner:
    """Add a half-sample interval to a learner; see :class:`HalfSampleLearner`.

    Parameters
    ----------
    build : callable
        Returns a new, unfitted learner.
    n_replicates : int
        Refits, at least 2.
    build_replicate : callable, optional
        The same for the refits, where a cheaper one will do (a forest of fewer trees adds Monte
        Carlo noise, so the interval errs on the wide side).
    """
    return HalfSampleLearner(
        build=build, n_replicates=n_replicates, build_replicate=build_replicate
    )
