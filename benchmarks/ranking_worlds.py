"""Scores and rankings with a known truth, for the coverage of the metrics' intervals.

The ranking is a function of the household, independent of the scores' noise: no fold learned from
another, so intervals need no widening and 95 % should hold the truth in 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray

#: Rows of a household, on average: some have one, some have five.
ROWS_PER_HOUSEHOLD = 3


@dataclass(frozen=True, slots=True)
class World:
    """How scores arise: ``slope`` of the mean score on the rank, ``tail``, and number of ranks.

    Attributes
    ----------
    slope : float
        Mean score is ``1 + slope * x`` with ``x`` uniform; the noise has a standard deviation of 5.
    tail : {'normal', 'heavy'}
        Normal noise, or Student's t with 4 degrees of freedom (no fourth moment).
    levels : int
        0: no two households tie; else ``x`` takes so many values.
    """

    slope: float
    tail: str
    levels: int

    def rank(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Prediction of each household, uniform on [0, 1] or on so many levels of it."""
        x = rng.uniform(size=size)
        return x if self.levels == 0 else np.ceil(x * self.levels) / self.levels

    def noise(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Noise of variance 1."""
        if self.tail == "normal":
            return rng.normal(size=size)
        return rng.standard_t(4, size=size) / np.sqrt(2.0)

    def draw(
        self, rng: np.random.Generator, households: int
    ) -> tuple[FloatArray, FloatArray, IntArray]:
        """Scores, ranking and household of each row; rows of a household share most noise."""
        sizes = rng.choice([1, 3, 5], size=households)
        groups = np.repeat(np.arange(households), sizes)
        x = self.rank(rng, households)[groups]
        shared = self.noise(rng, households)[groups]
        scores = 1.0 + self.slope * x + 4.0 * shared + 3.0 * self.noise(rng, len(groups))
        return scores, x, groups

    def truth(self, shares: tuple[float, ...]) -> dict[str, float]:
        """Figures of the population: from the curve of ``1 + slope * x``, ties spread evenly."""
        grid = np.linspace(0.0, 1.0, 200_001)
        x = 1.0 - 0.5 * (grid[1:] + grid[:-1])
        if self.levels:
            x = np.ceil(x * self.levels) / self.levels
        gain = np.r_[0.0, np.cumsum((1.0 + self.slope * x) * np.diff(grid))]
        area = float(np.trapezoid(gain, grid))
        mean = np.r_[1.0 + self.slope * x[0], gain[1:] / grid[1:]]
        figures = {
            "auuc": area,
            "qini": area - 0.5 * float(gain[-1]),
            "autoc": float(np.trapezoid(mean, grid)) - float(gain[-1]),
            "calibration_slope": self.slope,
        }
        return figures | {
            f"uplift_at_{100 * share:.6g}": float(np.interp(share, grid, gain)) / share
            for share in shares
        }


#: Small and large effects, normal and heavy tails, no ties, many ties, and few levels.
WORLDS = {
    "large effect": World(slope=6.0, tail="normal", levels=0),
    "small effect": World(slope=0.3, tail="normal", levels=0),
    "heavy tails": World(slope=2.0, tail="heavy", levels=0),
    "many ties": World(slope=2.0, tail="heavy", levels=40),
    "five levels": World(slope=6.0, tail="normal", levels=5),
}
