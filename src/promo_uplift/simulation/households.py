"""The households of a simulated world: traits that never change, and what their visits drift by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.contracts.tables import CATEGORIES
from promo_uplift.simulation.parameters import SimulationParameters
from promo_uplift.simulation.profile import TRAITS, WorldProfile, from_grid
from promo_uplift.simulation.randomness import generator
from promo_uplift.simulation.standardise import standardised

DAYS_PER_WEEK: Final = 7
_BISECTIONS: Final = 60
_SEARCHED: Final = 60.0


@dataclass(frozen=True, slots=True)
class Households:
    """What a household is, each ``(H,)`` unless said otherwise.

    Attributes
    ----------
    household_id : int64
        From 1.
    visits_per_day : float64
        Mean baskets with merchandise per day.
    basket_usd : float64
        Expected merchandise spend of a basket, USD.
    discount_rate, private_share : float64
        Discount as a share of shelf value; probability that a line is a private label.
    fuel_per_day : float64
        Mean purchases of fuel per day.
    preference : float64 (H, 6)
        Probability that a line is of each category, rows sum to 1.
    home_store : int64
        Index of the store that it visits most.
    has_demographics : bool
    demographics : dict of int64
        Name -> code from 1, or 0 where it is not stated.
    drift : float64 (H, weeks)
        Factor on the visit rate of each week of the world, mean 1.
    """

    household_id: IntArray
    visits_per_day: FloatArray
    basket_usd: FloatArray
    discount_rate: FloatArray
    private_share: FloatArray
    fuel_per_day: FloatArray
    preference: FloatArray
    home_store: IntArray
    has_demographics: BoolArray
    demographics: dict[str, IntArray]
    drift: FloatArray

    def __len__(self) -> int:
        return len(self.household_id)


def draw_households(
    *, profile: WorldProfile, parameters: SimulationParameters, seed: int
) -> Households:
    """Draw traits with the profile's marginals and correlations (a Gaussian copula)."""
    n = parameters.n_households
    scores = generator(seed, "traits").multivariate_normal(
        np.zeros(len(TRAITS)), _correlation(profile), size=n, method="cholesky"
    )
    traits = {
        name: from_grid(profile.trait_grids[name], norm.cdf(scores[:, i]))
        for i, name in enumerate(TRAITS)
    }
    has_demographics = _known(
        profile=profile, parameters=parameters, traits=traits, rng=generator(seed, "known")
    )
    return Households(
        household_id=np.arange(1, n + 1, dtype=np.int64),
        visits_per_day=traits["visits_per_week"] / DAYS_PER_WEEK,
        basket_usd=traits["usd_per_week"] / traits["visits_per_week"],
        discount_rate=traits["discount_rate"],
        private_share=traits["private_share"],
        fuel_per_day=traits["fuel_per_week"] / DAYS_PER_WEEK,
        preference=_preference(profile=profile, n=n, rng=generator(seed, "preference")),
        home_store=generator(seed, "store").choice(
            len(profile.store_shares), size=n, p=_shares(profile.store_shares)
        ),
        has_demographics=has_demographics,
        demographics=_demographics(
            profile=profile, known=has_demographics, rng=generator(seed, "demographics")
        ),
        drift=_drift(profile=profile, parameters=parameters, rng=generator(seed, "drift")),
    )


def bisected(*, mean: float, probability_at: Callable[[float], float]) -> float:
    """Return the shift at which a mean probability, rising in it, meets ``mean``."""
    low, high = -_SEARCHED, _SEARCHED
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if probability_at(middle) < mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _correlation(profile: WorldProfile) -> FloatArray:
    """Nearest correlation matrix without a negative eigenvalue, against ties in the real traits."""
    values, vectors = np.linalg.eigh(np.asarray(profile.trait_correlation))
    matrix = (vectors * np.maximum(values, 1e-9)) @ vectors.T
    scale = np.sqrt(np.diag(matrix))
    result: FloatArray = matrix / np.outer(scale, scale)
    return result


def _shares(values: list[float]) -> FloatArray:
    shares = np.asarray(values, dtype=np.float64)
    result: FloatArray = shares / shares.sum()
    return result


def _preference(*, profile: WorldProfile, n: int, rng: np.random.Generator) -> FloatArray:
    share = np.array([profile.category_lines[name] for name in CATEGORIES])
    shape = np.array([profile.category_shape[name] for name in CATEGORIES])
    weight = share * rng.gamma(shape, 1.0 / shape, size=(n, len(CATEGORIES))) + 1e-12
    result: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return result


def _known(
    *,
    profile: WorldProfile,
    parameters: SimulationParameters,
    traits: dict[str, FloatArray],
    rng: np.random.Generator,
) -> BoolArray:
    missing = parameters.missing_demographics_share
    share = 1.0 - (profile.missing_demographics_share if missing is None else missing)
    draws = rng.uniform(size=parameters.n_households)
    if share in (0.0, 1.0):
        return np.full(len(draws), share == 1.0)
    spend = standardised(np.log1p(traits["usd_per_week"]))
    logit = profile.demographics_slope * spend
    shift = bisected(mean=share, probability_at=lambda s: float(expit(logit + s).mean()))
    result: BoolArray = draws < expit(logit + shift)
    return result


def _demographics(
    *, profile: WorldProfile, known: BoolArray, rng: np.random.Generator
) -> dict[str, IntArray]:
    """Codes by the frequencies among households with demographics; independent of each other."""
    codes = {}
    for name, facts in profile.demographics.items():
        place = np.searchsorted(np.cumsum(facts.shares), rng.uniform(size=len(known)), side="right")
        code = np.where(place < len(facts.shares), place + 1, 0)
        codes[name] = np.where(known, code, 0).astype(np.int64)
    return codes


def _drift(
    *, profile: WorldProfile, parameters: SimulationParameters, rng: np.random.Generator
) -> FloatArray:
    """Stationary log-normal autoregression by week, mean 1 in every week."""
    n_weeks = -(-parameters.span.days // DAYS_PER_WEEK)
    sd = parameters.spend.frailty_scale * np.sqrt(np.log1p(profile.weekly_variance))
    decay = profile.weekly_decay
    shocks = rng.standard_normal((n_weeks, parameters.n_households))
    level = np.empty_like(shocks)
    level[0] = shocks[0]
    for week in range(1, n_weeks):
        level[week] = decay * level[week - 1] + np.sqrt(1.0 - decay**2) * shocks[week]
    result: FloatArray = np.exp(sd * level.T - sd**2 / 2.0)
    return result
