"""The effect of redeeming, with the mailing as the instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues
from promo_uplift.effects.adjusted.effect import (
    AdjustedEffect,
    from_terms,
    no_effect,
    single_arm,
)
from promo_uplift.effects.adjusted.sample import Sample
from promo_uplift.effects.adjusted.weights import balancing_weights
from promo_uplift.effects.cross_section import EffectTerms
from promo_uplift.effects.estimate import clustered_influence
from promo_uplift.nuisance.scores import dr_scores

#: What the effect of redeeming takes for granted beside what the effect of the mailing does.
EXCLUSION: Final = (
    "exclusion: a mailing changes the outcome of those who redeem only, and only through the "
    "redemption; advertising that works without a coupon breaks it"
)
#: Estimand of each population of the mailing's effect.
LOCAL: Final = {"ate": "late", "att": "latt"}


@dataclass(frozen=True, slots=True)
class InstrumentEffect:
    """The effect of redeeming a coupon of the campaign, in the outcome's unit.

    Attributes
    ----------
    effect : AdjustedEffect
        Effect on those whom a mailing makes redeem; its note states the exclusion restriction.
    first_stage, first_stage_se : float
        Share of households that a mailing makes redeem, and its error.
    f_statistic : float
        Square of their ratio: the strength of the instrument. NaN where there is no estimate.
    ar_low, ar_high : float
        Ends of the Anderson-Rubin confidence set, which holds the truth at its level however weak
        the instrument is. Infinite where it has no end.
    ar_shape : str
        ``interval``: between the ends; ``rays``: outside them; ``line``: everything; empty: none.
    """

    effect: AdjustedEffect
    first_stage: float
    first_stage_se: float
    f_statistic: float
    ar_low: float
    ar_high: float
    ar_shape: str


def redeemer_effect(*, sample: Sample, redemption: FloatArray, population: str) -> InstrumentEffect:
    r"""Ratio of two doubly robust effects of the mailing: on the outcome, and on redemption.

    .. math:: \hat\theta = \sum_i \Gamma_i^Y / \sum_i \Gamma_i^D

    Only the mailed can redeem, so nobody redeems without a mailing, :math:`\mu_0^D = 0`, and the
    effect is that of redeeming among those who would if mailed: of all eligible (``late``), or of
    the mailed (``latt``, the redeemers themselves).

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    redemption : float64 (n,)
        Held-out P(redeems | covariates, mailed) of the same rows.
    population : str
        ``ate`` or ``att``: whose mailing.

    Returns
    -------
    InstrumentEffect
        Without a figure, with a reason, if an arm is empty, nobody redeemed, or somebody redeemed
        who was not mailed.

    References
    ----------
    Imbens & Angrist (1994), Econometrica 62(2); Tan (2006), JASA 101(476) (doubly robust ratio);
    Frölich (2007), J. Econometrics 139(1); Anderson & Rubin (1949), Annals of Mathematical
    Statistics 20(1); Fieller (1954), J. Royal Statistical Society B 16(2).
    """
    label = sample.label(estimator="wald_aipw", estimand=LOCAL[population])
    redeemed, treated = sample.data.redeemed, sample.treated
    strays = int(((redeemed > 0.0) & ~treated).sum())
    reason = single_arm(sample)
    if not reason and strays:
        reason = f"{strays} rows redeemed without a mailing: noncompliance is not one-sided"
    if not reason and not (redeemed > 0.0).any():
        reason = "nobody redeemed"
    nan = float("nan")
    if reason:
        nothing = no_effect(sample=sample, label=label, reason=reason)
        return InstrumentEffect(nothing, nan, nan, nan, nan, nan, "")
    zeros = np.zeros_like(redeemed)
    numerator = _scores(sample, sample.data.outcome, sample.nuisances, population)
    denominator = _scores(
        sample,
        redeemed,
        NuisanceValues(sample.nuisances.propensity, zeros, redemption),
        population,
    )
    shape = _moments(numerator=numerator, denominator=denominator, groups=sample.data.groups)
    f = (shape.share / shape.share_se) ** 2
    low, high, kind = shape.anderson_rubin(level=sample.level)
    effect = from_terms(
        sample=sample,
        label=label,
        terms=EffectTerms(
            LOCAL[population], np.ones_like(treated), numerator, denominator, np.abs(denominator)
        ),
        weights=balancing_weights(
            scheme=f"ipw_{population}",
            treated=treated,
            propensity=sample.nuisances.propensity,
        ),
        note=EXCLUSION,
    )
    return InstrumentEffect(effect, shape.share, shape.share_se, f, low, high, kind)


def _scores(
    sample: Sample, outcome: FloatArray, nuisances: NuisanceValues, population: str
) -> FloatArray:
    """Terms whose mean is the effect of the mailing on ``outcome``, ``(n,)``."""
    treatment = sample.data.treatment
    if population == "ate":
        return dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances)
    odds = nuisances.propensity / (1.0 - nuisances.propensity)
    terms = (outcome - nuisances.mu0) * np.where(sample.treated, 1.0, -odds)
    return np.asarray(terms / sample.treated.mean(), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Both effects of the mailing with the variances and covariance of their errors."""

    effect: float
    share: float
    effect_variance: float
    covariance: float
    share_variance: float

    @property
    def share_se(self) -> float:
        return float(np.sqrt(self.share_variance))

    def anderson_rubin(self, *, level: float) -> tuple[float, float, str]:
        r"""Ratios :math:`\theta` for which :math:`a - \theta d` is not told from 0."""
        z2 = float(norm.ppf(0.5 + level / 2.0)) ** 2
        square = self.share**2 - z2 * self.share_variance
        linear = self.effect * self.share - z2 * self.covariance
        constant = self.effect**2 - z2 * self.effect_variance
        inside = linear**2 - square * constant
        if inside < 0.0 or square == 0.0:
            return -np.inf, np.inf, "line"
        ends = sorted((linear + sign * np.sqrt(inside)) / square for sign in (-1.0, 1.0))
        return float(ends[0]), float(ends[1]), "interval" if square > 0.0 else "rays"


def _moments(*, numerator: FloatArray, denominator: FloatArray, groups: IntArray) -> _Moments:
    n = len(groups)
    effect, share = float(numerator.mean()), float(denominator.mean())
    of_effect, _ = clustered_influence(contributions=(numerator - effect) / n, groups=groups)
    of_share, _ = clustered_influence(contributions=(denominator - share) / n, groups=groups)
    small = len(of_effect) / (len(of_effect) - 1)
    a, d = of_effect.to_numpy(), of_share.to_numpy()
    return _Moments(effect, share, small * float(a @ a), small * float(a @ d), small * float(d @ d))
