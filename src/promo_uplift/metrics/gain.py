"""The gain curve and its areas, for one fold and many bootstrap replicates at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray

#: Stands in for an empty share inside a logarithm; such shares carry no gain.
EMPTY_SHARE = np.finfo(np.float64).tiny


#: Replicates in one pass: keeps the working arrays of a fold inside the processor's cache.
REPLICATES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class RankedRows:
    """Rows of one fold, best first, tied rows joined in one block.

    A block is targeted little by little, each of its rows alike, so that no figure depends on the
    order of tied rows: this equals the mean over all orders of the tied rows.

    Attributes
    ----------
    order : int64 (m,)
        Rows, highest ranking first.
    starts : int64 (b,)
        Position in ``order`` at which each block of equal rankings starts.
    weights : float64 (m, R)
        Weight of each row, in the order of ``order``, in each of ``R`` replicates.
    total : float64 (R,)
        Sum of the weights.
    share : float64 (b + 1, R)
        Share of the weight targeted before each block; the last row is 1.
    """

    order: IntArray
    starts: IntArray
    weights: FloatArray
    total: FloatArray
    share: FloatArray


def rank_rows(*, ranking: FloatArray, weights: FloatArray) -> RankedRows:
    """Order the rows of one fold by ``ranking``, highest first.

    Parameters
    ----------
    ranking : float64 (m,)
        Predicted effect, or any score: only its order matters.
    weights : float64 (m, R)
        Bootstrap weights of the rows.
    """
    order = np.argsort(-ranking, kind="stable")
    ordered = ranking[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sorted_weights = weights[order]
    total = sorted_weights.sum(axis=0)
    blocks = _block_sums(sorted_weights, starts)
    share = np.zeros((len(starts) + 1, weights.shape[1]))
    np.cumsum(blocks, axis=0, out=share[1:])
    share /= np.where(total > 0.0, total, 1.0)
    return RankedRows(order.astype(np.int64), starts.astype(np.int64), sorted_weights, total, share)


def _block_sums(values: FloatArray, starts: IntArray) -> FloatArray:
    if len(starts) == len(values):
        return values
    sums: FloatArray = np.add.reduceat(values, starts, axis=0)
    return sums


def block_gains(*, ranked: RankedRows, scores: FloatArray) -> FloatArray:
    r"""Gain of each block: :math:`\sum_{i \in b} w_i \Gamma_i / \sum_i w_i`, ``(b, R)``.

    In the unit of ``scores`` per household of the whole fold.

    Parameters
    ----------
    ranked : RankedRows
        The fold's rows in order.
    scores : float64 (m,)
        Doubly robust scores (or money) of the rows, in their original order.
    """
    gains = ranked.weights * scores[ranked.order, np.newaxis]
    gains /= np.where(ranked.total > 0.0, ranked.total, 1.0)
    return _block_sums(gains, ranked.starts)


def auuc(*, ranked: RankedRows, gains: FloatArray) -> FloatArray:
    r"""Area under the gain curve, :math:`\int_0^1 Q(q)\,dq`, USD per household, ``(R,)``.

    :math:`Q` is linear inside a block, so the integral is exact: a block that spans the shares
    :math:`[a, b]` counts with :math:`1 - (a + b)/2`.
    """
    middle = 0.5 * (ranked.share[:-1] + ranked.share[1:])
    area: FloatArray = np.einsum("br,br->r", gains, 1.0 - middle)
    return area


def autoc(*, ranked: RankedRows, gains: FloatArray) -> FloatArray:
    r"""Area under the targeting operator characteristic, USD per household, ``(R,)``.

    :math:`\int_0^1 (Q(q)/q - Q(1))\,dq` with the same piecewise linear :math:`Q`; a block on
    :math:`[a, b]` counts with :math:`1 - a \ln(b/a)/(b - a) - \ln b`. The published estimator
    takes a Riemann sum over ranks instead: the two differ by :math:`O(\log n / n)`.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill & Wager (2025), JASA 120(549), arXiv:2111.07966.
    """
    logs = np.log(np.maximum(ranked.share, EMPTY_SHARE))
    before, after = ranked.share[:-1], ranked.share[1:]
    width = after - before
    kernel = before * (logs[1:] - logs[:-1])
    kernel /= np.where(width > 0.0, width, 1.0)
    area: FloatArray = np.einsum("br,br->r", gains, -kernel - logs[1:])
    return area


def gain_at(*, ranked: RankedRows, gains: FloatArray, share: float) -> FloatArray:
    """Gain ``Q(share)`` of targeting the top ``share``, USD per household, ``(R,)``."""
    before, after = ranked.share[:-1], ranked.share[1:]
    width = after - before
    part = np.clip((share - before) / np.where(width > 0.0, width, 1.0), 0.0, 1.0)
    gain: FloatArray = np.einsum("br,br->r", gains, part)
    return gain


def gain_curve(*, ranked: RankedRows, gains: FloatArray, shares: FloatArray) -> FloatArray:
    """Gain ``Q`` at each of ``shares``, USD per household, ``(len(shares), R)``."""
    targeted, gained = _by_replicate(ranked, gains)
    curve = np.empty((len(shares), len(targeted)))
    for replicate in range(len(targeted)):
        curve[:, replicate] = np.interp(shares, targeted[replicate], gained[replicate])
    return curve


def gain_at_own(*, ranked: RankedRows, gains: FloatArray, share: FloatArray) -> FloatArray:
    """Gain ``Q`` at a share of its own for each replicate, USD per household, ``(R,)``."""
    targeted, gained = _by_replicate(ranked, gains)
    return np.array([np.interp(*each) for each in zip(share, targeted, gained, strict=True)])


def _by_replicate(ranked: RankedRows, gains: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corners of each replicate's curve, contiguous for interpolation, ``(R, b + 1)`` each."""
    gained = np.zeros((gains.shape[1], len(gains) + 1))
    np.cumsum(np.ascontiguousarray(gains.T), axis=1, out=gained[:, 1:])
    return np.ascontiguousarray(ranked.share.T), gained
