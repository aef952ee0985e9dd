"""The predicted effects as the experiment corrects them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.simultaneous import clustered_covariance


@dataclass(frozen=True, slots=True)
class Recalibration:
    r"""Effects by the experiment as a line in the predicted ones: :math:`a + b (\hat\tau - m)`.

    Attributes
    ----------
    average_usd : Interval
        :math:`a`: effect at the mean prediction, USD per household.
    slope : Interval
        :math:`b`: 1 where the predictions are right, 0 where they rank by nothing; NaN where one
        effect was predicted for everybody.
    mean_prediction_usd : float
        :math:`m`, over the households with an outcome.
    covariance : float64 (2, 2)
        Of ``a`` and ``b``.
    reason : str
        Why there is no slope; empty otherwise.
    """

    average_usd: Interval
    slope: Interval
    mean_prediction_usd: float
    covariance: FloatArray
    reason: str = ""

    def predict(self, *, cate: FloatArray, level: float) -> pd.DataFrame:
        """Recalibrated effect of each prediction with its interval, USD per household.

        The interval is that of the line; what the line does not hold of a household is not in it.
        """
        distance = cate - self.mean_prediction_usd
        slope = 0.0 if self.reason else self.slope.estimate
        value = self.average_usd.estimate + slope * distance
        design = np.column_stack(
            [np.ones(len(cate)), np.zeros(len(cate)) if self.reason else distance]
        )
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        half = float(norm.ppf(0.5 + level / 2.0)) * np.sqrt(np.maximum(variance, 0.0))
        return pd.DataFrame(
            {
                "recalibrated_cate_usd": value,
                "recalibrated_cate_ci_low_usd": value - half,
                "recalibrated_cate_ci_high_usd": value + half,
            }
        )


def recalibrate(
    *, scores: FloatArray, cate: FloatArray, groups: IntArray, level: float
) -> Recalibration:
    """Best linear predictor of the experiment's effects by the predicted ones.

    The predictions were made before the lots, so the slope's error is that of the experiment
    alone. With one prediction for everybody there is an average and no slope.

    Parameters
    ----------
    scores : float64 (m,)
        Of :func:`experiment_scores`, USD per household.
    cate : float64 (m,)
        Predicted effect of the same households.
    groups : int64 (m,)
        Household of each row.
    level : float
        Confidence level.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4), section 3.
    """
    mean, centre = float(scores.mean()), float(cate.mean())
    distance = cate - centre
    square = float(distance @ distance)
    varies = bool(np.ptp(cate) > 0.0)
    slope = float(distance @ scores) / square if varies else 0.0
    residual = scores - mean - slope * distance
    influence = np.column_stack(
        [residual / len(scores), distance * residual / square if varies else np.zeros(len(scores))]
    )
    covariance = clustered_covariance(influence=influence, groups=groups)
    half = float(norm.ppf(0.5 + level / 2.0)) * np.sqrt(np.diag(covariance))
    nan = float("nan")
    return Recalibration(
        average_usd=Interval(mean, mean - half[0], mean + half[0]),
        slope=Interval(slope, slope - half[1], slope + half[1])
        if varies
        else Interval(nan, nan, nan),
        mean_prediction_usd=centre,
        covariance=covariance,
        reason="" if varies else "one effect was predicted for everybody",
    )
