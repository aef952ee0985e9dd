"""The products of a simulated world, and which of them a campaign covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.contracts.tables import CATEGORIES
from promo_uplift.simulation.households import Households
from promo_uplift.simulation.profile import ProductCell, WorldProfile
from promo_uplift.simulation.randomness import generator

FIRST_PRODUCT_ID: Final = 1_000_001
BRANDS: Final = ("National", "Private")
N_STRATA: Final = len(CATEGORIES) * len(BRANDS)
#: Cap of a household's private-label probability in a category whose share of them is above mean.
_MOST_PRIVATE: Final = 0.98


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Merchandise, sorted by stratum (category and brand), each ``(P,)``.

    Attributes
    ----------
    product_id, cell : int64
        Id, and the place of its cell in the profile.
    stratum : int64
        ``2 * category + is_private``.
    price_usd : float64
        Expected amount of a line.
    popularity : float64
        Share of the lines of its stratum.
    cumulative : float64
        Running sum of ``popularity`` over all strata: a line of stratum ``s`` is the product that
        ``s + u`` falls on, ``u`` uniform.
    """

    product_id: IntArray
    cell: IntArray
    stratum: IntArray
    price_usd: FloatArray
    popularity: FloatArray
    cumulative: FloatArray

    def __len__(self) -> int:
        return len(self.product_id)

    def stratum_mean(self, weights: FloatArray) -> FloatArray:
        """Popularity-weighted mean of a product figure in each stratum, ``(12,)``."""
        return np.bincount(
            self.stratum, weights=weights * self.popularity, minlength=N_STRATA
        ).astype(np.float64)

    def draw(self, *, stratum: IntArray, uniform: FloatArray) -> IntArray:
        """Places of products drawn by popularity within the given strata."""
        place = np.searchsorted(self.cumulative, stratum + uniform, side="right")
        result: IntArray = np.minimum(place, len(self) - 1)
        return result


def draw_catalogue(*, profile: WorldProfile, n_products: int, seed: int) -> Catalogue:
    """Draw products cell by cell: log-normal prices and popularities with the cell's spreads.

    A cell keeps its share of lines and its mean price per line; the number of products is scaled
    to ``n_products``, at least one per cell.
    """
    rng = generator(seed, "products")
    cells = profile.products
    order = sorted(range(len(cells)), key=lambda i: (_stratum(cells[i]), i))
    total = sum(cell.n_products for cell in cells)
    counts = np.array([max(1, round(cells[i].n_products * n_products / total)) for i in order])
    cell = np.repeat(np.array(order), counts)
    place = np.repeat(np.arange(len(order)), counts)
    weight = np.exp(_of(profile, "popularity_log_sd")[cell] * rng.standard_normal(len(cell)))
    price = np.exp(_of(profile, "price_log_sd")[cell] * rng.standard_normal(len(cell)))
    weight *= (_of(profile, "share")[order] / np.bincount(place, weight))[place]
    mean = np.bincount(place, weight * price) / np.bincount(place, weight)
    price *= (_of(profile, "price_usd")[order] / mean)[place]
    stratum = np.array([_stratum(cells[i]) for i in order])[place]
    popularity = weight / np.bincount(stratum, weight, minlength=N_STRATA)[stratum]
    within = np.cumsum(popularity)
    before = np.concatenate([[0.0], within])[np.searchsorted(stratum, stratum)]
    return Catalogue(
        product_id=FIRST_PRODUCT_ID + np.arange(len(cell), dtype=np.int64),
        cell=cell.astype(np.int64),
        stratum=stratum.astype(np.int64),
        price_usd=price,
        popularity=popularity,
        cumulative=stratum + np.minimum(within - before, 1.0),
    )


def stratum_probabilities(*, households: Households, profile: WorldProfile) -> FloatArray:
    """Probability that a line of each household is of each category and brand, ``(H, 12)``.

    A household buys private labels in a category in proportion to its own share of them and to how
    common they are there; where there are none, it buys the other brand.
    """
    share = np.zeros((len(CATEGORIES), len(BRANDS)))
    for cell in profile.products:
        share[divmod(_stratum(cell), len(BRANDS))] += cell.share
    private = share[:, 1] / share.sum(axis=1)
    relative = private / (share[:, 1].sum() / share.sum())
    most = np.where(private > 0, np.where(private < 1, _MOST_PRIVATE, 1.0), 0.0)
    chance = np.minimum(households.private_share[:, None] * relative, most)
    chance = np.where(private >= 1.0, 1.0, chance)
    split = np.stack([1.0 - chance, chance], axis=2) * households.preference[:, :, None]
    result: FloatArray = split.reshape(len(households), N_STRATA)
    return result


def covered_products(
    *, catalogue: Catalogue, line_share: FloatArray, sales_share: float, rng: np.random.Generator
) -> BoolArray:
    """Products, drawn at random, whose expected sales are about ``sales_share`` of all, ``(P,)``.

    ``line_share (P,)`` is each product's share of all lines. At least one product is covered.
    """
    sales = line_share * catalogue.price_usd
    order = rng.permutation(len(catalogue))
    reached = np.cumsum(sales[order]) <= sales_share * sales.sum()
    covered = np.zeros(len(catalogue), dtype=np.bool_)
    covered[order[: max(1, int(reached.sum()))]] = True
    return covered


def _of(profile: WorldProfile, name: str) -> FloatArray:
    return np.array([getattr(cell, name) for cell in profile.products], dtype=np.float64)


def _stratum(cell: ProductCell) -> int:
    category = CATEGORIES.index(cell.category)
    return len(BRANDS) * category + BRANDS.index(cell.brand)
