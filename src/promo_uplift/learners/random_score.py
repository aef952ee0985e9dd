"""Baseline ``random``: a ranking that knows nothing."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners.base import BaseLearner, NoParameters, TrainingSet


class RandomScore(BaseLearner):
    """Uniform score in ``[0, 1)``, a fixed function of a household's covariates and the seed.

    A hash of the row, so that a household keeps its score wherever it stands in a table.
    Households with equal covariates tie.
    """

    def __init__(self, parameters: NoParameters) -> None:
        self.parameters = parameters

    def _fit(self, *, training: TrainingSet, rng: np.random.Generator) -> None:
        self._key = np.uint64(rng.integers(0, 2**63))

    def _predict(self, *, features: FloatArray) -> FloatArray:
        canonical = np.where(np.isnan(features), np.nan, features + 0.0)  # one NaN, one zero
        bits = np.ascontiguousarray(canonical).view(np.uint64)
        state = np.full(len(features), self._key, dtype=np.uint64)
        for column in bits.T:
            state = _mixed(state ^ column)
        return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(
    state: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """SplitMix64's finaliser (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
