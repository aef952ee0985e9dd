"""Several estimates at once: their joint error by household, whatever sample each one used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.clustered import MIN_CLUSTERS
from promo_uplift.effects.estimate import Estimate, Label

#: Errors below this share of what they are differences of are rounding.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class JointTest:
    """Wald test that several figures are all 0.

    Attributes
    ----------
    statistic : float
        Hotelling's :math:`T^2`; NaN where no figure varies.
    df, df_households : int
        Independent figures tested, and degrees of freedom left by the households.
    p_value : float
        Of the F distribution.
    n_redundant : int
        Figures that are combinations of the others and add nothing to the test.
    """

    statistic: float
    df: int
    df_households: int
    p_value: float
    n_redundant: int


def joint_influence(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """Influence of each estimate (columns, in order) on the union of their households (rows).

    A household that an estimate does not use moves it by nothing: 0.

    Raises
    ------
    MetricError
        If an estimate has no influence, it repeats a household or it is not finite.
    """
    parts: list[pd.Series] = []
    for one in estimates:
        if one.influence is None:
            raise MetricError(
                f"`influence` must be given for a joint error; {one.label} has none. Leave the "
                "estimator out of comparisons, or compute its household sums."
            )
        if repeated := int(one.influence.index.duplicated().sum()):
            raise MetricError(
                f"`influence` must hold each household once; {one.label} repeats {repeated}. Sum "
                "the rows of a household first."
            )
        if broken := int((~np.isfinite(one.influence.to_numpy(dtype=np.float64))).sum()):
            raise MetricError(
                f"`influence` must be finite; {broken} households of {one.label} are not. Report "
                "the estimator as invalid with a reason instead."
            )
        parts.append(one.influence.astype(np.float64))
    households = parts[0].index
    if all(households.equals(part.index) for part in parts[1:]):
        columns = [part.to_numpy() for part in parts]
        return pd.DataFrame(np.column_stack(columns), index=households)
    frame = pd.concat(parts, axis=1, keys=range(len(parts)), join="outer")
    return frame.fillna(0.0)


def contrasts(pairs: Sequence[tuple[Estimate, Estimate]]) -> tuple[FloatArray, FloatArray]:
    """First less second of each pair ``(q,)``, and its influence by household ``(H, q)``.

    A difference or an error that is rounding (:data:`ROUNDING` of the estimates' errors) is 0.
    """
    used = {id(one): one for pair in pairs for one in pair}
    place = {key: number for number, key in enumerate(used)}
    influence = joint_influence(list(used.values())).to_numpy()
    first, second = ([place[id(pair[side])] for pair in pairs] for side in (0, 1))
    psi = influence[:, first] - influence[:, second]
    scale = np.array([max(a.se, b.se) for a, b in pairs])
    psi[:, np.sqrt(np.square(psi).sum(axis=0)) <= ROUNDING * scale] = 0.0
    values = np.array([a.value - b.value for a, b in pairs])
    values[np.abs(values) <= ROUNDING * scale] = 0.0
    return values, psi


def influence_covariance(influence: FloatArray) -> FloatArray:
    r"""Covariance ``(q, q)`` of estimates from household sums ``(H, q)`` of their influence.

    .. math:: \widehat V = \frac{H}{H - 1} \sum_h \psi_h \psi_h'

    Raises
    ------
    MetricError
        If there are fewer than two households.

    References
    ----------
    Liang & Zeger (1986), Biometrika 73(1).
    """
    n = len(influence)
    if n < MIN_CLUSTERS:
        raise MetricError(
            f"`influence` must hold at least {MIN_CLUSTERS} households for an error, found {n}."
        )
    return np.asarray(n / (n - 1) * (influence.T @ influence), dtype=np.float64)


def weighted_sum(
    *,
    label: Label,
    parts: Sequence[tuple[float, Estimate]],
    level: float,
    counts: tuple[int, int, int],
    constant: float = 0.0,
) -> Estimate:
    r"""Sum of weighted estimates and a known constant, with the error of the sum.

    :math:`\hat\theta = c + \sum_k w_k \hat\theta_k` has influence :math:`\sum_k w_k \psi_{kh}`. A
    single part keeps its own standard error, so that a total says what its average says.

    Parameters
    ----------
    label : Label
        What the sum is of.
    parts : sequence of (float, Estimate)
        Weight and estimate of each part.
    level : float
        Confidence level of the interval.
    counts : (int, int, int)
        Rows, treated units and households of the sum.
    constant : float
        Added, without an error.

    Returns
    -------
    Estimate
        Without a figure and with the reason where a part has none.
    """
    if lacking := [one.label for _, one in parts if not one.is_valid]:
        reasons = "; ".join(one.reason for _, one in parts if not one.is_valid)
        outcomes = ", ".join(dict.fromkeys(one.outcome for one in lacking))
        return Estimate.none(label=label, reason=f"no {outcomes}: {reasons}", counts=counts)
    value = constant + sum(weight * one.value for weight, one in parts)
    if len(parts) == 1:
        weight, one = parts[0]
        influence = None if one.influence is None else weight * one.influence
        se = abs(weight) * one.se
    elif any(one.influence is None for _, one in parts):
        without = [one.label.estimator for _, one in parts if one.influence is None]
        return Estimate.none(
            label=label, reason=f"{without[0]} offers no influence: no joint error", counts=counts
        )
    else:
        joint = joint_influence([one for _, one in parts])
        weights = np.array([weight for weight, _ in parts])
        influence = pd.Series(joint.to_numpy() @ weights, index=joint.index)
        se = float(np.sqrt(influence_covariance(influence.to_numpy()[:, np.newaxis])[0, 0]))
    return Estimate.normal(
        label=label, value=value, se=se, level=level, counts=counts, influence=influence
    )


def joint_zero_test(
    *, values: FloatArray, influence: FloatArray, rank_tolerance: float
) -> JointTest:
    r"""Test that ``q`` figures are all 0 (Hotelling's :math:`T^2` on household sums).

    .. math:: T^2 = \hat\theta' \widehat V^{-} \hat\theta, \qquad
       \frac{H - q}{q (H - 1)} T^2 \sim F(q, H - q)

    exactly so for means of normal households; with many households it is the chi-squared Wald
    test, which rejects too often where ``q`` is not small against ``H``.

    Parameters
    ----------
    values : float64 (q,)
        The figures.
    influence : float64 (H, q)
        Their household sums.
    rank_tolerance : float
        Directions of the correlation matrix with an eigenvalue below this are combinations of the
        others and are left out, counted.

    References
    ----------
    Hotelling (1931), Annals of Mathematical Statistics 2(3).
    """
    covariance = influence_covariance(influence)
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0.0
    n, q = influence.shape
    if not varies.any():
        return JointTest(float("nan"), 0, n - 1, float("nan"), q)
    scale = deviation[varies]
    correlation = covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    kept = eigenvalues > rank_tolerance
    scores = vectors[:, kept].T @ (values[varies] / scale)
    statistic = float(np.sum(scores**2 / eigenvalues[kept]))
    df = int(kept.sum())
    if n <= df:
        return JointTest(statistic, df, n - df, float("nan"), q - df)
    p_value = float(f_distribution.sf(statistic * (n - df) / (df * (n - 1)), df, n - df))
    return JointTest(statistic, df, n - df, p_value, q - df)


def largest_draws(*, covariance: FloatArray, draws: int, seed: int) -> FloatArray:
    """Largest absolute studentised error of all figures at once in each draw ``(draws,)``, sorted.

    Figures without an error take no part; all 0 where none has one.

    References
    ----------
    Westfall & Young (1993), *Resampling-Based Multiple Testing*; Montiel Olea & Plagborg-Moller
    (2019), J. Applied Econometrics 34(1), doi:10.1002/jae.2656.
    """
    deviation = np.sqrt(np.diag(covariance))
    varies = deviation > 0.0
    if not varies.any():
        return np.zeros(draws)
    scale = deviation[varies]
    values, vectors = np.linalg.eigh(covariance[np.ix_(varies, varies)] / np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).standard_normal((draws, len(scale))) @ root.T
    return np.asarray(np.sort(np.abs(drawn).max(axis=1)), dtype=np.float64)
