"""Qini, AUUC, uplift at k and calibration slope as the published table defines them.

By differences between the arms inside the top of a ranking, without a propensity: valid in an
experiment with one probability, biased elsewhere. Kept apart from the project's own figures,
which rest on doubly robust scores: the names are the same, the numbers are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.gain import share_label

PREFIX = "published_"


def tie_broken_order(*, ranking: FloatArray, seed: int) -> IntArray:
    """Rows from the highest ranking to the lowest, tied rows in an order drawn from the seed."""
    shuffled = np.random.default_rng(seed).permutation(len(ranking))
    return shuffled[np.argsort(-ranking[shuffled], kind="stable")].astype(np.int64)


def arm_figures(
    *,
    treatment: IntArray,
    outcome: FloatArray,
    ranking: FloatArray,
    weights: FloatArray,
    uplift_shares: Sequence[float],
    tie_seed: int,
) -> dict[str, FloatArray]:
    r"""Ranking figures by arm differences, one value per column of ``weights``, ``(R,)``.

    With the top :math:`k` of :math:`n` rows, sums :math:`S` of outcomes and numbers :math:`N`
    by arm:

    - Qini: area over :math:`k / n` of :math:`(S_1 - S_0 N_1 / N_0) / n`, less that of the line to
      its end;
    - AUUC: area of :math:`(S_1 / N_1 - S_0 / N_0)(N_1 + N_0) / n`, divided by that of the order
      which puts treated outcomes first and control outcomes last;
    - uplift at a share: :math:`S_1 / N_1 - S_0 / N_0` in the top of it.

    Parameters
    ----------
    treatment : int64 (n,)
        0 or 1.
    outcome : float64 (n,)
    ranking : float64 (n,)
        Higher is targeted first.
    weights : float64 (n, R)
        How often each row counts: column 0 is the sample, the others bootstrap replicates.
    uplift_shares : sequence of float
    tie_seed : int
        Seed of the order of tied rows.

    Raises
    ------
    MetricError
        If an arm is empty.

    References
    ----------
    Radcliffe (2007), Direct Marketing Analytics Journal 3; Gutierrez & Gerardy (2017), PMLR 67.
    """
    if len(np.unique(treatment)) < 2:
        raise MetricError("`treatment` must hold both arms; found one. Use more rows.")
    order = tie_broken_order(ranking=ranking, seed=tie_seed)
    oracle = tie_broken_order(ranking=outcome * (2.0 * treatment - 1.0), seed=tie_seed)
    figures = {name: np.empty(weights.shape[1]) for name in ("qini", "auuc_normalised")}
    figures |= {share_label(share): np.empty(weights.shape[1]) for share in uplift_shares}
    for column in range(weights.shape[1]):
        weight = weights[:, column]
        top = _top_sums(treatment, outcome, weight, order)
        n = top[:, 4][-1]
        figures["qini"][column] = _area(_qini_gain(top), top[:, 4]) - _qini_gain(top)[-1] / n / 2
        ceiling = _area(*_rate_gain(_top_sums(treatment, outcome, weight, oracle)))
        figures["auuc_normalised"][column] = (
            _area(*_rate_gain(top)) / ceiling if ceiling else np.nan
        )
        for share in uplift_shares:
            cut = min(int(np.searchsorted(top[:, 4], share * n)), len(top) - 1)
            treated, control = top[cut, 2], top[cut, 3]
            figures[share_label(share)][column] = (
                top[cut, 0] / treated - top[cut, 1] / control if treated and control else np.nan
            )
    return {PREFIX + name: values for name, values in figures.items()}


def _top_sums(
    treatment: IntArray, outcome: FloatArray, weight: FloatArray, order: IntArray
) -> FloatArray:
    """Return the running S1, S0, N1, N0 and N down the order, ``(n, 5)``."""
    counted = order[weight[order] > 0.0]
    treated = weight[counted] * treatment[counted]
    control = weight[counted] - treated
    return np.cumsum(
        np.column_stack(
            [
                treated * outcome[counted],
                control * outcome[counted],
                treated,
                control,
                weight[counted],
            ]
        ),
        axis=0,
    )


def _qini_gain(top: FloatArray) -> FloatArray:
    ratio = np.divide(top[:, 2], top[:, 3], out=np.zeros(len(top)), where=top[:, 3] > 0.0)
    return np.asarray(top[:, 0] - top[:, 1] * ratio)


def _rate_gain(top: FloatArray) -> tuple[FloatArray, FloatArray]:
    both = (top[:, 2] > 0.0) & (top[:, 3] > 0.0)
    gain = np.zeros(len(top))
    some = top[both]
    gain[both] = (some[:, 0] / some[:, 2] - some[:, 1] / some[:, 3]) * some[:, 4]
    return gain, top[:, 4]


def _area(gain: FloatArray, targeted: FloatArray) -> float:
    """Area under the gain per row over the share targeted, by trapezoids."""
    n = targeted[-1]
    return float(np.trapezoid(np.r_[0.0, gain] / n, np.r_[0.0, targeted] / n))


def binned_calibration_slope(
    *,
    treatment: IntArray,
    outcome: FloatArray,
    cate: FloatArray,
    n_bins: int,
    min_arm: int,
    tie_seed: int,
) -> float:
    """Slope of the arm difference on the mean prediction over bins; 1 is perfect.

    Bins of equal size by prediction, weighted by the inverse variance of their arm difference; as
    many as leave ``min_arm`` rows of each arm in an average bin. NaN where fewer than two bins
    hold a difference with a variance, or every bin has one prediction.

    Parameters
    ----------
    treatment, outcome, cate : (n,)
    n_bins, min_arm : int
    tie_seed : int
    """
    if np.ptp(cate) == 0.0:
        return float("nan")
    n_treated = int(treatment.sum())
    affordable = min(n_treated, len(treatment) - n_treated) // min_arm
    order = tie_broken_order(ranking=cate, seed=tie_seed)[::-1]
    points = []
    for rows in np.array_split(order, max(2, min(n_bins, affordable))):
        arms = [outcome[rows][treatment[rows] == arm] for arm in (0, 1)]
        if min(len(arm) for arm in arms) < 2:
            continue
        variance = sum(float(arm.var(ddof=1)) / len(arm) for arm in arms)
        if variance > 0.0:
            points.append((cate[rows].mean(), arms[1].mean() - arms[0].mean(), 1.0 / variance))
    if len(points) < 2:
        return float("nan")
    predicted, realised, weight = np.array(points).T
    spread = predicted - np.average(predicted, weights=weight)
    variance_of_predictions = np.average(spread**2, weights=weight)
    if variance_of_predictions == 0.0:
        return float("nan")
    covariance = np.average(
        spread * (realised - np.average(realised, weights=weight)), weights=weight
    )
    return float(covariance / variance_of_predictions)
