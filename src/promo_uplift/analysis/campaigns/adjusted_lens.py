"""Cross-section and matching of every campaign, with balance, sensitivity and refutations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from promo_uplift.contracts.campaign_parameters import AdjustedParameters
from promo_uplift.contracts.results import FloatArray, NuisanceValues, TrialData
from promo_uplift.effects import OverlapSummary, PlaceboEffect, manski_bounds, no_placebo
from promo_uplift.effects.adjusted import (
    AdjustedEffect,
    Refutation,
    RefuterRules,
    RegressionRules,
    Sample,
    adjusted_effects,
    adjusted_table,
    balance_summary,
    balance_table,
    caliper_path,
    campaign_samples,
    doubly_robust_effects,
    e_value,
    match_nearest,
    matched_effects,
    pooled_sample,
    redeemer_effect,
    refutations_table,
    refute,
    regression_sensitivity,
    trimming_path,
)
from promo_uplift.effects.clustered import minimum_detectable_effect
from promo_uplift.effects.estimate import Estimate
from promo_uplift.nuisance.linear import LinearNuisances, linear_nuisances
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.trials import household_folds

ATT: Final = "att"


@dataclass(frozen=True, slots=True)
class AdjustedSettings:
    """What the lens takes beside its own parameters.

    Attributes
    ----------
    outcome : str
        Name of the outcome.
    level, power : float
        Confidence level; power of the smallest detectable effects.
    overlap : tuple of float
        Propensities between which a row is in the overlap.
    placebo_days : int
        Days by which the placebo trials precede the mailing.
    max_smd : float
        Standardised mean difference up to which a covariate is balanced.
    seed : int
        Of folds, matching order and refuters.
    """

    outcome: str
    level: float
    power: float
    overlap: tuple[float, float]
    placebo_days: int
    max_smd: float
    seed: int


@dataclass(frozen=True, slots=True)
class AdjustedLens:
    """What cross-section and matching say of every campaign.

    Attributes
    ----------
    effects : tuple of AdjustedEffect
        Every estimator, by campaign and pooled.
    placebos : mapping of str to PlaceboEffect
        By campaign: the doubly robust effect on the mailed of spend before the mailing.
    overlaps : mapping of str to OverlapSummary
        By campaign, of the mailed: whether they have counterparts, which is what an effect on
        the mailed needs.
    matched_counts : mapping of str to (int, int)
        Mailed households, and those of them with a partner.
    caliper_sd : float
        Largest distance of a pair, standard deviations of the logit propensity.
    balance, balance_of_methods, trimming, calipers, sensitivity, benchmarks : DataFrame
        As their functions say.
    redeemers : DataFrame
        Effect of redeeming, the mailing as the instrument.
    bounds : DataFrame
        Manski bounds by campaign.
    refutations : tuple of Refutation
        Of the pooled doubly robust effect on the mailed.
    n_clipped : int
        Rows whose propensity was clipped.
    """

    effects: tuple[AdjustedEffect, ...]
    placebos: Mapping[str, PlaceboEffect]
    overlaps: Mapping[str, OverlapSummary]
    matched_counts: Mapping[str, tuple[int, int]]
    caliper_sd: float
    balance: pd.DataFrame
    balance_of_methods: pd.DataFrame
    trimming: pd.DataFrame
    calipers: pd.DataFrame
    sensitivity: pd.DataFrame
    benchmarks: pd.DataFrame
    redeemers: pd.DataFrame
    bounds: pd.DataFrame
    refutations: tuple[Refutation, ...]
    n_clipped: int

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Every estimate."""
        return tuple(one.estimate for one in self.effects)

    @property
    def campaigns(self) -> tuple[str, ...]:
        """Campaigns with a trial, ``pooled`` last."""
        return tuple(self.overlaps)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables of the lens by name."""
        return {
            "adjusted_effects": adjusted_table(self.effects),
            "campaign_placebos": _placebo_table(self.placebos),
            "balance": self.balance,
            "balance_summary": self.balance_of_methods,
            "trimming_path": self.trimming,
            "caliper_path": self.calipers,
            "confounding": self.sensitivity,
            "confounding_benchmarks": self.benchmarks,
            "redeemer_effects": self.redeemers,
            "manski_bounds": self.bounds,
            "refutations": refutations_table(self.refutations),
        }


def adjusted_lens(
    *,
    data: TrialData,
    placebo: TrialData,
    parameters: AdjustedParameters,
    settings: AdjustedSettings,
) -> AdjustedLens:
    """Estimate every campaign's effect from its trial, USD per mailed household.

    Parameters
    ----------
    data, placebo : TrialData
        Trials of all campaigns, and the same moved to before the mailing (may have no rows).
    parameters : AdjustedParameters
        Penalties, calipers, trims, refuters.
    settings : AdjustedSettings
        Outcome, level, overlap, seed.
    """
    fit = linear_fitter(parameters=parameters, seed=settings.seed)
    nuisances = fit(data)
    pooled = pooled_sample(
        data=data,
        nuisances=nuisances.held_out,
        raw_propensity=nuisances.raw_propensity,
        outcome_name=settings.outcome,
        level=settings.level,
    )
    samples = campaign_samples(pooled=pooled)
    rules = RegressionRules(parameters.rank_tolerance, parameters.rows_per_column)
    seed = derived_seed(seed=settings.seed, purpose="adjusted/matching")
    matchings = {
        one.campaign: match_nearest(sample=one, caliper=parameters.caliper_sd, seed=seed)
        for one in samples
    }
    effects = [
        found
        for one in samples
        for found in (
            *adjusted_effects(sample=one, overlap=settings.overlap, rules=rules),
            *matched_effects(sample=one, matching=matchings[one.campaign]),
        )
    ]
    balance = pd.concat(
        [
            balance_table(
                sample=one,
                matching=matchings[one.campaign],
                rank_tolerance=parameters.rank_tolerance,
            )
            for one in samples
        ],
        ignore_index=True,
    )
    sensitivity, benchmarks = _sensitivity(samples, effects, parameters, rules)
    return AdjustedLens(
        effects=tuple(effects),
        placebos=_placebos(placebo, samples, fit, settings),
        overlaps={
            one.campaign: overlap_of_mailed(
                sample=one, overlap=settings.overlap, nuisances=nuisances
            )
            for one in samples
        },
        matched_counts={name: (one.n_treated, len(one.treated)) for name, one in matchings.items()},
        caliper_sd=parameters.caliper_sd,
        balance=balance,
        balance_of_methods=balance_summary(
            table=balance,
            threshold=settings.max_smd,
            ratio_range=(parameters.variance_ratio_low, parameters.variance_ratio_high),
        ),
        trimming=_stacked(samples, lambda one: trimming_path(sample=one, trims=parameters.trims)),
        calipers=_stacked(
            samples,
            lambda one: caliper_path(sample=one, calipers=parameters.calipers_sd, seed=seed),
        ),
        sensitivity=sensitivity,
        benchmarks=benchmarks,
        redeemers=_redeemers(samples),
        bounds=_bounds(samples),
        refutations=_refutations(pooled, fit, parameters, settings),
        n_clipped=nuisances.n_clipped,
    )


def linear_fitter(
    *, parameters: AdjustedParameters, seed: int
) -> Callable[[TrialData], LinearNuisances]:
    """Return what fits held-out linear nuisances of any trials, campaign by campaign."""
    folds_seed = derived_seed(seed=seed, purpose="adjusted/folds")

    def fit(data: TrialData) -> LinearNuisances:
        fold = household_folds(groups=data.groups, n_folds=parameters.n_folds, seed=folds_seed)
        return linear_nuisances(
            data=data,
            fold=fold,
            clip=parameters.propensity_clip,
            logistic_c=parameters.logistic_c,
            ridge_alphas=parameters.ridge_alphas,
        )

    return fit


def _att(sample: Sample, overlap: tuple[float, float]) -> Estimate:
    found = doubly_robust_effects(sample=sample, overlap=overlap)
    return next(one.estimate for one in found if one.estimate.label.estimand == ATT)


def overlap_of_mailed(
    *, sample: Sample, overlap: tuple[float, float], nuisances: LinearNuisances
) -> OverlapSummary:
    """Whether the mailed of a sample have counterparts: what an effect on the mailed needs.

    A mailed household needs others like it that were not mailed, so only propensities near 1 are
    out of the overlap; those near 0 belong to households that the effect does not speak of.
    """
    treated, raw = sample.treated, sample.raw_propensity
    kept = nuisances.held_out.propensity[sample.rows][treated]
    return OverlapSummary(
        propensity_auc=float(roc_auc_score(treated, raw)),
        overlap_share=float((raw[treated] <= overlap[1]).mean()),
        clipped_share=float((kept < raw[treated]).mean()),
        low=0.0,
        high=overlap[1],
        n_rows=int(treated.sum()),
    )


def _placebos(
    placebo: TrialData,
    samples: tuple[Sample, ...],
    fit: Callable[[TrialData], LinearNuisances],
    settings: AdjustedSettings,
) -> dict[str, PlaceboEffect]:
    nothing = no_placebo(days=settings.placebo_days)
    found = {one.campaign: nothing for one in samples}
    if len(placebo.treatment) == 0:
        return found
    nuisances = fit(placebo)
    pooled = pooled_sample(
        data=placebo,
        nuisances=nuisances.held_out,
        raw_propensity=nuisances.raw_propensity,
        outcome_name=settings.outcome,
        level=settings.level,
    )
    for one in campaign_samples(pooled=pooled):
        estimate = _att(one, settings.overlap)
        if estimate.is_valid:
            found[one.campaign] = PlaceboEffect(
                effect=estimate.interval,
                mde_usd=minimum_detectable_effect(
                    se=estimate.se, level=settings.level, power=settings.power
                ),
                days=settings.placebo_days,
                n_rows=estimate.n,
                n_households=estimate.n_households,
            )
    return found


def _placebo_table(placebos: Mapping[str, PlaceboEffect]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "campaign": campaign,
                "days": one.days,
                "estimate": one.effect.estimate,
                "ci_low": one.effect.ci_low,
                "ci_high": one.effect.ci_high,
                "mde": one.mde_usd,
                "n": one.n_rows,
                "n_households": one.n_households,
                "reason": "" if one.n_rows else "the data does not cover the windows moved back",
            }
            for campaign, one in placebos.items()
        ]
    )


def _stacked(samples: tuple[Sample, ...], table: Callable[[Sample], pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table(one) for one in samples], ignore_index=True)


def _sensitivity(
    samples: tuple[Sample, ...],
    effects: list[AdjustedEffect],
    parameters: AdjustedParameters,
    rules: RegressionRules,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    doubly_robust = {
        one.estimate.label.campaign: one.estimate
        for one in effects
        if (one.estimate.label.estimator, one.estimate.label.estimand) == ("aipw", ATT)
    }
    rows, benchmarks = [], []
    for one in samples:
        names = [name for name in parameters.benchmarks if name in one.data.covariates.columns]
        found = regression_sensitivity(
            sample=one, covariates=names, multiples=parameters.benchmark_multiples, rules=rules
        )
        evidence = e_value(
            estimate=doubly_robust[one.campaign], outcome_sd=float(one.data.outcome.std())
        )
        rows.append(
            {
                "campaign": one.campaign,
                "effect": doubly_robust[one.campaign].value,
                "standardised": evidence.standardised,
                "e_value": evidence.point,
                "e_value_limit": evidence.limit,
                "ols_estimate": found.estimate,
                "ols_se": found.se,
                "partial_r2": found.partial_r2,
                "robustness_value": found.robustness_value,
                "robustness_value_significance": found.robustness_value_significance,
                "reason": found.reason or evidence.reason,
            }
        )
        benchmarks.append(found.benchmarks.assign(campaign=one.campaign))
    return pd.DataFrame(rows), pd.concat(benchmarks, ignore_index=True)


def _redeemers(samples: tuple[Sample, ...]) -> pd.DataFrame:
    found = [
        redeemer_effect(sample=one, redemption=_mean_redemption(one), population=ATT)
        for one in samples
    ]
    table = adjusted_table([one.effect for one in found])
    return table.assign(
        first_stage=[one.first_stage for one in found],
        first_stage_se=[one.first_stage_se for one in found],
        f_statistic=[one.f_statistic for one in found],
        ar_low=[one.ar_low for one in found],
        ar_high=[one.ar_high for one in found],
        ar_shape=[one.ar_shape for one in found],
    )


def _mean_redemption(sample: Sample) -> FloatArray:
    """Share of the mailed that redeemed, for every row; the effect on redeemers rests on none."""
    treated = sample.treated
    rate = float(sample.data.redeemed[treated].mean()) if treated.any() else 0.0
    return np.full(len(treated), rate)


def _bounds(samples: tuple[Sample, ...]) -> pd.DataFrame:
    rows = []
    for one in samples:
        found = manski_bounds(treatment=one.data.treatment, outcome=one.data.outcome)
        rows.append(
            {
                "campaign": one.campaign,
                "low": found.low,
                "high": found.high,
                "outcome_low": found.outcome_low,
                "outcome_high": found.outcome_high,
            }
        )
    return pd.DataFrame(rows)


def _refutations(
    pooled: Sample,
    fit: Callable[[TrialData], LinearNuisances],
    parameters: AdjustedParameters,
    settings: AdjustedSettings,
) -> tuple[Refutation, ...]:
    def estimate(data: TrialData, nuisances: NuisanceValues) -> Estimate:
        sample = replace(
            pooled,
            rows=np.ones(len(data.treatment), dtype=np.bool_),
            data=data,
            nuisances=nuisances,
            raw_propensity=nuisances.propensity,
        )
        return _att(sample, settings.overlap)

    return refute(
        data=pooled.data,
        fit_nuisances=lambda data: fit(data).held_out,
        estimate=estimate,
        rules=RefuterRules(
            n_draws=parameters.refuter_draws,
            subset_share=parameters.refuter_subset_share,
            seed=derived_seed(seed=settings.seed, purpose="adjusted/refuters"),
        ),
    )
