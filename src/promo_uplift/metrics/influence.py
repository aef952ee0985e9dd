r"""What one row moves a ranking figure by: standard errors without a bootstrap.

A figure of a fold is a functional of the joint distribution of score and ranking. Its influence
function :math:`\psi` is the derivative towards one row, and the figure's error is, to first order,
the mean of :math:`\psi` over the rows. A row moves a figure twice: by its own score at its own
rank, and by pushing everybody below it down by one rank. With the rank share :math:`u` from the top
(the middle of its block for tied rows), :math:`\Gamma` the score, :math:`Q` the gain curve and
:math:`\theta` the figure:

.. math::

    \psi_{Qini} &= \Gamma (\tfrac12 - u) - (Q(1) - Q(u)) + E[\Gamma u] - \theta \\
    \psi_{AUUC} &= \psi_{Qini} + \tfrac12 (\Gamma - Q(1)) \\
    \psi_{AUTOC} &= -\Gamma \ln u - \int_u^1 \tfrac{dQ(q)}{q} + Q(1) - (\theta + Q(1))
        - (\Gamma - Q(1)) \\
    \psi_{Q(k)/k} &= \big( 1\{u \le k\} (\Gamma - \tau(k)) + k\,\tau(k) - Q(k) \big) / k

Only the last needs something unknown, the mean score :math:`\tau(k)` of the rows at the boundary.
A tied block counts as if its rows stood at every place in it alike, as the figures themselves do.

References
----------
Hampel (1974), JASA 69(346) (influence functions); Yadlowsky et al. (2025), JASA 120(549),
arXiv:2111.07966 (the same expansion for rank-weighted effects); Liang & Zeger (1986), Biometrika
73(1) (sums by cluster).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics import kernels
from promo_uplift.metrics.gain import share_label
from promo_uplift.metrics.order import best_first, tie_starts


@dataclass(frozen=True, slots=True)
class Influence:
    """A figure and what each row moves it by.

    Attributes
    ----------
    estimate : float
        The figure, in its unit.
    terms : float64 (n,)
        Influence of each row: their mean is 0, their spread the figure's error.
    """

    estimate: float
    terms: FloatArray

    def by_household(self, *, code: IntArray, n_households: int) -> FloatArray:
        """Sum of the influence of each household's rows, ``(H,)``."""
        total: FloatArray = np.bincount(code, weights=self.terms, minlength=n_households).astype(
            np.float64, copy=False
        )
        return total


def clustered_se(*, sums: FloatArray, n_rows: int) -> float:
    """Return the error of a figure from household sums ``(H,)`` of its rows' influence."""
    n = len(sums)
    return float(np.sqrt(n / (n - 1) * _dot(sums, sums))) / n_rows


def _dot(one: FloatArray, other: FloatArray) -> float:
    """Inner product without the threads of ``np.dot``, which wait for a core beside other work."""
    return float((one * other).sum())


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One fold's scores, best first, and its blocks of tied rows.

    ``starts (b + 1,)`` are the blocks' positions, ``sizes (b,)`` their rows, ``start`` and
    ``end (b,)`` their shares from the top, ``gain (b,)`` their scores over all rows of the fold,
    ``reached (b,)`` the gain curve at their ends.
    """

    order: IntArray
    starts: IntArray
    scores: FloatArray
    sizes: IntArray
    start: FloatArray
    end: FloatArray
    gain: FloatArray
    reached: FloatArray

    @classmethod
    def of(cls, *, scores: FloatArray, ranking: FloatArray) -> _Ranked:
        order, ordered = best_first(ranking)
        sorted_scores = scores[order]
        edges = tie_starts(ordered)
        m = len(order)
        sums = sorted_scores if len(edges) == m + 1 else np.add.reduceat(sorted_scores, edges[:-1])
        shares = edges / m
        return cls(
            order=order,
            starts=edges,
            scores=sorted_scores,
            sizes=np.diff(edges),
            start=shares[:-1],
            end=shares[1:],
            gain=sums / m,
            reached=np.cumsum(sums) / m,
        )

    @property
    def total(self) -> float:
        """Gain of targeting all."""
        return float(self.reached[-1])

    def rows(self, own: FloatArray, shift: FloatArray) -> FloatArray:
        """``own * score + shift`` of each row in its original place, from values by block."""
        if len(self.sizes) != len(self.scores):
            own, shift = np.repeat(own, self.sizes), np.repeat(shift, self.sizes)
        terms = np.empty(len(self.scores))
        terms[self.order] = own * self.scores + shift
        return terms

    def curve(self, share: float) -> float:
        """Gain of targeting the top ``share``."""
        return float(np.interp(share, np.r_[0.0, self.end], np.r_[0.0, self.reached]))


def ranking_influence(
    *,
    scores: FloatArray,
    ranking: FloatArray,
    fold: IntArray,
    uplift_shares: Sequence[float],
) -> dict[str, Influence]:
    """AUUC, Qini, AUTOC (USD per household) and gain per mailed household at each share.

    Ranked within each fold, folds averaged by size; a fold's share of the rows is as random as its
    figure. Estimates equal those of :func:`promo_uplift.metrics.ranking.ranking_replicates`.

    Parameters
    ----------
    scores, ranking : float64 (n,)
        Doubly robust scores, and any ranking.
    fold : int64 (n,)
        Fold of each row.
    uplift_shares : sequence of float
        The k of uplift@k.

    Returns
    -------
    dict of Influence
        ``auuc``, ``qini``, ``autoc`` and ``uplift_at_<percent>``.
    """

    def of_fold(rows: IntArray) -> dict[str, Influence]:
        own = scores[rows]
        ranked = _Ranked.of(scores=own, ranking=ranking[rows])
        found = _areas(order=ranked.order, starts=ranked.starts, scores=own)
        found["autoc"] = _autoc(ranked)
        return found | {share_label(share): _uplift(ranked, share) for share in uplift_shares}

    return averaged_over_folds(of_fold=of_fold, fold=fold)


def averaged_over_folds(
    *, of_fold: Callable[[IntArray], dict[str, Influence]], fold: IntArray
) -> dict[str, Influence]:
    """Figures of each fold's rows, averaged by size; that a fold's size is random counts too.

    Parameters
    ----------
    of_fold : callable
        Figures from the positions of a fold's rows.
    fold : int64 (n,)
        Fold of each row.
    """
    estimates: dict[str, list[tuple[float, float]]] = {}
    terms: dict[str, FloatArray] = {}
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        for name, one in of_fold(rows).items():
            estimates.setdefault(name, []).append((len(rows) / len(fold), one.estimate))
            terms.setdefault(name, np.empty(len(fold)))[rows] = one.terms + one.estimate
    pooled = {name: sum(part * value for part, value in found) for name, found in estimates.items()}
    return {name: Influence(pooled[name], terms[name] - pooled[name]) for name in terms}


def area_influence(*, scores: FloatArray, ranking: FloatArray) -> dict[str, Influence]:
    """AUUC and Qini of one fold, USD per household; ``(n,)`` scores and any ranking."""
    order, ordered = best_first(ranking)
    return _areas(order=order, starts=tie_starts(ordered), scores=scores)


def _areas(*, order: IntArray, starts: IntArray, scores: FloatArray) -> dict[str, Influence]:
    terms = np.empty(len(order))
    qini, total = kernels.area_terms(order, starts, scores[order], terms)
    return {
        "auuc": Influence(qini + 0.5 * total, terms + 0.5 * (scores - total)),
        "qini": Influence(qini, terms),
    }


def _autoc(ranked: _Ranked) -> Influence:
    width = ranked.end - ranked.start
    inner = ranked.start > 0.0
    log_ratio = np.zeros(len(width))
    log_ratio[inner] = np.log(ranked.end[inner] / ranked.start[inner])
    inside = 1.0 - ranked.start * log_ratio / width
    weight = inside - np.log(ranked.end)
    mean = _dot(ranked.gain, weight)
    per_share = ranked.gain * log_ratio / width  # integral of dQ / q over each block but the first
    below = np.cumsum(per_share[::-1])[::-1] - per_share
    shift = -(below + ranked.gain / width * inside) + 2.0 * ranked.total - mean
    return Influence(mean - ranked.total, ranked.rows(weight - 1.0, shift))


def _uplift(ranked: _Ranked, share: float) -> Influence:
    at = int(np.searchsorted(ranked.end, share, side="left"))
    counted = (ranked.end <= share).astype(np.float64)
    counted[at] = (share - ranked.start[at]) / (ranked.end[at] - ranked.start[at])
    reached = ranked.curve(share)
    # the mean score at the boundary, over a window that shrinks and still holds more and more rows
    half = min(share, 1.0 - share) * len(ranked.scores) ** -0.2
    low = min(share - half, float(ranked.start[at]))
    high = max(share + half, float(ranked.end[at]))
    boundary = (ranked.curve(high) - ranked.curve(low)) / (high - low)
    shift = -boundary * (counted - share) - reached
    return Influence(reached / share, ranked.rows(counted / share, shift / share))


def slope_influence(*, scores: FloatArray, cate: FloatArray, fold: IntArray) -> Influence:
    """Calibration slope, USD per USD; the figure of :func:`promo_uplift.metrics.calibration_slope`.

    Undefined (NaN) for a CATE that is constant in each fold.

    Parameters
    ----------
    scores, cate : float64 (n,)
        Doubly robust scores and held-out predicted effect, USD per household.
    fold : int64 (n,)
        Fold of each row.
    """
    _, code, size = np.unique(fold, return_inverse=True, return_counts=True)
    centred = cate - (np.bincount(code, weights=cate) / size)[code]
    residual = scores - (np.bincount(code, weights=scores) / size)[code]
    if all(np.ptp(cate[code == number]) == 0.0 for number in range(len(size))):
        return Influence(float("nan"), np.full(len(cate), np.nan))
    variance = _dot(centred, centred)
    slope = _dot(centred, residual) / variance
    return Influence(slope, centred * (residual - slope * centred) * (len(cate) / variance))
