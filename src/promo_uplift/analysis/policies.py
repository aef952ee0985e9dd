"""Every configured policy on the trials: what it sees, what it is worth, its rule in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from promo_uplift.contracts.parameters import (
    EstimationParameters,
    MetricParameters,
    PoliciesParameters,
    PolicyParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.metrics import Selection
from promo_uplift.policy import (
    ObservedRows,
    PolicyInputs,
    PolicySuite,
    build_policies,
    policy_scores,
    value_suite,
)
from promo_uplift.tuning import cross_fitted_errors


def policy_learner(*, selection: Selection, policies: PoliciesParameters) -> str:
    """Return the learner whose effects the policies use."""
    return selection.champion if policies.learner == "champion" else selection.shown


def compare_policies(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    selection: Selection,
    estimation: EstimationParameters,
    policies: PoliciesParameters,
    policy: PolicyParameters,
    metrics: MetricParameters,
    seed: int,
    segment: np.ndarray | None = None,
) -> PolicySuite:
    """Value every configured policy where it was not fitted, USD per household.

    ``segment`` is the segment of each row ``(n,)``, made without outcomes; None: nobody made any.

    Raises
    ------
    PolicyError
        If a policy or a setting is unknown or wrong.
    """
    built = build_policies(policies)
    fitted = cross_fitted[policy_learner(selection=selection, policies=policies)]
    return value_suite(
        policies=built,
        inputs=PolicyInputs(
            covariates=data.covariates,
            cate=fitted.cate,
            cate_se=cross_fitted_errors(
                fitted=fitted,
                data=data,
                nuisances=nuisances,
                n_replicates=policies.error_replicates,
                seed=seed,
                n_workers=estimation.n_workers,
            ),
            redemption=nuisances.redemption,
            response=cross_fitted["response"].cate,
            groups=data.groups,
            campaign=data.campaign,
            fold=nuisances.fold,
            treatment=data.treatment,
            segment=segment,
        ),
        scores=policy_scores(data=data, nuisances=nuisances, parameters=policy),
        observed=ObservedRows(
            treatment=data.treatment,
            outcome=data.outcome,
            redeemed=data.redeemed,
            propensity=nuisances.held_out().propensity,
        ),
        parameters=policy,
        intervals=metrics,
        seed=seed,
        n_workers=estimation.n_workers,
    )
