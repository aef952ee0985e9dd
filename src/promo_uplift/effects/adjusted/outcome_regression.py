"""Effects from regressions of the outcome on the covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.effects.adjusted.effect import (
    AdjustedEffect,
    from_contributions,
    no_effect,
    single_arm,
)
from promo_uplift.effects.adjusted.regression import (
    Design,
    covariate_design,
    independent_columns,
    least_squares,
)
from promo_uplift.effects.adjusted.sample import Sample


@dataclass(frozen=True, slots=True)
class RegressionRules:
    """When a regression on covariates is an answer.

    Attributes
    ----------
    rank_tolerance : float
        A column is redundant if earlier ones leave at most this share of it.
    rows_per_column : float
        Fewest rows of an arm, per column, of a regression within that arm.
    """

    rank_tolerance: float
    rows_per_column: float


def regression_effects(*, sample: Sample, rules: RegressionRules) -> tuple[AdjustedEffect, ...]:
    """OLS with covariates, and a regression per arm (Lin) for ATE and ATT.

    Redundant covariates are left out and counted in ``note``. There is no estimate, with a reason,
    where covariates tell the arms apart fully, or where an arm has too few rows for the columns or
    does not vary in one of them.
    """
    names = (
        ("ols", "regression_weighted"),
        ("ols_interacted", "ate"),
        ("ols_interacted", "att"),
    )
    if reason := single_arm(sample):
        labels = [sample.label(estimator=one, estimand=of) for one, of in names]
        return tuple(no_effect(sample=sample, label=label, reason=reason) for label in labels)
    design = covariate_design(
        covariates=sample.data.covariates,
        campaign=sample.data.campaign,
        rank_tolerance=rules.rank_tolerance,
    )
    return (
        _ols(sample=sample, design=design, rules=rules),
        _interacted(sample=sample, design=design, rules=rules, estimand="ate"),
        _interacted(sample=sample, design=design, rules=rules, estimand="att"),
    )


def _ols(*, sample: Sample, design: Design, rules: RegressionRules) -> AdjustedEffect:
    label = sample.label(estimator="ols", estimand="regression_weighted")
    n, k = design.matrix.shape
    treatment = sample.data.treatment.astype(np.float64)
    values = np.column_stack([design.matrix, treatment])
    if n <= k + 1:
        return no_effect(sample=sample, label=label, reason=f"{n} rows for {k + 1} columns")
    if not independent_columns(values=values, tolerance=rules.rank_tolerance)[-1]:
        return no_effect(
            sample=sample, label=label, reason="the covariates add up to the treatment"
        )
    residual = least_squares(values=design.matrix, target=treatment).residuals
    fit = least_squares(values=values, target=sample.data.outcome)
    # the small-sample factor of a cluster-robust error, beside households / (households - 1)
    small = np.sqrt((n - 1) / fit.dof)
    return from_contributions(
        sample=sample,
        label=label,
        value=float(fit.coefficients[-1]),
        contributions=small * residual * fit.residuals / float(residual @ residual),
        weights=np.abs(residual),
        note=design.note,
    )


def _interacted(
    *, sample: Sample, design: Design, rules: RegressionRules, estimand: str
) -> AdjustedEffect:
    label = sample.label(estimator="ols_interacted", estimand=estimand)
    treated, outcome, values = sample.treated, sample.data.outcome, design.matrix
    arms = {"other": ~treated} if estimand == "att" else {"other": ~treated, "mailed": treated}
    for name, arm in arms.items():
        if reason := _unfit_arm(name=name, arm=arm, design=design, rules=rules):
            return no_effect(sample=sample, label=label, reason=reason)
    inside = treated if estimand == "att" else np.ones_like(treated)
    at = values[inside].mean(axis=0)
    control = _prediction(values=values, outcome=outcome, arm=~treated, at=at)
    if estimand == "att":
        fitted1, share1 = outcome, np.zeros_like(outcome)
        weights = np.where(treated, 1.0, np.abs(control.share))
        own = np.zeros_like(outcome)
    else:
        mailed = _prediction(values=values, outcome=outcome, arm=treated, at=at)
        fitted1, share1, own = mailed.fitted, mailed.share, mailed.contributions
        weights = np.abs(np.where(treated, share1, control.share))
    effects = fitted1 - control.fitted
    value = float(effects[inside].mean())
    spread = np.where(inside, effects - value, 0.0) / inside.sum()
    return from_contributions(
        sample=sample,
        label=label,
        value=value,
        contributions=spread + own - control.contributions,
        weights=weights,
        note=design.note,
    )


@dataclass(frozen=True, slots=True)
class _Prediction:
    """An arm's regression: fitted values ``(n,)``, and its mean prediction as a weighted mean."""

    fitted: FloatArray
    share: FloatArray
    contributions: FloatArray


def _prediction(
    *, values: FloatArray, outcome: FloatArray, arm: BoolArray, at: FloatArray
) -> _Prediction:
    fit = least_squares(values=values[arm], target=outcome[arm])
    share = np.zeros(len(outcome))
    share[arm] = values[arm] @ (fit.inverse @ at)
    residuals = np.zeros(len(outcome))
    residuals[arm] = fit.residuals
    small = np.sqrt((int(arm.sum()) - 1) / fit.dof)
    return _Prediction(values @ fit.coefficients, share, small * share * residuals)


def _unfit_arm(*, name: str, arm: BoolArray, design: Design, rules: RegressionRules) -> str:
    n, k = int(arm.sum()), design.matrix.shape[1]
    if n < rules.rows_per_column * k or n <= k:
        return f"the {name} arm has {n} rows for {k} columns"
    keep = independent_columns(values=design.matrix[arm], tolerance=rules.rank_tolerance)
    if keep.all():
        return ""
    lost = [name for name, kept in zip(design.columns, keep, strict=True) if not kept]
    return f"within the {name} arm these columns add nothing: {', '.join(lost)}"
