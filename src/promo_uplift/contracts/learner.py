"""What a CATE learner is: the protocol that the registry, the tuner and the suite rely on."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues


@runtime_checkable
class Learner(Protocol):
    """Estimates the effect of the mailing for each household, in USD.

    Keyword-only on purpose: with a 0/1 outcome a swap of treatment and outcome raises nothing.
    """

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
        """Fit on training rows only; never mutates its arguments."""
        ...

    def predict_cate(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Effect of the mailing, USD per household, ``(m,)``."""
        ...

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Pointwise interval of the effect, USD, ``(m, 2)``; or raise ``IntervalNotOffered``."""
        ...


@runtime_checkable
class SelfExplainedLearner(Protocol):
    """A learner that knows what each covariate adds to its effects; any other is asked for them."""

    def explain(self, *, covariates: pd.DataFrame, background: pd.DataFrame) -> FloatArray:
        """Return what each covariate adds to each row's effect, USD per household, ``(m, p)``.

        Rows sum to ``predict_cate`` less one number that is the same for all rows. ``background``
        are rows of the same columns that stand for a covariate that is not known.
        """
        ...
