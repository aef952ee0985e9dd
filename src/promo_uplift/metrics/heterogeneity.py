"""Do effects differ between households at all? The best linear predictor and its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues
from promo_uplift.metrics.fold_dependence import SLOPE_FACTOR
from promo_uplift.metrics.simultaneous import (
    adjusted_p_values,
    clustered_covariance,
    standardised_draws,
)

DOUBLY_ROBUST, WEIGHTED = "doubly_robust", "weighted"
COLUMNS = (
    "learner",
    "regression",
    "ate_usd",
    "ate_se",
    "ate_ci_low",
    "ate_ci_high",
    "slope",
    "slope_se",
    "slope_ci_low",
    "slope_ci_high",
    "p_value",
    "p_adjusted",
    "n",
    "n_households",
)


@dataclass(frozen=True, slots=True)
class HeterogeneityTest:
    """Best linear predictor of every learner, and what its slope says of heterogeneity.

    Attributes
    ----------
    table : DataFrame
        Of :func:`heterogeneity_test`.
    level : float
        Confidence level; the test rejects at ``1 - level``.
    """

    table: pd.DataFrame
    level: float

    def p_value(self, learner: str) -> float:
        """P-value of "no heterogeneity" by this learner, adjusted for the choice among learners.

        NaN for a learner that predicts one effect for everybody, or was not tested.
        """
        rows = self.table[
            (self.table["learner"] == learner) & (self.table["regression"] == DOUBLY_ROBUST)
        ]
        return float("nan") if rows.empty else float(rows["p_adjusted"].iloc[0])

    def finds(self, learner: str) -> bool:
        """Whether the test rejects "no heterogeneity"; never where it is undefined."""
        return self.p_value(learner) < 1.0 - self.level


@dataclass(frozen=True, slots=True)
class _Line:
    """Intercept and slope ``(2,)`` with the influence ``(n, 2)`` of each row on them."""

    estimate: FloatArray
    influence: FloatArray


def heterogeneity_test(  # noqa: PLR0913 - one regression, named in full by its caller
    *,
    scores: FloatArray,
    cates: Mapping[str, FloatArray],
    treatment: IntArray,
    outcome: FloatArray,
    nuisances: NuisanceValues,
    fold: IntArray,
    groups: IntArray,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> HeterogeneityTest:
    r"""Average effect and slope on the centred prediction of each learner, and test the slope.

    With :math:`\tilde S` the held-out CATE less its mean **within its fold**, ``doubly_robust`` is
    least squares of the score,

    .. math:: \Gamma = \beta_1 + \beta_2 \tilde S + \varepsilon,

    and ``weighted`` the original regression of the outcome with weights :math:`1 / (e (1 - e))`,

    .. math:: Y = \alpha_0 + \alpha_1 m(X) + \beta_1 (T - e) + \beta_2 (T - e) \tilde S
        + \varepsilon,

    where :math:`m(X) = E[Y \mid X]` knows no treatment: a control that does would take the effect
    away. :math:`\beta_1` is the ATE, :math:`\beta_2` 1 for a calibrated CATE and 0 for noise.
    Standard errors are by household sums; the slope's are widened since folds learn from each other
    (:data:`promo_uplift.metrics.fold_dependence.SLOPE_FACTOR`).

    Without heterogeneity no learner has a positive slope, so ``p_value`` is one-sided. Whoever
    chooses a learner by held-out figures also chooses its slope: ``p_adjusted`` is the chance that
    the largest of all learners' slopes is as large.

    Parameters
    ----------
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances, in the outcome's unit.
    cates : mapping of str to float64 (n,)
        Held-out predicted effect of each learner.
    treatment, outcome
        Of the rows, ``(n,)``.
    nuisances : NuisanceValues
        Held-out nuisances of the rows.
    fold, groups : int64 (n,)
        Fold and household of each row.
    level : float
        Confidence level of the intervals, which are two-sided.
    draws : int
        Gaussian draws behind ``p_adjusted``.
    rng : Generator
        Their source.

    Returns
    -------
    HeterogeneityTest
        Its table: ``learner, regression, ate_usd, ate_se, ate_ci_low, ate_ci_high, slope, slope_se,
        slope_ci_low, slope_ci_high, p_value, p_adjusted, n, n_households``; the adjustment is over
        the learners of one regression.

    Raises
    ------
    MetricError
        If a value is not finite or a shape differs.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), arXiv:1712.04802,
    section 3; Westfall & Young (1993) (the adjustment).
    """
    inputs = {"scores": scores, **{f"cates[{name!r}]": cate for name, cate in cates.items()}}
    for name, values in inputs.items():
        if values.shape != fold.shape or not np.all(np.isfinite(values)):
            raise MetricError(
                f"`{name}` must hold one finite value per row, shape {fold.shape}; found shape "
                f"{values.shape} with {int(np.sum(~np.isfinite(values)))} values not finite."
            )
    centred = {name: within_folds(values=cate, fold=fold) for name, cate in cates.items()}
    lines: dict[str, dict[str, _Line]] = {DOUBLY_ROBUST: {}, WEIGHTED: {}}
    for name, prediction in centred.items():
        lines[DOUBLY_ROBUST][name] = _doubly_robust(scores, prediction)
        lines[WEIGHTED][name] = _weighted(treatment, outcome, nuisances, prediction)
    rows = [
        row
        for regression, by_learner in lines.items()
        for row in _rows(regression, by_learner, groups, level, draws, rng)
    ]
    return HeterogeneityTest(table=pd.DataFrame(rows, columns=list(COLUMNS)), level=level)


def within_folds(*, values: FloatArray, fold: IntArray) -> FloatArray:
    """Values less the mean of their fold, ``(n,)``; exactly 0 where a fold's are all the same."""
    centred = np.zeros_like(values)
    for number in np.unique(fold):
        rows = fold == number
        if np.ptp(values[rows]) > 0.0:
            centred[rows] = values[rows] - values[rows].mean()
    return centred


def _doubly_robust(scores: FloatArray, prediction: FloatArray) -> _Line:
    mean, square = float(scores.mean()), float(prediction @ prediction)
    if square == 0.0:
        influence = np.column_stack([(scores - mean) / len(scores), np.zeros(len(scores))])
        return _Line(np.array([mean, np.nan]), influence)
    slope = float(prediction @ scores) / square
    residual = scores - mean - slope * prediction
    influence = np.column_stack([residual / len(scores), prediction * residual / square])
    return _Line(np.array([mean, slope]), influence)


def _weighted(
    treatment: IntArray, outcome: FloatArray, nuisances: NuisanceValues, prediction: FloatArray
) -> _Line:
    e = nuisances.propensity
    surprise = treatment - e
    varies = bool(np.any(prediction != 0.0))
    columns = [np.ones(len(e)), nuisances.outcome_mean, surprise]
    columns += [surprise * prediction] if varies else []
    design = np.column_stack(columns)
    root = 1.0 / np.sqrt(e * (1.0 - e))
    scaled = design * root[:, None]
    size = np.linalg.norm(scaled, axis=0)
    size[size == 0.0] = 1.0
    scaled /= size
    # a mean outcome that is the same for all rows is one column twice: the least of squares
    inverse = np.linalg.pinv(scaled.T @ scaled, hermitian=True)
    coefficients = inverse @ (scaled.T @ (outcome * root))
    influence = (scaled * (outcome * root - scaled @ coefficients)[:, None]) @ inverse
    coefficients, influence = coefficients / size, influence / size
    if varies:
        return _Line(coefficients[2:], influence[:, 2:])
    flat = np.column_stack([influence[:, 2], np.zeros(len(e))])
    return _Line(np.array([coefficients[2], np.nan]), flat)


def _rows(
    regression: str,
    lines: Mapping[str, _Line],
    groups: IntArray,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> list[dict[str, str | float]]:
    if not lines:
        return []
    influence = np.column_stack([line.influence for line in lines.values()])
    covariance = clustered_covariance(influence=influence, groups=groups)
    errors = np.sqrt(np.diag(covariance)).reshape(-1, 2)
    slopes = np.array([line.estimate[1] for line in lines.values()])
    slope_errors = SLOPE_FACTOR * errors[:, 1]
    tested = np.isfinite(slopes) & (slope_errors > 0.0)
    statistics = slopes[tested] / slope_errors[tested]
    adjusted = np.full(len(slopes), np.nan)
    if tested.any():
        drawn = standardised_draws(covariance=covariance[1::2, 1::2], draws=draws, rng=rng)
        adjusted[tested] = np.maximum(
            adjusted_p_values(statistics=statistics, drawn=drawn), norm.sf(statistics)
        )
    half = float(norm.ppf(0.5 + level / 2.0))
    households = len(np.unique(groups))
    rows: list[dict[str, str | float]] = []
    for number, (name, line) in enumerate(lines.items()):
        ate, slope = (float(value) for value in line.estimate)
        ate_se = float(errors[number, 0])
        slope_se = float(slope_errors[number]) if np.isfinite(slope) else float("nan")
        rows.append(
            {
                "learner": name,
                "regression": regression,
                "ate_usd": ate,
                "ate_se": ate_se,
                "ate_ci_low": ate - half * ate_se,
                "ate_ci_high": ate + half * ate_se,
                "slope": slope,
                "slope_se": slope_se,
                "slope_ci_low": slope - half * slope_se,
                "slope_ci_high": slope + half * slope_se,
                "p_value": float(norm.sf(slope / slope_se)) if tested[number] else float("nan"),
                "p_adjusted": float(adjusted[number]),
                "n": len(line.influence),
                "n_households": households,
            }
        )
    return rows
