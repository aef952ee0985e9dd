"""Worlds in closed form, at the level of trials: a fraction of a second each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri

from promo_uplift.benchmark.worlds import NieWagerWorld, SpendWorld
from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.results import FloatArray, IntArray, TrialData, TrialTruth

#: Id of the only campaign of a world without several.
ONE_CAMPAIGN = 1
#: Bounds of the propensity in setup A.
TRIM = 0.1


@dataclass(frozen=True, slots=True)
class Surfaces:
    """The functions of a setup at given covariates, each ``(n,)``.

    Attributes
    ----------
    baseline : float64 (n,)
        Mean of both expected outcomes.
    propensity : float64 (n,)
        P(treated).
    cate : float64 (n,)
        Effect.
    """

    baseline: FloatArray
    propensity: FloatArray
    cate: FloatArray


def _setup_a(x: FloatArray) -> Surfaces:
    wave = np.sin(np.pi * x[:, 0] * x[:, 1])
    return Surfaces(
        baseline=wave + 2.0 * (x[:, 2] - 0.5) ** 2 + x[:, 3] + 0.5 * x[:, 4],
        propensity=np.clip(wave, TRIM, 1.0 - TRIM),
        cate=(x[:, 0] + x[:, 1]) / 2.0,
    )


def _setup_b(x: FloatArray) -> Surfaces:
    first = np.maximum(np.maximum(x[:, 0] + x[:, 1], x[:, 2]), 0.0)
    return Surfaces(
        baseline=first + np.maximum(x[:, 3] + x[:, 4], 0.0),
        propensity=np.full(len(x), 0.5),
        cate=x[:, 0] + np.log1p(np.exp(x[:, 1])),
    )


def _setup_c(x: FloatArray) -> Surfaces:
    return Surfaces(
        baseline=2.0 * np.log1p(np.exp(x[:, 0] + x[:, 1] + x[:, 2])),
        propensity=expit(-(x[:, 1] + x[:, 2])),
        cate=np.ones(len(x)),
    )


def _setup_d(x: FloatArray) -> Surfaces:
    up = np.maximum(x[:, 0] + x[:, 1] + x[:, 2], 0.0)
    down = np.maximum(x[:, 3] + x[:, 4], 0.0)
    return Surfaces(
        baseline=(up + down) / 2.0,
        propensity=1.0 / (1.0 + np.exp(-x[:, 0]) + np.exp(-x[:, 1])),
        cate=up - down,
    )


SETUPS = {"a": _setup_a, "b": _setup_b, "c": _setup_c, "d": _setup_d}


def nie_wager_surfaces(*, setup: str, covariates: FloatArray) -> Surfaces:
    """Baseline, propensity and effect of a setup of Nie & Wager (2021), each ``(n,)``.

    ``a``: difficult nuisances and an easy effect; ``b``: a randomised trial; ``c``: an easy
    propensity, a difficult baseline and one effect for all; ``d``: unrelated arms.

    References
    ----------
    Nie & Wager (2021), *Biometrika* 108(2), 299-319, section 4, doi:10.1093/biomet/asaa076.
    """
    return SETUPS[setup](covariates)


def nie_wager_trials(
    *, world: NieWagerWorld, n_households: int, rng: np.random.Generator
) -> tuple[TrialData, TrialTruth]:
    r"""Trials and truth of a setup: :math:`Y = b(X) + (T - 1/2)\,\tau(X) + \sigma\varepsilon`.

    Covariates are uniform on the unit cube in setup ``a`` and standard normal elsewhere.
    """
    shape = (n_households, world.n_covariates)
    x = rng.uniform(size=shape) if world.setup == "a" else rng.normal(size=shape)
    surfaces = nie_wager_surfaces(setup=world.setup, covariates=x)
    treatment = (rng.uniform(size=n_households) < surfaces.propensity).astype(np.int64)
    mu0 = surfaces.baseline - surfaces.cate / 2.0
    noise = world.noise_sd * rng.normal(size=n_households)
    return _trials(
        x=x,
        treatment=treatment,
        outcome=mu0 + treatment * surfaces.cate + noise,
        groups=np.arange(n_households, dtype=np.int64),
        campaign=np.full(n_households, ONE_CAMPAIGN, dtype=np.int64),
        truth=TrialTruth(
            cate=surfaces.cate,
            propensity=surfaces.propensity,
            mu0=mu0,
            mu1=mu0 + surfaces.cate,
        ),
    )


def effect_surface(*, world: SpendWorld, driver: FloatArray) -> FloatArray:
    """Effect of the mailing at a standard normal covariate ``driver``, USD, ``(n,)``.

    ``linear`` runs from 0 to twice the mean along the covariate's rank; ``sparse`` is 0 but for
    the top ``responding_share``; ``sign_changing`` runs from minus to plus twice ``effect_usd``,
    with mean 0.
    """
    size = world.effect_usd
    rank = ndtr(driver)
    surfaces: dict[str, FloatArray] = {
        "zero": np.zeros_like(driver),
        "constant": np.full_like(driver, size),
        "linear": 2.0 * size * rank,
        "sparse": np.where(
            driver > ndtri(1.0 - world.responding_share), size / world.responding_share, 0.0
        ),
        "sign_changing": 2.0 * size * (2.0 * rank - 1.0),
    }
    return surfaces[world.effect]


def spend_trials(
    *, world: SpendWorld, n_households: int, rng: np.random.Generator
) -> tuple[TrialData, TrialTruth]:
    r"""Trials and truth of a world of spend, one row per household and campaign.

    Covariates are standard normal, half of their variance the household's own. With :math:`z`
    the standardised sum of the first three, :math:`u` the hidden trait and :math:`k` the
    ``baseline_spread``

    .. math::

        \mu_0 = base\, \tfrac{1}{2}(1 + e^{k z - k^2/2})\, e^{h u - h^2/2}, \qquad
        \operatorname{logit} e = s\,(x_1 + x_2)/\sqrt{2} + h u, \qquad
        \mu_1 = \mu_0 + \tau(x_4)

    and spend is :math:`\mu_T` times a lognormal with mean 1 whose normal part is shared between
    a household's rows, times :math:`B/(1 - zero\_share)` with :math:`B` whether it came at all.
    So ``mu0``, ``mu1`` and ``cate`` are exact conditional means given covariates and the trait.

    Raises
    ------
    ConfigurationError
        If an effect would make expected spend negative.
    """
    groups = np.repeat(np.arange(n_households, dtype=np.int64), world.n_campaigns)
    n = len(groups)
    household = rng.normal(size=(n_households, world.n_covariates))[groups]
    x = np.sqrt(0.5) * household + np.sqrt(0.5) * rng.normal(size=(n, world.n_covariates))
    hidden = rng.normal(size=n_households)[groups]
    log_spend = world.baseline_spread * x[:, :3].sum(axis=1) / np.sqrt(3.0)
    loading = world.hidden_confounding
    mu0 = (
        world.base_usd
        * 0.5
        * (1.0 + np.exp(log_spend - world.baseline_spread**2 / 2.0))
        * np.exp(loading * hidden - loading**2 / 2.0)
    )
    cate = effect_surface(world=world, driver=x[:, 3])
    mu1 = mu0 + cate
    n_negative = int(np.sum(mu1 < 0.0))
    if n_negative:
        raise ConfigurationError(
            f"`effect_usd` must leave expected spend at 0 or more; {n_negative} of {n} rows would "
            f"fall below with {world.effect} effects of {world.effect_usd} USD. Lower it, or raise "
            "`base_usd`."
        )
    odds = world.log_odds_sd * x[:, :2].sum(axis=1) / np.sqrt(2.0) + loading * hidden
    propensity = expit(odds)
    treatment = (rng.uniform(size=n) < propensity).astype(np.int64)
    shared = np.sqrt(world.household_share) * rng.normal(size=n_households)[groups]
    own = np.sqrt(1.0 - world.household_share) * rng.normal(size=n)
    tail = np.exp(world.log_spend_sd * (shared + own) - world.log_spend_sd**2 / 2.0)
    came = (rng.uniform(size=n) >= world.zero_share) / (1.0 - world.zero_share)
    return _trials(
        x=x,
        treatment=treatment,
        outcome=np.where(treatment == 1, mu1, mu0) * tail * came,
        groups=groups,
        campaign=np.tile(np.arange(1, world.n_campaigns + 1, dtype=np.int64), n_households),
        truth=TrialTruth(cate=cate, propensity=propensity, mu0=mu0, mu1=mu1),
    )


def _trials(
    *,
    x: FloatArray,
    treatment: IntArray,
    outcome: FloatArray,
    groups: IntArray,
    campaign: IntArray,
    truth: TrialTruth,
) -> tuple[TrialData, TrialTruth]:
    names = [f"x{number + 1}" for number in range(x.shape[1])]
    return TrialData(
        covariates=pd.DataFrame(x, columns=names),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(len(treatment)),
        groups=groups,
        campaign=campaign,
    ), truth
