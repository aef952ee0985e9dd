r"""Every Qini and AUUC that the field calls by that name, written out.

Each function takes a :class:`RankedSample` (rows in order, highest ranking first) and returns the
number that the named library returns on the same ranking. Down the order, :math:`N_1, N_0` are the
treated and the controls among the first :math:`k` of :math:`n` rows, :math:`S_1, S_0` the sums of
their outcomes, :math:`\Gamma` the doubly robust scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import FloatArray, IntArray

#: Bins of the curves that are cut into ten.
N_BINS: Final = 10
#: Percentiles at which EconML's ``DRTester.evaluate_uplift`` cuts by default.
ECONML_PERCENTILES: Final = (5.0, 95.0, 50)
Order = Literal["stable", "stable_reversed", "frame", "numpy"]
#: How a library puts tied rows: in row order, against it, as pandas or NumPy happen to sort.
ORDERS: Final[tuple[Order, ...]] = ("stable", "stable_reversed", "frame", "numpy")


def ranked_order(*, ranking: FloatArray, order: Order) -> IntArray:
    """Rows from the highest ranking to the lowest, tied rows as the named sort leaves them.

    Parameters
    ----------
    ranking : float64 (n,)
    order : {"stable", "stable_reversed", "frame", "numpy"}
        Tied rows in row order; in reversed row order (scikit-uplift); as ``DataFrame.sort_values``
        leaves them (causalml); as ``numpy.argsort`` of the negative leaves them.
    """
    if order == "stable":
        return np.argsort(-ranking, kind="stable").astype(np.int64)
    if order == "stable_reversed":
        return np.argsort(ranking, kind="mergesort")[::-1].astype(np.int64)
    if order == "numpy":
        return np.argsort(-ranking).astype(np.int64)
    frame = pd.DataFrame({"ranking": ranking}).sort_values("ranking", ascending=False)
    return frame.index.to_numpy().astype(np.int64)


@dataclass(frozen=True, slots=True)
class RankedSample:
    """Rows in order, highest ranking first, with their running sums.

    Attributes
    ----------
    ranking, treatment, outcome : float64 (n,)
    scores : float64 (n,)
        Doubly robust scores; NaN where nobody knows them.
    n1, n0, s1, s0 : float64 (n,)
        Treated and controls so far, and the sums of their outcomes.
    """

    ranking: FloatArray
    treatment: FloatArray
    outcome: FloatArray
    scores: FloatArray
    n1: FloatArray
    n0: FloatArray
    s1: FloatArray
    s0: FloatArray

    @classmethod
    def of(
        cls,
        *,
        ranking: FloatArray,
        treatment: FloatArray,
        outcome: FloatArray,
        scores: FloatArray | None,
    ) -> RankedSample:
        """Return the sample of rows that are already in order."""
        n1 = np.cumsum(treatment)
        return cls(
            ranking=ranking,
            treatment=treatment,
            outcome=outcome,
            scores=np.full(len(ranking), np.nan) if scores is None else scores,
            n1=n1,
            n0=np.arange(1, len(ranking) + 1) - n1,
            s1=np.cumsum(outcome * treatment),
            s0=np.cumsum(outcome * (1.0 - treatment)),
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.ranking)


Value = Callable[[RankedSample], float]


def _ratio(top: FloatArray | float, bottom: FloatArray | float) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(top, bottom), dtype=np.float64)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else float("nan")


# ------------------------------------------------------------------------------------ scikit-uplift


def _tie_ends(ranking: FloatArray) -> IntArray:
    return np.asarray(np.r_[np.flatnonzero(np.diff(ranking)), len(ranking) - 1], dtype=np.int64)


def sklift_qini_curve(sample: RankedSample) -> tuple[FloatArray, FloatArray]:
    """Rows targeted and :math:`S_1 - S_0 N_1 / N_0` at the end of each tie, from (0, 0)."""
    ends = _tie_ends(sample.ranking)
    n1, n0 = sample.n1[ends], sample.n0[ends]
    weight = np.divide(n1, n0, out=np.zeros_like(n1), where=n0 != 0)
    return np.r_[0.0, ends + 1.0], np.r_[0.0, sample.s1[ends] - sample.s0[ends] * weight]


def sklift_uplift_curve(sample: RankedSample) -> tuple[FloatArray, FloatArray]:
    """Rows targeted and :math:`k (S_1 / N_1 - S_0 / N_0)` at the end of each tie, from (0, 0)."""
    ends = _tie_ends(sample.ranking)
    n1, n0 = sample.n1[ends], sample.n0[ends]
    rate1 = np.divide(sample.s1[ends], n1, out=np.zeros_like(n1), where=n1 != 0)
    rate0 = np.divide(sample.s0[ends], n0, out=np.zeros_like(n0), where=n0 != 0)
    return np.r_[0.0, ends + 1.0], np.r_[0.0, (rate1 - rate0) * (ends + 1.0)]


def _sorted_by(sample: RankedSample, ranking: FloatArray) -> RankedSample:
    order = np.argsort(-ranking, kind="stable")
    return RankedSample.of(
        ranking=ranking[order],
        treatment=sample.treatment[order],
        outcome=sample.outcome[order],
        scores=None,
    )


def _area_above_chord(x: FloatArray, y: FloatArray) -> float:
    return float(np.trapezoid(y, x) - x[-1] * y[-1] / 2.0)


def _over(area: float, best: float) -> float:
    """NaN where the best order has no area: the library then divides by zero and raises."""
    return area / best if best != 0.0 else float("nan")


def sklift_qini_area(sample: RankedSample) -> float:
    """Area between ``qini_curve`` and its chord, rows times outcome."""
    return _area_above_chord(*sklift_qini_curve(sample))


def sklift_qini_auc_score(sample: RankedSample) -> float:
    """Divide the same area by that of the order by ``y t - y (1 - t)``."""
    perfect = _sorted_by(sample, sample.outcome * (2.0 * sample.treatment - 1.0))
    return _over(sklift_qini_area(sample), sklift_qini_area(perfect))


def sklift_qini_auc_score_without_negative(sample: RankedSample) -> float:
    """Divide the same area by that of a curve at its end after ``S_1 - S_0 N_1 / N_0`` rows.

    Where that end is negative there is no such curve: the library raises, this is NaN.
    """
    end = sample.s1[-1] - sample.n1[-1] * sample.s0[-1] / sample.n0[-1]
    if end < 0.0:
        return float("nan")
    x = np.array([0.0, end, float(sample.n)])
    return _over(sklift_qini_area(sample), _area_above_chord(x, np.array([0.0, end, end])))


def sklift_uplift_auc_score(sample: RankedSample) -> float:
    """Area between ``uplift_curve`` and its chord, divided by that of the perfect order."""
    y, t = sample.outcome, sample.treatment
    control_responders = np.sum((y == 1) & (t == 0))
    treated_others = np.sum((y == 0) & (t == 1))
    perfect = 2.0 * (y == t) + (y if control_responders > treated_others else t)
    best = _area_above_chord(*sklift_uplift_curve(_sorted_by(sample, perfect)))
    return _over(_area_above_chord(*sklift_uplift_curve(sample)), best)


def sklift_uplift_at_k(share: float, strategy: Literal["overall", "by_group"]) -> Value:
    """Difference of the arms' means in the top ``int(n share)`` rows, of all or of each arm."""

    def value(sample: RankedSample) -> float:
        treated, y = sample.treatment == 1, sample.outcome
        if strategy == "overall":
            size = int(sample.n * share)
            top, arm = y[:size], treated[:size]
            return _mean(top[arm]) - _mean(top[~arm])
        n1, n0 = int(treated.sum() * share), int((~treated).sum() * share)
        return _mean(y[treated][:n1]) - _mean(y[~treated][:n0])

    return value


# ----------------------------------------------------------------------------------------- causalml


def _from_zero(values: FloatArray) -> FloatArray:
    """Put 0 in front; undefined points become the straight line between their neighbours."""
    points = np.r_[0.0, values]
    undefined = np.isnan(points)
    known = np.flatnonzero(~undefined)
    points[undefined] = np.interp(np.flatnonzero(undefined), known, points[known])
    return np.asarray(points)


def causalml_gain(sample: RankedSample, *, with_scores: bool) -> FloatArray:
    """``get_cumgain``: ``k`` times the difference of means (or mean score) of the first ``k``."""
    rows = np.arange(1.0, sample.n + 1.0)
    lift = (
        np.cumsum(sample.scores) / rows
        if with_scores
        else _ratio(sample.s1, sample.n1) - _ratio(sample.s0, sample.n0)
    )
    return np.asarray(_from_zero(lift) * np.r_[0.0, rows])


def causalml_qini(sample: RankedSample, *, with_scores: bool) -> FloatArray:
    """``get_qini``: the gain per treated row, ``S_1 - S_0 N_1 / N_0`` (or mean score x ``N_1``)."""
    rows = np.arange(1.0, sample.n + 1.0)
    curve = (
        np.cumsum(sample.scores) / rows * sample.n1
        if with_scores
        else sample.s1 - _ratio(sample.s0 * sample.n1, sample.n0)
    )
    return _from_zero(curve)


def _normalised(curve: FloatArray, normalise: bool) -> FloatArray:
    return _ratio(curve, abs(curve[-1])) if normalise else curve


def causalml_auuc_score(*, normalise: bool, with_scores: bool = False) -> Value:
    """Mean height of the gain curve over its ``n + 1`` points, an undefined one left out."""

    def value(sample: RankedSample) -> float:
        curve = _normalised(causalml_gain(sample, with_scores=with_scores), normalise)
        with np.errstate(invalid="ignore"):
            return float(np.nansum(curve) / len(curve))

    return value


def causalml_qini_score(*, normalise: bool, with_scores: bool = False) -> Value:
    """Mean height of the Qini curve over its points, less that of the line to its end."""

    def value(sample: RankedSample) -> float:
        curve = _normalised(causalml_qini(sample, with_scores=with_scores), normalise)
        line = np.linspace(curve[0], curve[-1], len(curve))
        return float((curve.sum() - line.sum()) / len(curve))

    return value


def causalml_rate_score(*, weighting: Literal["autoc", "qini"], with_scores: bool = False) -> Value:
    """Weighted mean of the targeting operator characteristic, weights that sum to 1."""

    def value(sample: RankedSample) -> float:
        rows = np.arange(1.0, sample.n + 1.0)
        if with_scores:
            whole = float(sample.scores.mean())
            effects = np.cumsum(sample.scores) / rows
        else:
            whole = float(sample.s1[-1] / sample.n1[-1] - sample.s0[-1] / sample.n0[-1])
            effects = _ratio(sample.s1, sample.n1) - _ratio(sample.s0, sample.n0)
            effects = np.where((sample.n1 == 0) | (sample.n0 == 0), whole, effects)
        toc = np.r_[0.0, effects - whole]
        share = np.linspace(0.0, 1.0, sample.n + 1)
        middle = (share[:-1] + share[1:]) / 2.0
        weights = 1.0 / middle if weighting == "autoc" else middle
        return float(np.average((toc[:-1] + toc[1:]) / 2.0, weights=weights))

    return value


# ----------------------------------------------------------------------------------- EconML and grf


def econml_uplift(
    *, metric: Literal["qini", "toc"], training_ranking: FloatArray | None = None
) -> Value:
    """``DRTester.evaluate_uplift``: sum over 50 percentiles of the ranking, 5 to 95.

    The group above a percentile counts with its mean score less the overall mean, times its share
    for ``qini``. Percentiles are those of ``training_ranking``, or of the ranking itself.
    """

    def value(sample: RankedSample) -> float:
        low, high, number = ECONML_PERCENTILES
        percentiles = np.linspace(low, high, int(number))
        source = sample.ranking if training_ranking is None else training_ranking
        cuts = np.percentile(source, percentiles)
        size = np.searchsorted(-sample.ranking, -cuts, side="right")
        sums = np.r_[0.0, np.cumsum(sample.scores)][size]
        toc = _ratio(sums, size.astype(np.float64)) - sample.scores.mean()
        if metric == "qini":
            toc = toc * size / sample.n
        return float(np.sum(toc[:-1] * np.diff(percentiles) / 100.0))

    return value


def grf_rate(target: Literal["AUTOC", "QINI"]) -> Value:
    """``rank_average_treatment_effect``: mean over ``k`` of TOC(k / n), times ``k / n`` for QINI.

    Tied rows have the mean score of their tie.
    """

    def value(sample: RankedSample) -> float:
        ends = _tie_ends(sample.ranking)
        sizes = np.diff(np.r_[-1, ends])
        starts = np.r_[0, ends[:-1] + 1]
        averaged = np.repeat(np.add.reduceat(sample.scores, starts) / sizes, sizes)
        rows = np.arange(1.0, sample.n + 1.0)
        toc = np.cumsum(averaged) / rows - averaged.mean()
        return float(np.mean(toc if target == "AUTOC" else toc * rows / sample.n))

    return value


# ----------------------------------------------------------------------------------- ten-bin curves


def _bin_ends(n: int) -> IntArray:
    return np.array([int(n * (i + 1) / N_BINS) for i in range(N_BINS)]) - 1


def _at(values: FloatArray, ends: IntArray) -> FloatArray:
    return np.where(ends >= 0, values[np.maximum(ends, 0)], 0.0)


def ten_bin_auuc(sample: RankedSample) -> float:
    """Trapezoids from .1 to 1 over the differences of means in the top tenths."""
    ends = _bin_ends(sample.n)
    n1, n0 = _at(sample.n1, ends), _at(sample.n0, ends)
    both = (n1 > 0) & (n0 > 0)
    lift = _ratio(_at(sample.s1, ends), n1) - _ratio(_at(sample.s0, ends), n0)
    return float(np.trapezoid(np.where(both, lift, 0.0), np.arange(1, N_BINS + 1) / N_BINS))


def ten_bin_qini(sample: RankedSample) -> float:
    """Trapezoids from .1 to 1 over ``S_1 - S_0 N_1 / N_0``, less the line to its end, in sums."""
    ends = _bin_ends(sample.n)
    n1, n0 = _at(sample.n1, ends), _at(sample.n0, ends)
    per_control = np.divide(n1, n0, out=np.zeros_like(n1), where=n0 > 0)
    curve = _at(sample.s1, ends) - _at(sample.s0, ends) * per_control
    share = np.arange(1, N_BINS + 1) / N_BINS
    end = sample.s1[-1] - sample.s0[-1] * sample.n1[-1] / sample.n0[-1]
    return float(np.trapezoid(np.where(n0 > 0, curve, 0.0) - share * end, share))
