"""PU-DRIFT: predictions made before a campaign hold on it, in level and slope."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.metrics.drift import CalibrationDrift, Predictions, calibration_drift

#: What each test of the family says if it fails.
MEANINGS = {
    "level": "the level is not what the past had",
    "slope": "the slope is not what the past had",
    "level_trend": "the level drifts from campaign to campaign",
    "slope_trend": "the slope drifts from campaign to campaign",
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
    gains : mapping of Interval
        By simple policy (``none``, ``all``), what the decisions earned beyond it on all of them,
        USD per household; empty where there is no decision or no cost was stated.
    """

    drift: CalibrationDrift
    trained_on_itself: tuple[int, ...]
    gains: Mapping[str, Interval] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        campaigns: Mapping[int, Predictions],
        past: Mapping[int, Predictions],
        time_zero: Mapping[int, dt.date],
        trained_until: Mapping[int, dt.date],
        level: float,
        held_out: Mapping[int, Predictions] | None = None,
        gains: Mapping[str, Interval] | None = None,
    ) -> NextCampaigns:
        """Calibrate predictions, and see that none was made with what it predicts.

        Parameters
        ----------
        campaigns, past : mapping of Predictions
            By campaign, its own rows, and the held-out rows of the past that trained for it.
        time_zero, trained_until : mapping of date
            By campaign, its first day, and the last day whose outcomes trained its predictions.
        level : float
            Confidence level.
        held_out : mapping of Predictions, optional
            The campaigns' rows by the models of ``past`` that did not see their households.
        gains : mapping of Interval, optional
            What the decisions earned beyond ``none`` and ``all``.

        Raises
        ------
        CheckError
            If a campaign has no dates.
        """
        if lacking := sorted(set(campaigns) - (set(time_zero) & set(trained_until))):
            raise CheckError(
                f"`time_zero` and `trained_until` must date every campaign; {lacking} lack one."
            )
        order = sorted(campaigns, key=lambda one: (time_zero[one], one))
        return cls(
            calibration_drift(
                campaigns={one: campaigns[one] for one in order},
                past=past,
                held_out=held_out,
                level=level,
            ),
            tuple(one for one in order if trained_until[one] >= time_zero[one]),
            {} if gains is None else dict(gains),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the smallest of the family's p-values, times their number, against its bound."""
    fact, words, least = evidence.need(NextCampaigns), evidence.wording, parameters.min_drift_p
    rule = (
        f"predicted effects hold on the next campaigns (smallest adjusted p-value >= {least:g}), "
        "and deciding by them pays there"
    )
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
    text = drift_sentence(drift=fact.drift, words=words)
    if adjusted[worst] < least:
        return Finding(
            rule=rule,
            value=adjusted[worst],
            threshold=least,
            passed=False,
            sentence=f"{text} {MEANINGS[worst].capitalize()} (adjusted p {adjusted[worst]:.2g}).",
        )
    smallest = min((gain.ci_low for gain in fact.gains.values()), default=np.inf)
    if smallest <= 0.0:
        earned = ", ".join(
            f"nothing over {name}, which is what was decided"
            if gain.ci_low == gain.ci_high == 0.0
            else f"{gain.estimate:+.2f} USD ({gain.ci_low:+.2f} to {gain.ci_high:+.2f}) over {name}"
            for name, gain in fact.gains.items()
        )
        return Finding(
            rule=rule,
            value=float(smallest),
            threshold=0.0,
            passed=False,
            sentence=f"{text} No drift is shown, nor that deciding pays: {earned}.",
        )
    return Finding(
        rule=rule,
        value=adjusted[worst],
        threshold=least,
        passed=True,
        sentence=f"{text} No drift is shown.",
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
