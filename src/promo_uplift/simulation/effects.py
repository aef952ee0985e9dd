"""Effect functions: what a mailing does to a household's spend, USD over the effect's days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.simulation.households import Households
from promo_uplift.simulation.parameters import EffectFunction, EffectParameters
from promo_uplift.simulation.standardise import standardised


def household_effects(*, households: Households, parameters: EffectParameters) -> FloatArray:
    """Effect of a mailing on each household's spend, USD over ``parameters.days``, ``(H,)``.

    Functions of traits that show in the covariates: visits, basket, discounts, private labels.
    ``mean_usd`` is the mean over all households; ``sd_usd`` their standard deviation for
    ``linear``, ``nonlinear`` and ``sign_changing``, while ``constant`` has none and ``sparse`` the
    one that its share implies.
    """
    scores = {
        "visits": standardised(np.log(households.visits_per_day)),
        "basket": standardised(np.log(households.basket_usd)),
        "discount": standardised(households.discount_rate),
        "private": standardised(households.private_share),
    }
    return EFFECT_FUNCTIONS[parameters.function](scores, parameters)


def _zero(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    return np.zeros(len(scores["visits"]))


def _constant(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    return np.full(len(scores["visits"]), parameters.mean_usd)


def _slope(scores: dict[str, FloatArray]) -> FloatArray:
    """Rise with discounts and visits, fall with private labels."""
    return standardised(
        scores["discount"] + scores["visits"] + 0.5 * scores["basket"] - 0.5 * scores["private"]
    )


def _linear(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    return parameters.mean_usd + parameters.sd_usd * _slope(scores)


def _nonlinear(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    """Add up a hump over visits, an interaction and a step."""
    shape = (
        np.exp(-(scores["visits"] ** 2))
        + 0.5 * scores["discount"] * scores["basket"]
        + (scores["discount"] > 0.5)
    )
    return parameters.mean_usd + parameters.sd_usd * standardised(shape)


def _sparse(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    """Only the households that live on discounts most respond, all alike."""
    floor = np.quantile(scores["discount"], 1.0 - parameters.sparse_share)
    responds = scores["discount"] >= floor
    return np.where(responds, parameters.mean_usd / responds.mean(), 0.0)


def _sign_changing(scores: dict[str, FloatArray], parameters: EffectParameters) -> FloatArray:
    return parameters.mean_usd + parameters.sd_usd * standardised(np.tanh(2.0 * _slope(scores)))


EFFECT_FUNCTIONS: Final[
    Mapping[EffectFunction, Callable[[dict[str, FloatArray], EffectParameters], FloatArray]]
] = {
    "zero": _zero,
    "constant": _constant,
    "linear": _linear,
    "nonlinear": _nonlinear,
    "sparse": _sparse,
    "sign_changing": _sign_changing,
}
