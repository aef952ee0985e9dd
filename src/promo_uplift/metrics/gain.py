"""The gain curve and its areas, for one fold and many bootstrap replicates at once.

One pass over the ranked rows serves all replicates, which lie next to each other in memory; a
replicate's weights are looked up by household, so no array of rows times replicates is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics import kernels
from promo_uplift.metrics.kernels import CountArray
from promo_uplift.metrics.order import best_first, tie_starts


def share_label(share: float) -> str:
    """Return the name of uplift at a share: ``uplift_at_10``, ``uplift_at_2_5``.

    Examples
    --------
    >>> share_label(0.025)
    'uplift_at_2_5'
    """
    return "uplift_at_" + f"{100.0 * share:.6g}".replace(".", "_")


@dataclass(frozen=True, slots=True)
class Weights:
    """Bootstrap weights of the rows of one fold: those of their households.

    Attributes
    ----------
    code : int64 (m,)
        Position of each row's household in ``counts``.
    counts : uint8 (H, R)
        How often each household occurs in each replicate; column 0 is the sample itself.
    total : float64 (R,)
        Sum of the rows' weights.
    """

    code: IntArray
    counts: CountArray
    total: FloatArray

    @classmethod
    def of(cls, *, code: IntArray, counts: CountArray) -> Weights:
        """Weights of rows by the code of their household."""
        rows = np.bincount(code, minlength=len(counts)).astype(np.int64)
        return cls(code, counts, kernels.totals(rows, counts))

    def sums(self, values: FloatArray) -> FloatArray:
        """Weighted sum of each row of ``values (q, m)`` in each replicate, ``(q, R)``."""
        total: FloatArray = kernels.sums(
            np.ascontiguousarray(values, dtype=np.float64), self.code, self.counts
        )
        return total

    def means(self, values: FloatArray) -> FloatArray:
        """Weighted mean of ``values (m,)`` in each replicate, ``(R,)``; 0 where nobody is drawn."""
        mean: FloatArray = self.sums(values[np.newaxis, :])[0] / self.divisor
        return mean

    def only(self, replicates: IntArray) -> Weights:
        """Return the weights of some replicates."""
        if len(replicates) == self.counts.shape[1]:
            return self
        counts = np.ascontiguousarray(self.counts[:, replicates])
        return Weights(self.code, counts, self.total[replicates])

    @property
    def divisor(self) -> FloatArray:
        """The total, with 1 in place of 0."""
        return np.where(self.total > 0.0, self.total, 1.0)


@dataclass(frozen=True, slots=True)
class RankedRows:
    """Rows of one fold, best first, tied rows joined in one block.

    A block is targeted little by little, each of its rows alike, so that no figure depends on the
    order of tied rows: this equals the mean over all orders of the tied rows.

    Attributes
    ----------
    order : int64 (m,)
        Rows, highest ranking first.
    starts : int64 (b + 1,)
        Position in ``order`` at which each block of equal rankings starts, and ``m``.
    weights : Weights
        Of the rows, in the order of ``order``.
    """

    order: IntArray
    starts: IntArray
    weights: Weights


def rank_rows(*, ranking: FloatArray, weights: Weights) -> RankedRows:
    """Order the rows of one fold by ``ranking``, highest first.

    Parameters
    ----------
    ranking : float64 (m,)
        Predicted effect, or any score: only its order matters.
    weights : Weights
        Of the rows.
    """
    order, ordered = best_first(ranking)
    ranked = Weights(weights.code[order], weights.counts, weights.total)
    return RankedRows(order, tie_starts(ordered), ranked)


def _arguments(ranked: RankedRows, scores: FloatArray) -> tuple[np.ndarray, ...]:
    values = np.ascontiguousarray(scores[ranked.order], dtype=np.float64)
    return ranked.starts, ranked.weights.code, ranked.weights.counts, values


def areas(*, ranked: RankedRows, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Areas under the gain curve, in one pass: AUUC and Qini, USD per household, ``(R,)`` each.

    Qini :math:`= \int_0^1 (Q(q) - q\,Q(1))\,dq`, AUUC :math:`= \int_0^1 Q(q)\,dq`. :math:`Q` is
    linear inside a block, so both are exact: a block that spans the shares :math:`[a, b]` counts
    with :math:`1/2 - (a + b)/2` in Qini, and AUUC is Qini plus half of :math:`Q(1)`.

    Parameters
    ----------
    ranked : RankedRows
        The fold's rows in order.
    scores : float64 (m,)
        Doubly robust scores (or money) of the rows, in their original order.
    """
    qini, end = kernels.areas(*_arguments(ranked, scores), ranked.weights.divisor)
    return qini + 0.5 * end, qini


def autoc(*, ranked: RankedRows, scores: FloatArray) -> FloatArray:
    r"""Area under the targeting operator characteristic, USD per household, ``(R,)``.

    :math:`\int_0^1 (Q(q)/q - Q(1))\,dq` with the same piecewise linear :math:`Q`; a block on
    :math:`[a, b]` counts with :math:`1 - a \ln(b/a)/(b - a) - \ln b`. The published estimator
    takes a Riemann sum over ranks instead: the two differ by :math:`O(\log n / n)`.

    Parameters
    ----------
    ranked, scores
        As in :func:`areas`.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill & Wager (2025), JASA 120(549), arXiv:2111.07966.
    """
    area: FloatArray = kernels.autoc(*_arguments(ranked, scores), ranked.weights.divisor)
    return area


def gain_curve(*, ranked: RankedRows, scores: FloatArray, shares: FloatArray) -> FloatArray:
    """Gain ``Q`` at each of ``shares``, ascending, USD per household, ``(len(shares), R)``."""
    each = np.repeat(np.asarray(shares, dtype=np.float64)[:, np.newaxis], _replicates(ranked), 1)
    curve: FloatArray = kernels.curve(*_arguments(ranked, scores), ranked.weights.divisor, each)
    return curve


def gain_at(*, ranked: RankedRows, scores: FloatArray, share: float) -> FloatArray:
    """Gain ``Q(share)`` of targeting the top ``share``, USD per household, ``(R,)``."""
    gain: FloatArray = gain_curve(ranked=ranked, scores=scores, shares=np.array([share]))[0]
    return gain


def gain_at_own(*, ranked: RankedRows, scores: FloatArray, share: FloatArray) -> FloatArray:
    """Gain ``Q`` at a share of its own for each replicate, USD per household, ``(R,)``."""
    each = np.ascontiguousarray(share, dtype=np.float64)[np.newaxis, :]
    curve = kernels.curve(*_arguments(ranked, scores), ranked.weights.divisor, each)
    gain: FloatArray = curve[0]
    return gain


def _replicates(ranked: RankedRows) -> int:
    return int(ranked.weights.counts.shape[1])
