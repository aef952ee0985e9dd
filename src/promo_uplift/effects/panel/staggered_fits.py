"""One fit per staggered-adoption estimator, by diff-diff, with its warnings kept as notes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from diff_diff import CallawaySantAnna, ImputationDiD, StackedDiD, SunAbraham

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.estimate import clustered_influence
from promo_uplift.effects.panel.group_time import GroupTimeEffects

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StaggeredSettings:
    """Choices of the staggered-adoption estimators.

    Attributes
    ----------
    control_group : str
        ``never_treated`` or ``not_yet_treated`` (the latter holds the never treated as well).
    base_period : str
        ``universal`` (effects before treatment against period -1) or ``varying`` (against the
        period before).
    effect_periods : int
        Length of the effect window in periods, from the first treated one.
    stack_pre_periods : int
        Periods before treatment in each stack.
    propensity_clip : float
        Bound of the doubly robust estimator's propensities; it has a say with covariates only.
    level : float
        Coverage of the intervals.
    """

    control_group: str
    base_period: str
    effect_periods: int
    stack_pre_periods: int
    propensity_clip: float
    level: float

    def __post_init__(self) -> None:
        """Refuse what no estimator knows."""
        if self.control_group not in ("never_treated", "not_yet_treated"):
            raise MetricError(
                "`control_group` must be `never_treated` or `not_yet_treated`; found "
                f"`{self.control_group}`."
            )
        if self.base_period not in ("universal", "varying"):
            raise MetricError(
                f"`base_period` must be `universal` or `varying`; found `{self.base_period}`."
            )
        if self.effect_periods < 1 or self.stack_pre_periods < 1:
            raise MetricError(
                "`effect_periods` and `stack_pre_periods` must be at least 1; found "
                f"{self.effect_periods} and {self.stack_pre_periods}."
            )


@dataclass(frozen=True, slots=True)
class StaggeredFit:
    """One estimator's overall effect per period, its event study and its notes."""

    value: float
    se: float
    event_study: list[tuple[int, float, float]]
    notes: list[str]
    n_rows: int
    influence: pd.Series | None = None
    effects: GroupTimeEffects | None = None


def captured(call: Callable[[], _T]) -> tuple[_T, list[str]]:
    """Return what ``call`` returns and each of its warnings once, deprecations aside."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    about_code = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    told = [str(one.message) for one in caught if not issubclass(one.category, about_code)]
    return result, list(dict.fromkeys(told))


def _fit_library(estimator: Any, frame: pd.DataFrame, outcome: str, **more: Any) -> Any:
    return estimator.fit(
        frame,
        outcome=outcome,
        unit="household_id",
        time="period",
        first_treat="cohort",
        **more,
    )


def callaway_santanna(
    frame: pd.DataFrame, outcome: str, settings: StaggeredSettings, covariates: Sequence[str]
) -> StaggeredFit:
    """Group-time effects, doubly robust where there are covariates (Callaway & Sant'Anna 2021)."""
    estimator = CallawaySantAnna(
        control_group=settings.control_group,
        estimation_method="dr",
        base_period=settings.base_period,
        pscore_trim=settings.propensity_clip,
        alpha=1.0 - settings.level,
    )
    result, notes = captured(
        lambda: _fit_library(estimator, frame, outcome, covariates=list(covariates) or None)
    )
    effects = GroupTimeEffects.from_library(
        result.group_time_effects,
        result._aggregation_kit,
        pd.Index(np.sort(frame["household_id"].unique())),
    )
    skipped = len(result.group_time_effects) - len(effects.cells)
    bases = effects.cells["cohort"].nunique() if settings.base_period == "universal" else 0
    if skipped > bases:
        notes.append(f"{skipped - bases} group-time cells could not be estimated")
    events = []
    for time in effects.event_times():
        value, psi = effects.at_event_time(time)
        events.append((time, value, float(np.sqrt(psi @ psi))))
    window = [time for time in effects.event_times() if 0 <= time < settings.effect_periods]
    if not window:
        raise MetricError("no group-time effect lies in the effect window")
    value, psi = effects.over_event_times(window)
    influence, se = clustered_influence(contributions=psi, groups=effects.households.to_numpy())
    notes += _short_window(len(window), settings)
    return StaggeredFit(value, se, events, notes, int(result.n_obs), influence, effects)


def sun_abraham(frame: pd.DataFrame, outcome: str, settings: StaggeredSettings) -> StaggeredFit:
    """Interaction-weighted event study (Sun & Abraham 2021)."""
    estimator = SunAbraham(
        control_group=settings.control_group, cluster="household_id", alpha=1.0 - settings.level
    )
    result, notes = captured(lambda: _fit_library(estimator, frame, outcome))
    times = [int(time) for time in result.event_study_vcov_index]
    values = np.array([result.event_study_effects[time]["effect"] for time in times])
    errors = np.sqrt(np.diag(result.event_study_vcov))
    window = np.array([0 <= time < settings.effect_periods for time in times])
    weights = window / window.sum()
    notes += _short_window(int(window.sum()), settings)
    return StaggeredFit(
        float(weights @ values),
        float(np.sqrt(weights @ result.event_study_vcov @ weights)),
        list(zip(times, values.tolist(), errors.tolist(), strict=True)),
        notes,
        int(result.n_obs),
    )


def imputation(frame: pd.DataFrame, outcome: str, settings: StaggeredSettings) -> StaggeredFit:
    """Imputed untreated outcomes of the effect window (Borusyak, Jaravel & Spiess 2024)."""
    is_later = (frame["cohort"] > 0) & (
        frame["period"] >= frame["cohort"] + settings.effect_periods
    )
    estimator = ImputationDiD(cluster="household_id", pretrends=True, alpha=1.0 - settings.level)
    within = frame[~is_later]
    result, notes = captured(lambda: _fit_library(estimator, within, outcome))
    events, more = captured(lambda: _library_event_study(result))
    return StaggeredFit(result.overall_att, result.overall_se, events, notes + more, len(within))


def stacked(frame: pd.DataFrame, outcome: str, settings: StaggeredSettings) -> StaggeredFit:
    """One stack per cohort with clean controls (Wing, Freedman & Hollingsworth 2024)."""
    estimator = StackedDiD(
        kappa_pre=settings.stack_pre_periods,
        kappa_post=settings.effect_periods - 1,
        control_group=settings.control_group,
        cluster="unit",
        alpha=1.0 - settings.level,
    )
    result, notes = captured(lambda: _fit_library(estimator, frame, outcome))
    events, more = captured(lambda: _library_event_study(result))
    return StaggeredFit(
        result.overall_att, result.overall_se, events, notes + more, int(result.n_stacked_obs)
    )


def _library_event_study(result: Any) -> list[tuple[int, float, float]]:
    study = result.aggregate("event_study")
    rows = zip(study.event_time, study.att, study.se, study.is_reference, strict=True)
    return [
        (int(time), float(value), float(se)) for time, value, se, is_base in rows if not is_base
    ]


def _short_window(n_found: int, settings: StaggeredSettings) -> list[str]:
    if n_found == settings.effect_periods:
        return []
    return [f"effects of {n_found} of the window's {settings.effect_periods} periods averaged"]
