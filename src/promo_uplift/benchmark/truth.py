"""What a ranking or a policy is really worth, from effects that only the world knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray, TrialTruth
from promo_uplift.metrics import calibration_slope, fold_rows, household_draws
from promo_uplift.metrics.folds import FoldRows
from promo_uplift.metrics.gain import gain_at, rank_rows
from promo_uplift.metrics.ranking import ranking_replicates


@dataclass(frozen=True, slots=True)
class TrueRanking:
    """Areas of a ranking under the true effects, USD per household.

    Attributes
    ----------
    auuc, qini : float
        As :func:`promo_uplift.metrics.ranking_metrics` defines them, with the true effect in the
        place of the score.
    calibration_slope : float
        Slope of the true effect on the predicted one; NaN for a constant prediction.
    """

    auuc: float
    qini: float
    calibration_slope: float


@dataclass(frozen=True, slots=True)
class TruePolicies:
    """True profit of simple policies, USD per household of the base.

    Attributes
    ----------
    oracle : float
        Of contacting exactly those whose true profit is above 0.
    everybody : float
        Of contacting everybody; nobody is 0.
    """

    oracle: float
    everybody: float

    @property
    def best_simple(self) -> float:
        """The better of contacting everybody and nobody."""
        return max(0.0, self.everybody)


def sample_folds(*, fold: IntArray, groups: IntArray) -> tuple[FoldRows, ...]:
    """Folds of the sample itself, without bootstrap replicates."""
    draws = household_draws(groups=groups, replicates=0, rng=np.random.default_rng(0))
    return fold_rows(fold=fold, draws=draws)


def true_ranking(
    *, cate: FloatArray, ranking: FloatArray, folds: Sequence[FoldRows]
) -> TrueRanking:
    """Areas of ``ranking`` within its held-out folds, were the scores the true effects.

    Parameters
    ----------
    cate : float64 (n,)
        True effect, USD.
    ranking : float64 (n,)
        Held-out prediction; the true effect itself gives the oracle's areas.
    folds : sequence of FoldRows
        Of :func:`sample_folds`.
    """
    areas = ranking_replicates(scores=cate, ranking=ranking, folds=folds, uplift_shares=())
    slope = calibration_slope(scores=cate, cate=ranking, folds=folds)
    return TrueRanking(float(areas["auuc"][0]), float(areas["qini"][0]), float(slope[0]))


def true_profit(*, truth: TrialTruth, parameters: PolicyParameters) -> FloatArray:
    """Return the true profit of contacting each row, USD, before costs of redemption, ``(n,)``."""
    money = parameters.expected
    return money.margin_per_unit * truth.cate - money.contact_cost_usd


def true_policies(*, profit: FloatArray) -> TruePolicies:
    """Return the true profit of the oracle and of everybody, from each row's true profit."""
    return TruePolicies(
        oracle=float(np.maximum(profit, 0.0).mean()), everybody=float(profit.mean())
    )


def true_share_profit(
    *,
    profit: FloatArray,
    rankings: Sequence[FloatArray],
    shares: Sequence[float],
    folds: Sequence[FoldRows],
) -> float:
    """Return the true profit of contacting the top share of each fold's ranking, USD per household.

    Parameters
    ----------
    profit : float64 (n,)
        True profit of contacting each row.
    rankings : sequence of float64 (n,)
        One ranking per fold, in the order of ``folds``.
    shares : sequence of float
        Share contacted in each fold.
    folds : sequence of FoldRows
        Of :func:`sample_folds`.
    """
    value = 0.0
    for part, ranking, share in zip(folds, rankings, shares, strict=True):
        ranked = rank_rows(ranking=ranking[part.rows], weights=part.weights)
        gain = gain_at(ranked=ranked, scores=profit[part.rows], share=share)
        value += float(part.part[0] * gain[0])
    return value


def true_averages(
    *, truth: TrialTruth, treatment: IntArray, in_overlap: np.typing.NDArray[np.bool_]
) -> dict[str, float]:
    """Return each average effect's true value over the rows of its own population, USD per row.

    ``aipw_ate_overlap`` is over the rows that the analysis found in the overlap, ``ato`` weighted
    by the true ``e (1 - e)`` (NaN where the world does not publish propensities), and
    ``naive_difference`` is held against the average over all rows.
    """
    everyone = float(truth.cate.mean())
    weight = truth.propensity * (1.0 - truth.propensity)
    return {
        "naive_difference": everyone,
        "aipw_ate": everyone,
        "aipw_att": float(truth.cate[treatment == 1].mean()),
        "aipw_ate_overlap": float(truth.cate[in_overlap].mean()) if in_overlap.any() else np.nan,
        "ato": float((weight * truth.cate).sum() / weight.sum()),
    }
