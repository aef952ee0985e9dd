"""Estimators that adjust for what was known before the mailing, side by side."""

from __future__ import annotations

import numpy as np

from promo_uplift.effects.adjusted.dose import partially_linear_terms
from promo_uplift.effects.adjusted.effect import (
    AdjustedEffect,
    from_contributions,
    from_terms,
    no_effect,
    single_arm,
)
from promo_uplift.effects.adjusted.outcome_regression import RegressionRules, regression_effects
from promo_uplift.effects.adjusted.sample import Sample
from promo_uplift.effects.adjusted.weights import balancing_weights, weighted_difference
from promo_uplift.effects.cross_section import effect_terms

#: Estimator, estimand and weights of the differences of weighted means.
WEIGHTED = (
    ("naive", "difference", "unweighted"),
    ("ipw", "ate", "ipw_ate"),
    ("ipw", "att", "ipw_att"),
    ("overlap_weights", "ato", "ato"),
)
#: Estimand and weights of the doubly robust effects, by the name of their terms.
DOUBLY_ROBUST = {
    "aipw_ate": ("ate", "ipw_ate"),
    "aipw_att": ("att", "ipw_att"),
    "aipw_ate_overlap": ("ate_overlap", "ipw_ate"),
}


def adjusted_effects(
    *, sample: Sample, overlap: tuple[float, float], rules: RegressionRules
) -> tuple[AdjustedEffect, ...]:
    """Every cross-sectional estimator on the same rows, in the outcome's unit.

    ================= ======================= ====================================================
    estimator         estimand                what
    ================= ======================= ====================================================
    naive             difference              difference of means; confounded, for contrast
    ols               regression_weighted     coefficient of the mailing beside the covariates
    ols_interacted    ate, att                a regression per arm (Lin), at the population's mean
    ipw               ate, att                inverse propensity weights that add up to 1 (Hájek)
    overlap_weights   ato                     weights 1 - e and e
    aipw              ate, att, ate_overlap   doubly robust
    plr               ato                     partially linear, residual on residual
    ================= ======================= ====================================================

    Pooled regressions hold an indicator of each campaign. Errors are sandwich errors over household
    sums; those of ``ipw`` and ``overlap_weights`` take the propensity as given.

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    overlap : tuple of float
        Unclipped propensities between which a row is in ``ate_overlap``.
    rules : RegressionRules
        When a regression on covariates is an answer.

    Returns
    -------
    tuple of AdjustedEffect
        In the order of the table. What cannot be estimated is there with its reason.

    References
    ----------
    Lin (2013), Annals of Applied Statistics 7(1); Hájek (1971); Robins, Rotnitzky & Zhao (1994),
    JASA 89(427); Li, Morgan & Zaslavsky (2018), JASA 113(521); Robinson (1988), Econometrica 56(4);
    Chernozhukov et al. (2018), The Econometrics Journal 21(1).
    """
    weighted = weighted_effects(sample=sample)
    return (
        weighted[0],
        *regression_effects(sample=sample, rules=rules),
        *weighted[1:],
        *doubly_robust_effects(sample=sample, overlap=overlap),
        partially_linear_effect(sample=sample),
    )


def weighted_effects(*, sample: Sample) -> tuple[AdjustedEffect, ...]:
    """Differences of weighted means: naive, IPW of ATE and ATT, overlap weights."""
    found = []
    for estimator, estimand, scheme in WEIGHTED:
        label = sample.label(estimator=estimator, estimand=estimand)
        if reason := single_arm(sample):
            found.append(no_effect(sample=sample, label=label, reason=reason))
            continue
        weights = balancing_weights(
            scheme=scheme, treated=sample.treated, propensity=sample.nuisances.propensity
        )
        value, contributions = weighted_difference(
            treated=sample.treated, outcome=sample.data.outcome, weights=weights
        )
        found.append(
            from_contributions(
                sample=sample,
                label=label,
                value=value,
                contributions=contributions,
                weights=weights,
            )
        )
    return tuple(found)


def doubly_robust_effects(
    *, sample: Sample, overlap: tuple[float, float]
) -> tuple[AdjustedEffect, ...]:
    """AIPW of ATE, ATT and of the ATE where the unclipped propensity lies in ``overlap``."""
    labels = {
        name: sample.label(estimator="aipw", estimand=estimand)
        for name, (estimand, _) in DOUBLY_ROBUST.items()
    }
    if reason := single_arm(sample):
        return tuple(
            no_effect(sample=sample, label=label, reason=reason) for label in labels.values()
        )
    terms = {
        one.estimand: one
        for one in effect_terms(
            treatment=sample.data.treatment,
            outcome=sample.data.outcome,
            nuisances=sample.nuisances,
            raw_propensity=sample.raw_propensity,
            overlap_low=overlap[0],
            overlap_high=overlap[1],
        )
    }
    return tuple(
        from_terms(
            sample=sample,
            label=label,
            terms=terms[name],
            weights=balancing_weights(
                scheme=DOUBLY_ROBUST[name][1],
                treated=sample.treated,
                propensity=sample.nuisances.propensity,
            ),
        )
        for name, label in labels.items()
    )


def partially_linear_effect(*, sample: Sample) -> AdjustedEffect:
    """Residual on residual: the effect weighted by the variance of the treatment."""
    label = sample.label(estimator="plr", estimand="ato")
    if reason := single_arm(sample):
        return no_effect(sample=sample, label=label, reason=reason)
    treatment = sample.data.treatment.astype(np.float64)
    return from_terms(
        sample=sample,
        label=label,
        terms=partially_linear_terms(
            dose=treatment,
            outcome=sample.data.outcome,
            dose_mean=sample.nuisances.propensity,
            outcome_mean=sample.nuisances.outcome_mean,
        ),
        weights=np.abs(treatment - sample.nuisances.propensity),
    )
