"""Baskets and their lines: what households buy in some days, in every state of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.simulation.catalogue import Catalogue
from promo_uplift.simulation.parameters import SpendParameters
from promo_uplift.simulation.profile import from_grid

#: A larger basket holds dearer lines instead of more of them.
MOST_LINES: Final = 120
CENTS: Final = 100.0
_FINE: Final = 10_001


@dataclass(frozen=True, slots=True)
class Purchases:
    """Baskets of one block of households, each ``(n,)``, and their lines, each ``(m,)``.

    Attributes
    ----------
    household : int32 (n,)
        Place of the household in the world.
    day : int16 (n,)
        Day of the world.
    n_lines : int16 (n,)
        Lines of each basket, in the order of the lines.
    product : int32 (m,)
        Place of the product in the catalogue.
    cents : int32 (m,)
        Amount of the line.
    """

    household: IntArray
    day: IntArray
    n_lines: IntArray
    product: IntArray
    cents: IntArray

    def spend_usd(self) -> FloatArray:
        """Spend of each basket, USD."""
        starts = np.cumsum(self.n_lines) - self.n_lines
        if not len(starts):
            return np.empty(0)
        total: FloatArray = np.add.reduceat(self.cents, starts, dtype=np.int64) / CENTS
        return total

    def take(self, kept: BoolArray) -> Purchases:
        """Return the chosen baskets with their lines."""
        lines = np.repeat(kept, self.n_lines)
        return Purchases(
            self.household[kept],
            self.day[kept],
            self.n_lines[kept],
            self.product[lines],
            self.cents[lines],
        )


def joined(parts: list[Purchases]) -> Purchases:
    """Return the baskets of all parts, in their order."""
    return Purchases(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("household", "day", "n_lines", "product", "cents")
        )
    )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Visits drawn at the largest of several rates; a mark says in which states they happen.

    Attributes
    ----------
    row, column : int64 (n,)
        Place in the matrices of rates.
    level : float64 (n,)
        A uniform draw below the largest rate: the visit happens in a state with a higher rate.
    """

    row: IntArray
    column: IntArray
    level: FloatArray

    def happen(self, rate: FloatArray) -> BoolArray:
        """Whether each visit happens in the state with these rates."""
        result: BoolArray = self.level < rate[self.row, self.column]
        return result


def draw_arrivals(*, envelope: FloatArray, rng: np.random.Generator) -> Arrivals:
    """Draw Poisson visits at the largest rates (Lewis and Shedler's thinning)."""
    counts = rng.poisson(envelope)
    row, column = np.nonzero(counts)
    times = counts[row, column]
    row, column = np.repeat(row, times), np.repeat(column, times)
    return Arrivals(row, column, rng.uniform(size=len(row)) * envelope[row, column])


@dataclass(frozen=True, slots=True)
class Switch:
    """Products that take the place of others for some baskets: cannibalisation.

    Attributes
    ----------
    probability : float64 (n,)
        Chance that a line of the basket that is not covered becomes a covered one.
    covered : bool (P,)
        Products of the campaign.
    """

    probability: FloatArray
    covered: BoolArray


def basket_factors(
    *, grid: list[float], parameters: SpendParameters, n: int, rng: np.random.Generator
) -> FloatArray:
    """Size of each basket relative to its household's mean, ``(n,)``, with mean 1.

    ``(1 - m) B + J X``: the profile's body ``B``, and with ``J`` rare a Pareto ``X`` that carries
    the mean ``m`` and ``tail_variance_share`` of the variance of the sum.
    """
    body = from_grid(grid, rng.uniform(size=n)) / np.mean(grid)
    if parameters.tail_variance_share == 0.0:
        return body
    smallest, tail_mean = _tail(grid=grid, parameters=parameters)
    is_large = rng.uniform(size=n) < parameters.tail_probability
    large = smallest * (1.0 + rng.pareto(parameters.tail_index, size=n))
    return (1.0 - tail_mean) * body + np.where(is_large, large, 0.0)


def _tail(*, grid: list[float], parameters: SpendParameters) -> tuple[float, float]:
    """Smallest value and mean of ``J X`` that give it its share of the variance."""
    share, chance, index = (
        parameters.tail_variance_share,
        parameters.tail_probability,
        parameters.tail_index,
    )
    mean = chance * index / (index - 1.0)
    variance = chance * index / (index - 2.0) - mean**2
    body = from_grid(grid, (np.arange(_FINE) + 0.5) / _FINE) / np.mean(grid)
    ratio = np.sqrt(share / (1.0 - share) * body.var() / variance)
    smallest = ratio / (1.0 + ratio * mean)
    return float(smallest), float(smallest * mean)


def draw_lines(
    *,
    household: IntArray,
    day: IntArray,
    expected_lines: FloatArray,
    stratum_cumulative: FloatArray,
    catalogue: Catalogue,
    line_price_log_sd: float,
    switches: tuple[Switch, ...],
    rng: np.random.Generator,
) -> Purchases:
    """Draw the lines of each basket; the expected amount is exact whatever the basket's size.

    Parameters
    ----------
    household, day : int64 (n,)
        Of each basket, kept as they are.
    expected_lines : float64 (n,)
        ``x``: expected spend over the household's mean price. The number of lines is ``x`` rounded
        at random, from 1 to ``MOST_LINES``; beyond these, lines are cheaper or dearer instead.
    stratum_cumulative : float64 (n, 12)
        Running probabilities of the strata for each basket's household.
    """
    floor = np.floor(expected_lines)
    drawn = floor + (rng.uniform(size=len(floor)) < expected_lines - floor)
    n_lines = np.clip(drawn, 1, MOST_LINES).astype(np.int64)
    scale = expected_lines / np.clip(expected_lines, 1.0, MOST_LINES)
    basket = np.repeat(np.arange(len(n_lines)), n_lines)
    uniform = rng.uniform(size=(3, len(basket)))
    stratum = (uniform[0][:, None] >= stratum_cumulative[basket, :-1]).sum(axis=1)
    product = catalogue.draw(stratum=stratum, uniform=uniform[1])
    noise = np.exp(
        line_price_log_sd * rng.standard_normal(len(basket)) - line_price_log_sd**2 / 2.0
    )
    cents = np.floor(
        CENTS * catalogue.price_usd[product] * noise * scale[basket] + uniform[2]
    ).astype(np.int64)
    for switch in switches:
        product = _switched(
            product=product, basket=basket, switch=switch, catalogue=catalogue, rng=rng
        )
    return _merged(
        household=household,
        day=day,
        basket=basket,
        product=product,
        cents=cents,
        size=len(catalogue),
    )


def _switched(
    *,
    product: IntArray,
    basket: IntArray,
    switch: Switch,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> IntArray:
    goes = ~switch.covered[product] & (rng.uniform(size=len(product)) < switch.probability[basket])
    choices = np.flatnonzero(switch.covered)
    weights = catalogue.popularity[choices] / catalogue.popularity[choices].sum()
    result = product.copy()
    result[goes] = rng.choice(choices, size=int(goes.sum()), p=weights)
    return result


def _merged(
    *,
    household: IntArray,
    day: IntArray,
    basket: IntArray,
    product: IntArray,
    cents: IntArray,
    size: int,
) -> Purchases:
    """One line per basket and product, as on a receipt."""
    key = basket * size + product
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    amounts = np.add.reduceat(cents[order], first) if len(first) else cents
    owner = key[first] // size
    return Purchases(
        household=household.astype(np.int32),
        day=day.astype(np.int16),
        n_lines=np.bincount(owner, minlength=len(household)).astype(np.int16),
        product=(key[first] % size).astype(np.int32),
        cents=amounts.astype(np.int32),
    )
