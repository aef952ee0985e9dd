"""PU-DRIFT: predictions made before a campaign hold on it, in level and slope, campaign by campaign."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, WordingParameters
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.drift import CalibrationDrift, calibration_drift

#: What each test of the family says if it fails.
MEANINGS = {
    "level": "the level is off",
    "slope": "differences between households are not as large as predicted",
    "level_trend": "the level drifts",
    "slope_trend": "the slope drifts",
}


@dataclass(frozen=True, slots=True)
class NextCampaigns:
    """Frozen predictions on the campaigns after them.

    Attributes
    ----------
    drift : CalibrationDrift
        Of the campaigns in the order of time.
    trained_on_itself : tuple of int
        Campaigns whose predictions come from outcomes of their own window.
    """

    drift: CalibrationDrift
    trained_on_itself: tuple[int, ...]

    @classmethod
    def of(
        cls,
        *,
        scores: FloatArray,
        predicted: FloatArray,
        campaign: IntArray,
        groups: IntArray,
        time_zero: Mapping[int, dt.date],
        trained_until: Mapping[int, dt.date],
        level: float,
    ) -> NextCampaigns:
        """Calibrate predictions, and see that none was made with what it predicts.

        Parameters
        ----------
        scores, predicted : float64 (n,)
            Doubly robust scores, and the effect predicted before the row's campaign.
        campaign, groups : int64 (n,)
            Campaign and household of each row.
        time_zero, trained_until : mapping of date
            By campaign, its first day, and the last day whose outcomes trained its predictions.
        level : float
            Confidence level.

        Raises
        ------
        CheckError
            If a campaign of the rows has no dates.
        """
        present = set(np.unique(campaign).tolist())
        if lacking := sorted(present - (set(time_zero) & set(trained_until))):
            raise CheckError(
                f"`time_zero` and `trained_until` must date every campaign; {lacking} lack one."
            )
        order = sorted(present, key=lambda one: (time_zero[one], one))
        return cls(
            calibration_drift(
                scores=scores,
                predicted=predicted,
                campaign=campaign,
                order=order,
                groups=groups,
                level=level,
            ),
            tuple(one for one in order if trained_until[one] >= time_zero[one]),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the smallest of the family's p-values, times their number, against its bound."""
    fact, words, least = evidence.need(NextCampaigns), evidence.wording, parameters.min_drift_p
    rule = f"predicted effects hold on the next campaigns: smallest adjusted p-value >= {least:g}"
    if fact.trained_on_itself:
        names = ", ".join(str(one) for one in fact.trained_on_itself)
        return Finding(
            rule=rule,
            value=0.0,
            threshold=least,
            passed=False,
            sentence=f"Campaign {names} is predicted with outcomes of its own window: no next one.",
            at_best="refuse",
        )
    p_values = fact.drift.p_values
    if not p_values:
        return Finding.nothing(rule=rule, sentence="No next campaign has an error to judge by.")
    adjusted = {name: min(1.0, len(p_values) * p) for name, p in p_values.items()}
    worst = min(adjusted, key=lambda name: adjusted[name])
    passed = adjusted[worst] >= least
    return Finding(
        rule=rule,
        value=adjusted[worst],
        threshold=least,
        passed=passed,
        sentence=(
            f"{drift_sentence(drift=fact.drift, words=words)} "
            + (
                "No departure is shown."
                if passed
                else f"{MEANINGS[worst].capitalize()} (adjusted p {adjusted[worst]:.2g})."
            )
        ),
    )


def drift_sentence(*, drift: CalibrationDrift, words: WordingParameters) -> str:
    """Say what all next campaigns found against what was predicted, and the slope."""
    pooled, n = drift.pooled, len(drift.campaigns)
    text = (
        f"On {n} next campaign{'s' if n > 1 else ''} {words.amount(pooled.predicted)} per "
        f"{words.subject} was predicted and {words.interval(pooled.found)} found"
    )
    if not np.isfinite(pooled.slope.estimate):
        return f"{text}; one effect was predicted for all."
    return f"{text}; the slope is {_plain(pooled.slope)}, calibrated is 1."


def _plain(interval: Interval) -> str:
    return f"{interval.estimate:.2f} ({interval.ci_low:.2f} to {interval.ci_high:.2f})"


CHECK = Check(
    code="PU-DRIFT",
    title="Predictions hold on the next campaign",
    family="ranking",
    needs=(NextCampaigns,),
    look=_look,
)
