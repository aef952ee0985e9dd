r"""Ranking figures by differences between the arms in the top of a ranking, with their errors.

As the field computes them: the uplift of the top share :math:`q` is the mean outcome of its
treated rows minus that of its controls, :math:`\ell(q) = \mu_1(q) - \mu_0(q)`, and the gain curve
is :math:`q\,\ell(q)`. Unweighted this is the **naive** version, right only where everybody had the
same chance of the treatment. With weights :math:`T/e` and :math:`(1-T)/(1-e)`, normalised in every
top (Hájek), it is the **IPW** version, right where the propensity is.

The figures are sums over the ends of blocks of tied rows, so the influence of a row is an exact
derivative: it moves the two means of every block at or below its own, and the shares at which they
end. Only the uplift at a share needs a slope of :math:`\ell` there, taken over a window.

References
----------
Radcliffe (2007), Direct Marketing Analytics Journal 3; Gutierrez & Gerardy (2017), PMLR 67; Hájek
(1971), comment in Foundations of Statistical Inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.gain import share_label
from promo_uplift.metrics.influence import Influence, averaged_over_folds


@dataclass(frozen=True, slots=True)
class _Tops:
    """Sums of the top of one fold's ranking at the end of each block of tied rows, each ``(b,)``.

    ``share`` of the rows, ``weight_1``, ``weight_0`` and ``total_1``, ``total_0``: weights and
    weighted outcomes of the arms, over the rows of the fold. ``block (m,)`` is each row's block.
    """

    block: IntArray
    share: FloatArray
    weight_1: FloatArray
    weight_0: FloatArray
    total_1: FloatArray
    total_0: FloatArray

    @classmethod
    def of(
        cls, *, ranking: FloatArray, outcome: FloatArray, weight_1: FloatArray, weight_0: FloatArray
    ) -> _Tops:
        order = np.argsort(-ranking)
        ordered = ranking[order]
        is_start = np.r_[True, ordered[1:] != ordered[:-1]]
        block = np.empty(len(order), dtype=np.int64)
        block[order] = np.cumsum(is_start) - 1
        m, size = len(order), int(is_start.sum())

        def reached(values: FloatArray) -> FloatArray:
            return np.cumsum(np.bincount(block, weights=values, minlength=size)) / m

        return cls(
            block=block,
            share=reached(np.ones(m)),
            weight_1=reached(weight_1),
            weight_0=reached(weight_0),
            total_1=reached(weight_1 * outcome),
            total_0=reached(weight_0 * outcome),
        )

    @property
    def means(self) -> tuple[FloatArray, FloatArray]:
        """Mean outcome of the treated and of the controls in each top; the first known one above.

        A top without rows of an arm has no mean: it takes that of the first top that has.
        """
        return (
            _mean_of_top(self.total_1, self.weight_1),
            _mean_of_top(self.total_0, self.weight_0),
        )


def _mean_of_top(total: FloatArray, weight: FloatArray) -> FloatArray:
    first = int(np.argmax(weight > 0.0))
    mean = np.full(len(weight), total[first] / weight[first])
    np.divide(total, weight, out=mean, where=weight > 0.0)
    return mean


def arm_influence(
    *,
    outcome: FloatArray,
    weight_1: FloatArray,
    weight_0: FloatArray,
    ranking: FloatArray,
    fold: IntArray,
    uplift_shares: Sequence[float],
) -> dict[str, Influence]:
    """AUUC, Qini, AUTOC and uplift at each share by differences between the arms, USD.

    Ranked within each fold, folds averaged by size. Linear between the ends of blocks of ties.

    Parameters
    ----------
    outcome : float64 (n,)
        USD per household.
    weight_1, weight_0 : float64 (n,)
        Weight of each row among the treated and among the controls: 0 in the other arm.
    ranking : float64 (n,)
        Held-out predicted effect, or any score.
    fold : int64 (n,)
        Fold of each row.
    uplift_shares : sequence of float
        The k of uplift@k.

    Returns
    -------
    dict of Influence
        ``auuc``, ``qini``, ``autoc`` and ``uplift_at_<percent>``.

    Raises
    ------
    MetricError
        If a fold lacks an arm.
    """

    def of_fold(rows: IntArray) -> dict[str, Influence]:
        for arm, weight in (("treated", weight_1), ("control", weight_0)):
            if not (weight[rows] > 0.0).any():
                raise MetricError(
                    f"`fold` must hold both arms in every fold; one of {len(rows)} rows has no "
                    f"{arm} row. Use fewer folds or more rows."
                )
        tops = _Tops.of(
            ranking=ranking[rows],
            outcome=outcome[rows],
            weight_1=weight_1[rows],
            weight_0=weight_0[rows],
        )
        means = _Means(tops, outcome[rows], weight_1[rows], weight_0[rows])
        return means.areas() | {share_label(share): means.uplift(share) for share in uplift_shares}

    return averaged_over_folds(of_fold=of_fold, fold=fold)


class _Means:
    """Figures of one fold and their influence, from the means in every top."""

    def __init__(
        self, tops: _Tops, outcome: FloatArray, weight_1: FloatArray, weight_0: FloatArray
    ) -> None:
        self.tops = tops
        self.mean_1, self.mean_0 = tops.means
        self.lift = self.mean_1 - self.mean_0
        self._arms = (
            (1.0, weight_1, outcome, tops.weight_1, self.mean_1),
            (-1.0, weight_0, outcome, tops.weight_0, self.mean_0),
        )

    def areas(self) -> dict[str, Influence]:
        """Trapezoids of ``share * lift`` and of ``lift`` over the share, and the end taken off."""
        share, lift = self.tops.share, self.lift
        before, after = np.r_[0.0, share[:-1]], np.r_[share[1:], 1.0]
        gain = share * lift
        gain_before, gain_after = np.r_[0.0, gain[:-1]], np.r_[gain[1:], gain[-1]]
        lift_before, lift_after = np.r_[lift[0], lift[:-1]], np.r_[lift[1:], lift[-1]]
        # weight of each end in the sum, and what the sum gains as the end itself moves
        width = 0.5 * (after - before)
        end = Influence(float(lift[-1]), self._through_means(_unit(len(lift), -1)))
        area = Influence(
            float(np.dot(width, gain)),
            self._through_means(width * share)
            + self._through_shares(width * lift + 0.5 * (gain_before - gain_after)),
        )
        mean_width = width.copy()
        mean_width[0] += 0.5 * share[0]  # the lift before the first end is that of the first end
        toc = Influence(
            float(np.dot(mean_width, lift)),
            self._through_means(mean_width)
            + self._through_shares(0.5 * (lift_before - lift_after)),
        )
        return {
            "auuc": area,
            "qini": Influence(area.estimate - 0.5 * end.estimate, area.terms - 0.5 * end.terms),
            "autoc": Influence(toc.estimate - end.estimate, toc.terms - end.terms),
        }

    def uplift(self, share: float) -> Influence:
        """Difference of the arms' means in the top ``share``; a tied block counts in part."""
        tops = self.tops
        at = int(np.searchsorted(tops.share, share, side="left"))
        start = float(tops.share[at - 1]) if at else 0.0
        part = (share - start) / (float(tops.share[at]) - start)
        counted = np.where(tops.block < at, 1.0, np.where(tops.block == at, part, 0.0))
        terms, estimate = np.zeros(len(counted)), 0.0
        for sign, weight, outcome, reached, _ in self._arms:
            total = tops.total_1 if sign > 0.0 else tops.total_0
            mass = _curve(tops.share, reached, share)
            mean = _curve(tops.share, total, share) / mass if mass > 0.0 else float("nan")
            estimate += sign * mean
            terms += sign * counted * weight * (outcome - mean) / mass if mass > 0.0 else np.nan
        half = min(share, 1.0 - share) * len(counted) ** -0.2
        low, high = np.interp([share - half, share + half], tops.share, self.lift)
        return Influence(estimate, terms - (counted - share) * (high - low) / (2.0 * half))

    def _through_means(self, weight: FloatArray) -> FloatArray:
        """Influence on ``sum(weight * lift)`` through the arms' means, the ends held fixed."""
        terms = np.zeros(len(self.tops.block))
        for sign, own, outcome, reached, mean in self._arms:
            per_row = np.divide(weight, reached, out=np.zeros(len(weight)), where=reached > 0.0)
            # where a top has no row of the arm, its mean is that of the first top that has
            first = int(np.argmax(reached > 0.0))
            per_row[first] += weight[:first].sum() / reached[first]
            below = np.cumsum(per_row[::-1])[::-1][self.tops.block]
            below_mean = np.cumsum((per_row * mean)[::-1])[::-1][self.tops.block]
            terms += sign * own * (outcome * below - below_mean)
        return terms

    def _through_shares(self, derivative: FloatArray) -> FloatArray:
        """Influence through the shares at which the blocks end, from the sum's derivative there."""
        derivative = np.r_[derivative[:-1], 0.0]  # the last end is 1, whoever is in
        below = np.cumsum(derivative[::-1])[::-1][self.tops.block]
        moved: FloatArray = below - float(np.dot(derivative, self.tops.share))
        return moved


def _unit(size: int, position: int) -> FloatArray:
    unit = np.zeros(size)
    unit[position] = 1.0
    return unit


def _curve(share: FloatArray, reached: FloatArray, at: float) -> float:
    return float(np.interp(at, np.r_[0.0, share], np.r_[0.0, reached]))
