"""How far a campaign's households lie from those of the past that decides on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.checks.balance import standardised_differences
from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import IntArray, TrialData
from promo_uplift.effects import overlap_summary
from promo_uplift.nuisance.crossfit import held_out_predictions
from promo_uplift.policy import Support
from promo_uplift.trials import household_folds
from promo_uplift.tuning.search import data_features


@dataclass(frozen=True, slots=True)
class CovariateShift:
    """Difference between the covariates of the past and those of the campaign.

    Attributes
    ----------
    largest_smd : float
        Largest absolute standardised mean difference; missingness is a covariate of its own.
        Infinite where a covariate is one constant in the past and another in the campaign.
    worst : str
        Covariate that shows it.
    domain_auc : float
        How well held-out covariates tell the campaign from the past; .5 = not at all.
    outside_share : float
        Share of the campaign's rows outside the past's support.
    commonest_reason : str
        Most frequent reason for that; empty where all are inside.
    """

    largest_smd: float
    worst: str
    domain_auc: float
    outside_share: float
    commonest_reason: str


def covariate_shift(
    *,
    past: TrialData,
    covariates: pd.DataFrame,
    groups: IntArray,
    support: Support,
    nuisance: NuisanceParameters,
    seed: int,
) -> CovariateShift:
    """Compare a campaign's covariates with those that trained.

    Parameters
    ----------
    past : TrialData
        Rows that trained; their treatments and outcomes are not looked at.
    covariates, groups : DataFrame (m, p), int64 (m,)
        Of the campaign.
    support : Support
        Of the campaign's rows in the past.
    nuisance : NuisanceParameters
        Folds and default trees of the classifier between the two.
    seed : int
    """
    both = pd.concat([past.covariates, covariates], ignore_index=True)
    is_next = np.repeat(np.array([0, 1]), [len(past.groups), len(groups)])
    differences = standardised_differences(covariates=_observed(both, is_next), treatment=is_next)
    worst = max(differences, key=lambda name: differences[name])
    reasons = Counter(reason for reason in support.reasons if reason)
    return CovariateShift(
        largest_smd=differences[worst],
        worst=worst,
        domain_auc=_domain_auc(both, is_next, np.r_[past.groups, groups], nuisance, seed),
        outside_share=float(1.0 - support.mask.mean()),
        commonest_reason=reasons.most_common(1)[0][0] if reasons else "",
    )


def _observed(covariates: pd.DataFrame, is_next: IntArray) -> pd.DataFrame:
    """Covariates that both observe, and whether each is missing."""
    gaps = covariates.isna()
    gaps = gaps.loc[:, gaps.any()].astype("float64").add_suffix(" is missing")
    seen = [
        name
        for name in covariates.columns
        if all(covariates.loc[is_next == part, name].notna().any() for part in (0, 1))
    ]
    return pd.concat([covariates[seen], gaps], axis=1)


def _domain_auc(
    covariates: pd.DataFrame,
    is_next: IntArray,
    groups: IntArray,
    nuisance: NuisanceParameters,
    seed: int,
) -> float:
    nothing = np.zeros(len(groups))
    data = TrialData(
        covariates=covariates,
        treatment=is_next,
        outcome=nothing,
        redeemed=nothing,
        groups=groups,
        campaign=is_next,
    )
    fold = household_folds(groups=groups, n_folds=nuisance.n_folds, seed=seed)
    told = held_out_predictions(
        name="propensity",
        data=data,
        features=data_features(data=data),  # no campaign among them: it would tell
        fold=fold,
        choice=nuisance.model.defaults,
        seed=seed,
    )
    return overlap_summary(
        treatment=is_next, raw_propensity=told, n_clipped=0, fold=fold, low=0.0, high=1.0
    ).propensity_auc
