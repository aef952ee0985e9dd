"""How strong something unmeasured would have to be to explain the effect away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import IntArray
from promo_uplift.effects.adjusted.outcome_regression import RegressionRules
from promo_uplift.effects.adjusted.regression import (
    Design,
    LinearFit,
    covariate_design,
    independent_columns,
    least_squares,
)
from promo_uplift.effects.adjusted.sample import Sample


def robustness_value(*, t: float, dof: int, share: float, alpha: float | None) -> float:
    """Share of the residual variance of both treatment and outcome that would do it (0 to 1).

    Parameters
    ----------
    t : float
        t-statistic of the treatment's coefficient.
    dof : int
        Residual degrees of freedom.
    share : float
        Share of the estimate to take away; 1: all.
    alpha : float or None
        Take it below significance at this level; None: take it away.

    References
    ----------
    Cinelli & Hazlett (2020), J. Royal Statistical Society B 82(1).
    """
    f = share * abs(t) / np.sqrt(dof)
    critical = (
        0.0 if alpha is None else float(student.ppf(1.0 - alpha / 2.0, dof - 1)) / np.sqrt(dof - 1)
    )
    left = f - critical
    if left < 0.0:
        return 0.0
    if critical > 0.0 and f > 1.0 / critical:
        return float((f**2 - critical**2) / (1.0 + f**2))
    return float((np.sqrt(left**4 + 4.0 * left**2) - left**2) / 2.0)


def adjusted_coefficient(
    *, estimate: float, se: float, dof: int, r2_treatment: float, r2_outcome: float
) -> tuple[float, float]:
    """Coefficient and error if a confounder of this strength were adjusted for.

    Parameters
    ----------
    estimate, se : float
        Coefficient and its classical error, in the outcome's unit.
    dof : int
        Residual degrees of freedom.
    r2_treatment, r2_outcome : float
        Partial R2 of the confounder with the treatment, and with the outcome beside it. It is
        taken to work against the estimate.

    References
    ----------
    Cinelli & Hazlett (2020), eqs. (13)-(14).
    """
    bias = se * np.sqrt(dof) * np.sqrt(r2_outcome * r2_treatment / (1.0 - r2_treatment))
    new_se = se * np.sqrt((1.0 - r2_outcome) / (1.0 - r2_treatment) * dof / (dof - 1))
    return float(np.sign(estimate) * (abs(estimate) - bias)), float(new_se)


@dataclass(frozen=True, slots=True)
class RegressionSensitivity:
    """How fragile the coefficient of a regression on covariates is.

    Attributes
    ----------
    campaign : str
        Campaign id as text, or ``pooled``.
    estimate, se : float
        Coefficient of the treatment and its **classical** error, in the outcome's unit: what the
        formulas are made for. The error of the reported estimate is the clustered one.
    dof : int
        Residual degrees of freedom.
    partial_r2 : float
        Share of the outcome's residual variance that the treatment explains: a confounder that
        explains all of the outcome's would need this share of the treatment's.
    robustness_value, robustness_value_significance : float
        Of the estimate, and of its significance.
    benchmarks : DataFrame
        From observed covariates: ``covariate, multiple, r2_treatment, r2_outcome, estimate, se,
        ci_low, ci_high, reason``; one row per covariate and multiple.
    reason : str
        Why there is nothing; empty where there is.
    """

    campaign: str
    estimate: float
    se: float
    dof: int
    partial_r2: float
    robustness_value: float
    robustness_value_significance: float
    benchmarks: pd.DataFrame
    reason: str = ""


def regression_sensitivity(
    *, sample: Sample, covariates: Sequence[str], multiples: Sequence[float], rules: RegressionRules
) -> RegressionSensitivity:
    """Sensitivity of OLS with covariates to a confounder as strong as some of them.

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    covariates : sequence of str
        Observed covariates to measure a confounder by; one with missing values counts together
        with its indicator.
    multiples : sequence of float
        How many times as strong as that covariate, with treatment and outcome alike.
    rules : RegressionRules
        When a column is redundant.

    Raises
    ------
    MetricError
        If a covariate is unknown.

    References
    ----------
    Cinelli & Hazlett (2020), J. Royal Statistical Society B 82(1), sections 4.2-4.4.
    """
    known = [str(name) for name in sample.data.covariates.columns]
    if unknown := [name for name in covariates if name not in known]:
        raise MetricError(f"`covariates` must be among {known}, found {unknown}.")
    design = covariate_design(
        covariates=sample.data.covariates,
        campaign=sample.data.campaign,
        rank_tolerance=rules.rank_tolerance,
    )
    treatment = sample.data.treatment.astype(np.float64)
    values = np.column_stack([design.matrix, treatment])
    if len(values) <= values.shape[1] + 1:
        return _nothing(sample, f"{len(values)} rows for {values.shape[1]} columns")
    if not independent_columns(values=values, tolerance=rules.rank_tolerance)[-1]:
        return _nothing(sample, "the covariates add up to the treatment")
    fit = least_squares(values=values, target=sample.data.outcome)
    of_treatment = least_squares(values=design.matrix, target=treatment)
    estimate = float(fit.coefficients[-1])
    se = float(np.sqrt(fit.variance * fit.inverse[-1, -1]))
    t, alpha = estimate / se, 1.0 - sample.level
    rows = [
        {"covariate": name, "multiple": multiple}
        | _benchmark(
            strengths=(
                _partial_r2(of_treatment, columns=_columns(design, name)),
                _partial_r2(fit, columns=_columns(design, name)),
            ),
            multiple=multiple,
            estimate=estimate,
            se=se,
            dof=fit.dof,
            alpha=alpha,
        )
        for name in covariates
        for multiple in multiples
    ]
    return RegressionSensitivity(
        campaign=sample.campaign,
        estimate=estimate,
        se=se,
        dof=fit.dof,
        partial_r2=t**2 / (t**2 + fit.dof),
        robustness_value=robustness_value(t=t, dof=fit.dof, share=1.0, alpha=None),
        robustness_value_significance=robustness_value(t=t, dof=fit.dof, share=1.0, alpha=alpha),
        benchmarks=pd.DataFrame(rows, columns=list(_BENCHMARK_COLUMNS)),
    )


_BENCHMARK_COLUMNS = (
    "covariate",
    "multiple",
    "r2_treatment",
    "r2_outcome",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "reason",
)


def _nothing(sample: Sample, reason: str) -> RegressionSensitivity:
    nan = float("nan")
    table = pd.DataFrame(columns=list(_BENCHMARK_COLUMNS))
    return RegressionSensitivity(sample.campaign, nan, nan, 0, nan, nan, nan, table, reason)


def _columns(design: Design, covariate: str) -> IntArray:
    return np.flatnonzero(np.array(design.source) == covariate)


def _partial_r2(fit: LinearFit, *, columns: IntArray) -> float:
    """Partial R2 of a group of columns, from their Wald statistic."""
    if len(columns) == 0:
        return float("nan")
    part = fit.coefficients[columns]
    inverse = fit.inverse[np.ix_(columns, columns)]
    wald = float(part @ np.linalg.solve(inverse, part)) / fit.variance
    return wald / (wald + fit.dof)


def _benchmark(
    *,
    strengths: tuple[float, float],
    multiple: float,
    estimate: float,
    se: float,
    dof: int,
    alpha: float,
) -> dict[str, float | str]:
    with_treatment, with_outcome = strengths
    nan = float("nan")
    nothing: dict[str, float | str] = dict.fromkeys(_BENCHMARK_COLUMNS[2:-1], nan)
    if np.isnan(with_treatment):
        return nothing | {"reason": "the covariate is redundant beside the others"}
    r2_treatment = multiple * with_treatment / (1.0 - with_treatment)
    if r2_treatment >= 1.0:
        return nothing | {"reason": "no confounder can be that strong with the treatment"}
    # the implied correlation of confounder and covariate once the treatment is given
    linked = (
        multiple * with_treatment**2 / ((1.0 - multiple * with_treatment) * (1.0 - with_treatment))
    )
    if linked >= 1.0:
        return nothing | {"reason": "no confounder can be that strong with the treatment"}
    r2_outcome = (
        ((np.sqrt(multiple) + np.sqrt(linked)) ** 2 / (1.0 - linked))
        * with_outcome
        / (1.0 - with_outcome)
    )
    capped = min(float(r2_outcome), 1.0)
    value, error = adjusted_coefficient(
        estimate=estimate, se=se, dof=dof, r2_treatment=r2_treatment, r2_outcome=capped
    )
    half = float(student.ppf(1.0 - alpha / 2.0, dof)) * error
    return {
        "r2_treatment": r2_treatment,
        "r2_outcome": capped,
        "estimate": value,
        "se": error,
        "ci_low": value - half,
        "ci_high": value + half,
        "reason": "strength with the outcome capped at 1" if r2_outcome > 1.0 else "",
    }
