"""Calibration of frozen predictions on the campaigns after them: level, slope, and their trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval
from promo_uplift.metrics.fold_dependence import SLOPE_FACTOR
from promo_uplift.metrics.simultaneous import clustered_covariance


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicted effects and the scores that judge them, each ``(n,)``.

    Attributes
    ----------
    scores : float64 (n,)
        Doubly robust scores, USD per household, of nuisances that did not see the row.
    predicted : float64 (n,)
        Effect predicted by a model that did not see the row, USD per household.
    groups : int64 (n,)
        Household of each row.
    fold : int64 (n,) or None
        Which of several models predicted the row; None where one predicted all.
    """

    scores: FloatArray
    predicted: FloatArray
    groups: IntArray
    fold: IntArray | None = None

    def by_model(self) -> list[Predictions]:
        """Rows of each model apart."""
        if self.fold is None:
            return [self]
        return [
            Predictions(self.scores[rows], self.predicted[rows], self.groups[rows])
            for rows in (self.fold == one for one in np.unique(self.fold))
        ]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predicted against found effects of one campaign, or of all.

    Attributes
    ----------
    predicted : float
        Mean prediction, USD per household.
    found : Interval
        Mean doubly robust score: the average effect, USD per household.
    gap : Interval
        Found minus predicted; 0 is calibrated.
    slope : Interval
        Slope of the scores on the prediction, USD per USD; 1 is calibrated. NaN where one effect is
        predicted for all.
    intercept : Interval
        Found effect where 0 is predicted, USD; 0 is calibrated. NaN as the slope.
    n, n_households : int
        Rows and households.
    """

    predicted: float
    found: Interval
    gap: Interval
    slope: Interval
    intercept: Interval
    n: int
    n_households: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a calibration between the past that trained and the next campaign.

    Attributes
    ----------
    gap : Interval
        Gap on the next campaign less that on its past, both held out, USD per household.
    slope : Interval
        The same of the slope; NaN where either is undefined.
    """

    gap: Interval
    slope: Interval


@dataclass(frozen=True, slots=True)
class CalibrationDrift:
    """Calibration of each campaign in the order of time, of all, and how it changed.

    Attributes
    ----------
    campaigns : tuple of int
        In the order of time.
    each : tuple of Calibration
        Of each campaign; intervals are conditional on the predictions.
    pooled : Calibration
        Of all; one slope for all, on the prediction centred within its campaign.
    changes : tuple of Change
        From its past to each campaign; intervals carry the error of the past too.
    change, trend : Change
        Mean of ``changes``, and their slope on the position in time; NaN without enough of them.
    p_values : dict of float
        ``level`` and ``slope`` (no change), ``level_trend`` and ``slope_trend`` (no trend of it);
        those that are undefined are left out.
    level : float
        Confidence level of the intervals.
    """

    campaigns: tuple[int, ...]
    each: tuple[Calibration, ...]
    pooled: Calibration
    changes: tuple[Change, ...]
    change: Change
    trend: Change
    p_values: dict[str, float]
    level: float


@dataclass(frozen=True, slots=True)
class _Figures:
    """Estimates ``(4,)`` and what each household adds to the error of each, ``(H, 4)``."""

    estimates: FloatArray
    influence: FloatArray


#: Figures of one part, in the order of their columns.
_FOUND, _GAP, _SLOPE, _INTERCEPT = range(4)


def calibration_drift(
    *,
    campaigns: Mapping[int, Predictions],
    past: Mapping[int, Predictions],
    level: float,
    held_out: Mapping[int, Predictions] | None = None,
) -> CalibrationDrift:
    r"""Calibration of predictions that were made before each campaign, and its change over time.

    Per campaign, :math:`\Gamma = \alpha + \beta \hat\tau + \epsilon`, with the household sandwich.
    Pooled, :math:`\beta = \sum \tilde\tau\,\Gamma / \sum \tilde\tau^2` with
    :math:`\tilde\tau` centred within its campaign, and the gap is the mean of
    :math:`\Gamma - \hat\tau` over all rows. These are conditional on the predictions, which miss
    the truth by the error of the past even where nothing changes. Drift is therefore the change of
    gap and slope from the past to the campaign **of the same models**: those that cross-fitting
    made of the past, each on the households that it did not see, then and now. A model of the whole
    past learns from more rows, so that its slope is steeper than theirs where nothing changes, and
    the levels of their folds pull against each other; both would be taken for drift. So slopes are
    on the prediction centred within its model. The error carries past and campaign, and the
    covariance of rows that train for several campaigns or are judged themselves, summed by
    household. Means and trends of the changes are weighted by inverse variance.

    Parameters
    ----------
    campaigns : mapping of Predictions
        Of each campaign, in the order of time, by models of its past.
    past : mapping of Predictions
        Of the rows that trained for each of them, held out.
    level : float
        Confidence level.
    held_out : mapping of Predictions, optional
        Of the campaigns' rows again, each by the model of ``past`` that did not see its household's
        fold. Without it the change is that of ``campaigns``, which claims drift too often where the
        models of ``past`` saw clearly fewer rows.

    Raises
    ------
    MetricError
        If there is no campaign, one has no past, lengths differ, a value is not finite, or there
        are fewer than two households.

    Notes
    -----
    Scope: nothing is learnt from the campaign's scores. Intervals are normal. The slope of the past
    is widened, since its folds learn from each other; a learner that was chosen for its past loss
    has a past slope that flatters it a little.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernandez-Val (2025), Econometrica 93(4) (the best linear
    predictor); Liang & Zeger (1986), Biometrika 73(1).
    """
    held_out = campaigns if held_out is None else held_out
    _validate(campaigns=campaigns, past=past, held_out=held_out)
    everyone = np.unique(
        np.concatenate([one.groups for one in (*campaigns.values(), *past.values())])
    )
    parts = list(campaigns.values())
    figures = [_figures([one], everyone) for one in parts]
    now = [_figures(held_out[name].by_model(), everyone) for name in campaigns]
    before = [_figures(past[name].by_model(), everyone) for name in campaigns]
    pooled = _figures(parts, everyone)
    half = float(norm.ppf(0.5 + level / 2.0))
    gaps = _changes(now, before, column=_GAP, factor=1.0)
    slopes = _changes(now, before, column=_SLOPE, factor=SLOPE_FACTOR)
    gap, slope, gap_trend, slope_trend = (
        _mean(*gaps),
        _mean(*slopes),
        _trend(*gaps),
        _trend(*slopes),
    )
    tested = {
        "level": gap,
        "slope": slope,
        "level_trend": gap_trend,
        "slope_trend": slope_trend,
    }
    return CalibrationDrift(
        campaigns=tuple(int(one) for one in campaigns),
        each=tuple(
            _calibration(one, [part], half) for one, part in zip(figures, parts, strict=True)
        ),
        pooled=_calibration(pooled, parts, half),
        changes=tuple(
            Change(_interval(*one, half), _interval(*other, half))
            for one, other in zip(_each(*gaps), _each(*slopes), strict=True)
        ),
        change=Change(_interval(*gap, half), _interval(*slope, half)),
        trend=Change(_interval(*gap_trend, half), _interval(*slope_trend, half)),
        p_values={
            name: float(2.0 * norm.sf(abs(value) / error))
            for name, (value, error) in tested.items()
            if np.isfinite(value) and error > 0.0
        },
        level=level,
    )


def _validate(*, campaigns: Mapping[int, Predictions], **beside: Mapping[int, Predictions]) -> None:
    lacking = sorted(name for name in campaigns if any(name not in one for one in beside.values()))
    if not campaigns or lacking:
        raise MetricError(
            "`campaigns` must hold at least one campaign, each with its `past` and `held_out`; "
            f"found {list(campaigns)}" + (f", of which {lacking} have none." if campaigns else ".")
        )
    for what, parts in {"campaigns": campaigns, **beside}.items():
        for name, one in parts.items():
            fold = one.groups if one.fold is None else one.fold
            lengths = {len(one.scores), len(one.predicted), len(one.groups), len(fold)}
            n_bad = int((~np.isfinite(one.scores)).sum() + (~np.isfinite(one.predicted)).sum())
            if len(lengths) != 1 or n_bad or not len(one.groups):
                raise MetricError(
                    f"`{what}[{name}]` must hold one finite score and prediction per row; found "
                    f"lengths {sorted(lengths)} and {n_bad} values that are not finite."
                )


def _figures(parts: Sequence[Predictions], everyone: IntArray) -> _Figures:
    """Mean, gap, slope and intercept of the rows of ``parts``, one slope within all of them."""
    scores, predicted, groups = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("scores", "predicted", "groups")
    )
    centred, around = (
        np.concatenate([_centred(getattr(part, name)) for part in parts])
        for name in ("predicted", "scores")
    )
    n = len(scores)
    found, gap = scores.mean(), (scores - predicted).mean()
    slope = intercept = np.nan
    rows = np.zeros((n, 4))
    rows[:, _FOUND] = (scores - found) / n
    rows[:, _GAP] = (scores - predicted - gap) / n
    square = float((centred * centred).sum())
    if square > 0.0:
        slope = float((centred * around).sum()) / square
        intercept = found - slope * predicted.mean()
        rows[:, _SLOPE] = centred * (around - slope * centred) / square
        rows[:, _INTERCEPT] = (
            scores - slope * predicted - intercept
        ) / n - predicted.mean() * rows[:, _SLOPE]
    code = np.searchsorted(everyone, groups)
    influence: FloatArray = np.column_stack(
        [np.bincount(code, weights=column, minlength=len(everyone)) for column in rows.T]
    ).astype(np.float64)
    return _Figures(np.array([found, gap, slope, intercept]), influence)


def _centred(values: FloatArray) -> FloatArray:
    """Values less their mean; exactly 0 where they are all the same."""
    if np.ptp(values) == 0.0:
        return np.zeros(len(values))
    centred: FloatArray = values - values.mean()
    return centred


def _covariance(influence: FloatArray) -> FloatArray:
    return clustered_covariance(influence=influence, groups=np.arange(len(influence)))


def _calibration(one: _Figures, parts: Sequence[Predictions], half: float) -> Calibration:
    groups = np.concatenate([part.groups for part in parts])
    present = np.unique(groups)
    # a part's own households: the others add nothing, and are not counted as clusters
    own = one.influence[(one.influence != 0.0).any(axis=1)]
    errors = np.sqrt(np.diag(_covariance(own))) if len(own) > 1 else np.zeros(4)
    found, gap, slope, intercept = (
        _interval(float(value), float(error), half)
        for value, error in zip(one.estimates, errors, strict=True)
    )
    return Calibration(
        predicted=float(np.concatenate([part.predicted for part in parts]).mean()),
        found=found,
        gap=gap,
        slope=slope,
        intercept=intercept,
        n=len(groups),
        n_households=len(present),
    )


def _interval(value: float, error: float, half: float) -> Interval:
    return Interval(value, value - half * error, value + half * error)


def _changes(
    figures: Sequence[_Figures], before: Sequence[_Figures], *, column: int, factor: float
) -> tuple[FloatArray, FloatArray]:
    """Change of one figure in each campaign ``(J,)``, and the covariance of the changes."""
    pairs = list(zip(figures, before, strict=True))
    values = np.array([now.estimates[column] - was.estimates[column] for now, was in pairs])
    influence = np.column_stack(
        [now.influence[:, column] - factor * was.influence[:, column] for now, was in pairs]
    )
    return values, _covariance(influence)


def _each(values: FloatArray, covariance: FloatArray) -> list[tuple[float, float]]:
    return [
        (float(value), float(error))
        for value, error in zip(values, np.sqrt(np.diag(covariance)), strict=True)
    ]


def _mean(values: FloatArray, covariance: FloatArray) -> tuple[float, float]:
    """Mean by inverse variance, and its error; NaN where no value is defined."""
    place = _defined(values, covariance)
    if not len(place):
        return float("nan"), float("nan")
    weight = 1.0 / np.diag(covariance)[place]
    return _combined(weight / weight.sum(), place, values, covariance)


def _trend(values: FloatArray, covariance: FloatArray) -> tuple[float, float]:
    """Weighted slope on the position in time, and its error; NaN with fewer than two values."""
    place = _defined(values, covariance)
    if len(place) < 2:
        return float("nan"), float("nan")
    weight = 1.0 / np.diag(covariance)[place]
    away = place - np.average(place, weights=weight)
    return _combined(weight * away / (weight * away**2).sum(), place, values, covariance)


def _defined(values: FloatArray, covariance: FloatArray) -> IntArray:
    return np.flatnonzero(np.isfinite(values) & (np.diag(covariance) > 0.0))


def _combined(
    contrast: FloatArray, place: IntArray, values: FloatArray, covariance: FloatArray
) -> tuple[float, float]:
    error = np.sqrt(contrast @ covariance[np.ix_(place, place)] @ contrast)
    return float(contrast @ values[place]), float(error)
